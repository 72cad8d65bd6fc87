"""Child processes whose sources hang, crash or are killed, and how they are started."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from server.capture.isolation import child
from server.capture.isolation.channel import Link
from server.errors import ControlError, SourceError
from tests.unit.capture.isolation.isolated import NOW, Open, loss, picture, until
from tests.unit.capture.isolation.network_camera import FakeCamera

ROOT = Path(__file__).parents[4]


def test_killed_child_is_reported(isolate: Open) -> None:
    """A killed child is reported immediately; pictures already returned stay valid."""
    source = isolate("test:?size=320x180&fps=60")
    image = picture(source)
    before = image.copy()

    os.kill(source._process.pid, signal.SIGKILL)

    assert loss(source, 1.0) == "its process was killed by SIGKILL"
    assert (image == before).all()


@pytest.mark.usefixtures("own_children")
def test_suspended_child_is_killed(isolate: Open) -> None:
    """A child that stops answering is killed after the time-out, even if it is suspended."""
    source = isolate("test:?size=320x180&fps=60", timeout_s=1.0)
    picture(source)

    os.kill(source._process.pid, signal.SIGSTOP)
    reason = loss(source, 3.0)

    assert reason == "its process has not answered for 1 s; it was killed"
    assert not Path(f"/proc/{source._process.pid}").exists()


def test_pictures_count_as_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Separate beats used to wake the server on top of 30 fps."""
    ours, theirs = Link.pair()
    end = Link(theirs)
    reading = child._Child(end)
    now_s = 100.0
    beats: list[float] = []

    class Time:
        @staticmethod
        def monotonic() -> float:
            return now_s

        @staticmethod
        def sleep(seconds: float) -> None:
            nonlocal now_s
            if ours.receive(0.0):
                beats.append(now_s - 100.0)
            now_s += seconds
            reading._delivered += 100.0 < now_s < 104.0
            if now_s >= 106.0:
                raise OSError("the server is gone")

    monkeypatch.setattr(child, "time", Time)

    reading.beat()
    ours.close()
    end.close()

    assert beats == [0, 1, 2, 3, 4, 4.25, 4.5, 4.75, 5, 5.25, 5.5, 5.75]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("in-grab", "no picture for 2 s, and its reader is hanging; it was killed"),
        ("in-retrieve", "its reader has hung for 1 s decoding a picture; it was killed"),
        ("with-the-lock", "its process has not answered for 1 s; it was killed"),
        ("crash", "its process was killed by SIGSEGV"),
    ],
)
def test_hanging_reader_is_killed(where: str, said: str, isolate: Open) -> None:
    """If a source hangs or crashes, the child ends, and the error says which."""
    source = isolate(
        "test:?size=320x180",
        name=where,
        timeout_s=1.0,
        child="tests.unit.capture.isolation.hanging_child",
    )

    assert loss(source) == said
    assert not Path(f"/proc/{source._process.pid}").exists()


def test_hanging_open_is_killed(isolate: Open) -> None:
    """If opening hangs, the child is killed within twice the time-out."""
    started = time.monotonic()
    isolate("test:?size=320x180")
    start_s = time.monotonic() - started  # In seconds; the machine may be busy.
    started = time.monotonic()

    with pytest.raises(SourceError, match="has hung for 3 s opening it"):
        isolate(
            "test:",
            name="in-open",
            timeout_s=1.0,
            child="tests.unit.capture.isolation.hanging_child",
        )

    assert time.monotonic() - started < 4.5 + start_s


def test_silent_host_times_out(isolate: Open) -> None:
    """A host that accepts the connection but never answers times out and leaves no process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        started = time.monotonic()
        with pytest.raises(SourceError, match=r"sends nothing|did not answer"):
            isolate(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout_s=1.0)

    assert time.monotonic() - started < 4


def test_child_ends_with_the_server() -> None:
    """A server killed with SIGKILL leaves no child, not even a suspended one."""
    code = """
        import os, signal, sys, time
        from pathlib import Path
        from server.config.address import parse_address
        from server.capture.isolation.reader import IsolatedReader

        sources = [IsolatedReader(parse_address("test:", Path()), "door", 5.0) for _ in range(2)]
        os.kill(sources[1]._process.pid, signal.SIGSTOP)
        print(*(source._process.pid for source in sources), flush=True)
        time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        pids = server.stdout.readline().split()
        assert len(pids) == 2

        server.kill()

        until(lambda: not any(_runs(pid) for pid in pids), 5.0)


def _runs(pid: str) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_isolated_reader_works_under_eventlet(camera: FakeCamera) -> None:
    """Under eventlet, on a native thread: no fork, the hub keeps running, and shutdown is clean."""
    code = f"""
        import os, warnings
        warnings.filterwarnings("ignore")
        import eventlet
        eventlet.monkey_patch()
        import signal, time
        from pathlib import Path
        from server.loop import hub
        from server.config.address import parse_address
        from server.capture.opening import open_reader
        from server.capture.sources.reader import Demand
        from server.errors import SourceError

        now = Demand(due=lambda: 0.0, jpeg_up_to=lambda: 0)

        def no_fork():
            raise AssertionError("forked")

        os.fork = os.forkpty = no_fork
        hub.size_native_pool(4)
        turns = 0

        def tick():
            global turns
            while True:
                hub.sleep(0.005)
                turns += 1

        ticking = hub.spawn(tick)
        address = parse_address({camera.plays("patched")!r}, Path())

        def read(count):
            source = hub.run_native(open_reader, address, "door", 2.0)
            began = turns
            for _ in range(count):
                while not (reading := hub.run_native(source.read, now)) or reading.picture is None:
                    pass
            assert reading.picture.shape == (240, 320, 3)
            assert turns > began, "the hub stood still"
            return source

        first, second = read(30), read(30)
        os.kill(first._process.pid, signal.SIGSTOP)
        os.kill(second._process.pid, signal.SIGKILL)
        for source in (first, second):
            try:
                while True:
                    began = turns
                    hub.run_native(source.read, now)
            except SourceError as error:
                print(error)
            hub.run_native(source.close)
        ticking.kill()
        print("clean")
    """
    ended = subprocess.run(
        [sys.executable, "-"],  # Another test searches all command lines for the password.
        input=textwrap.dedent(code),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.stderr == ""
    assert ended.stdout.splitlines() == [
        "its process has not answered for 2 s; it was killed",
        "its process was killed by SIGKILL",
        "clean",
    ]
    assert ended.returncode == 0


def test_child_loads_only_what_it_needs() -> None:
    """The child runs without the hub, which could deadlock, and without slow, unneeded libraries.
    One that passes on JPEG from a network camera loads no decoder."""
    code = (
        "import server.capture.isolation.child, server.capture.sources.source, sys;"
        "import server.capture.sources.http; print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert child.__name__ in loaded
    needless = {"eventlet", "flask", "socketio", "pydantic", "numpy", "cv2", "av"}
    assert not {*needless, "server.loop.hub", "server.config.models"} & set(loaded)


def test_child_hanging_in_set_control_is_killed(isolate: Open) -> None:
    """Setting a control times out if it hangs; then the child is killed."""
    source = isolate(
        "test:?size=320x180",
        name="in-set",
        timeout_s=2.2,
        child="tests.unit.capture.isolation.hanging_child",
    )

    with pytest.raises(ControlError, match="the camera did not answer within 2 s"):
        source.set_controls({"brightness": 50.0})
    with pytest.raises(SourceError, match=r"hung for . s setting a control; it was killed"):
        until(lambda: source.read(NOW) and False)
