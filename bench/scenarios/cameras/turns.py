"""How long does the hub wait for the GIL while a thread writes recordings?

This thread stands in for the hub: it only makes system calls, each of which releases the GIL, while
another thread writes a camera's video second by second. The CPU time that the writer uses during a
call is how long this thread waited; on a busy machine the operating system may be the cause.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.support.stand import Stand
from bench.support.table import Table
from server.capture.frames.unit import Unit
from server.recording.disk.storage import Storage
from server.recording.disk.writer import Writer
from server.runtime import SWITCH_S
from tests.support.cameras.units import make_units

__all__ = ["run"]

SECONDS = 60
FPS = 30

LONG_S = (0.0003, 0.0005, 0.001)

# Shorter waits are ignored.
MIN_WAIT_S = 1e-5


def run(stand: Stand) -> Iterator[Table]:
    """Write a minute of video with Python's default switch interval and with ours."""
    stand.say("turns")
    table = Table(
        f"Waiting for the GIL while {SECONDS} s of 1280x720 at {FPS} fps are written",
        (
            *("switch interval, ms", "CPU per second of video, ms"),
            *(f"waits over {least_s * 1000:g} ms" for least_s in LONG_S),
        ),
    )
    usual = sys.getswitchinterval()
    with tempfile.TemporaryDirectory(prefix="porthole-bench-") as name:
        film = make_units(Path(name), 2, source=f"testsrc2=size=1280x720:rate={FPS}")
        for number, interval_s in enumerate((0.005, SWITCH_S)):
            stand.quiet.wait(stand.say)
            sys.setswitchinterval(interval_s)
            try:
                took_s, waits = _write(Path(name, f"{number}", "media"), film)
            finally:
                sys.setswitchinterval(usual)
            over = [sum(one > least_s for one in waits) for least_s in LONG_S]
            table.add(f"{interval_s * 1000:g}", f"{took_s / SECONDS * 1000:.2f}", *over)
    yield table


def _write(media: Path, film: list[Unit]) -> tuple[float, list[float]]:
    """Return the CPU time of writing, and the waits meanwhile; all in seconds."""
    writer = Writer(Storage(media))
    writer.start()
    clock = time.pthread_getcpuclockid(writer._thread.ident)
    waits = []
    with open(os.devnull, "wb", buffering=0) as nowhere:
        began_s, began_unix = time.clock_gettime(clock), time.time()
        for second in range(SECONDS):
            part = film[second % 2 * FPS :][:FPS]
            at_unix = began_unix + second
            writer.put(
                "door",
                [replace(one, at_unix=at_unix + at / FPS) for at, one in enumerate(part)],
                "always",
            )
            while writer._queued_bytes["door"]:
                before_s = time.clock_gettime(clock)
                nowhere.write(b".")
                if (waited_s := time.clock_gettime(clock) - before_s) > MIN_WAIT_S:
                    waits.append(waited_s)
        took_s = time.clock_gettime(clock) - began_s
    writer.stop(5.0)
    return took_s, waits
