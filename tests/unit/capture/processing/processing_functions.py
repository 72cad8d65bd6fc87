"""Good and bad processors such as users might write, for the tests of processing."""

import os
import signal
import subprocess
import threading
import time

import cv2

SECONDS = 0.2


def annotate(image, info):
    cv2.putText(image, f"{info.title} {info.seq}", (4, 20), 0, 0.5, (0, 255, 0))
    image[-1, -1] = 255


def number(image, info):
    """Write the picture's number into its first pixels, so that a test can read it."""
    image[:16, :16] = info.seq % 256


def spot(image, info):
    """Report something in the left half, and hide the picture."""
    info.event("spot", score=0.5, box=(0, 0, 0.5, 1))
    return image * 0


def report(image, info):
    """Report what is seen, then an invalid report."""
    info.event("cat", 0.5, box=(0, 0, 0.5, 1))
    for _ in range(30):
        info.event("dog")
    info.event("cat", score=7)


def black(image, info):
    return image * 0


def half(image, info):
    return image[::2, ::2]


def double(image, info):
    return cv2.resize(image, None, fx=2, fy=2)


def keep(image, info):
    """Return the previous picture: an array that is kept must not change."""
    before = info.state.get("before", image)
    info.state["before"] = image
    return before.copy()


def sleepy(image, info):
    time.sleep(SECONDS)


def raising(image, info):
    raise ValueError("no such luck")


def shapeless(image, info):
    return image[:, :, 0]


def hang(image, info):
    while True:
        time.sleep(60)


def crash(image, info):
    os.kill(os.getpid(), signal.SIGKILL)


def talk(image, info):
    print("x" * 1000)
    input_is_empty = os.read(0, 1) == b""
    assert input_is_empty


def count_threads(image, info):
    """Sleep on a thread, which must be a native one."""
    begun = time.monotonic()
    found = []

    def sleep():
        time.sleep(SECONDS)
        found.append(threading.get_native_id())

    thread = threading.Thread(target=sleep)
    thread.start()
    thread.join()
    assert time.monotonic() - begun >= SECONDS
    assert found[0] != threading.get_native_id()


def green(image, info):
    import sys

    raise ValueError("eventlet" if "eventlet" in sys.modules else "real")


not_a_function = 7


class WordlessError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def wordless(image, info):
    raise WordlessError


def fork(image, info):
    """Fork, and so return twice for a picture."""
    if os.fork() == 0:
        image[:] = 255


def leave_behind(image, info):
    """Start a program that outlives a hang, and write its process id into the first pixels."""
    started = subprocess.Popen(["sleep", "600"])
    image[0, :4, 0] = list(started.pid.to_bytes(4, "big"))
    info.state.setdefault("seen", 0)
    info.state["seen"] += 1
    while info.state["seen"] > 1:
        time.sleep(60)
