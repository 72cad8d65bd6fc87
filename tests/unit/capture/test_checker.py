"""Cameras without viewers: their failures persist, and they are checked."""

import dataclasses
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.capture import camera as camera_module
from server.capture import checker as check_module
from server.capture.camera import Camera
from server.capture.checker import Checker
from server.capture.isolation.reader import IsolatedReader
from server.capture.isolation.spare import SpareProcess
from server.capture.sources.reader import Demand, Reader
from server.config import models as config
from server.config.address import Address, parse_address
from server.errors import PictureError, SourceError
from server.loop import hub
from tests.support.fakes import (
    FakeOpener,
    FakeSource,
    UndecodableError,
    camera_settings,
    picture,
    settle,
    until,
)

Make = Callable[..., Camera]

NETWORK = "http://127.0.0.1:9/live"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks without long waits."""
    monkeypatch.setattr(camera_module, "WATCH_PERIOD_S", 0.005)
    monkeypatch.setattr(check_module, "FIRST_S", 0.0)
    monkeypatch.setattr(check_module, "PERIOD_S", 0.01)
    monkeypatch.setattr(check_module, "PAUSE_S", 0.001)


@pytest.fixture
def make() -> Iterator[Make]:
    """A function that creates and opens a camera at an address; all are closed at the end."""
    cameras: list[Camera] = []

    def make_one(
        opener: Callable[[Address, str, float], Reader],
        source: str = NETWORK,
        name: str = "door",
        check_every: float = 60.0,
        **server: float,
    ) -> Camera:
        settings = dataclasses.replace(camera_settings(name, source), check_every=check_every)
        camera = Camera(settings, config.ServerSettings(**server), opener)  # type: ignore[arg-type]
        cameras.append(camera)
        camera.open()
        return camera

    yield make_one
    for camera in cameras:
        assert camera.close(2.0), "the capture loop does not end"


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Checker]]:
    """Check cameras, each with its own way of opening a source."""
    checkers: list[Checker] = []

    def begin(*cameras: Camera) -> Checker:
        checker = Checker(cameras)
        checker._open_reader = None  # type: ignore[assignment]
        checkers.append(checker)
        checker.open()
        return checker

    yield begin
    for checker in checkers:
        checker.close()


def notices_of(camera: Camera) -> list[str]:
    """Return a list that collects the camera's notices."""
    notices: list[str] = []
    camera.on_notice = lambda _, level, message: notices.append(f"{level}: {message}")
    return notices


def test_check_takes_one_picture_and_closes(make: Make) -> None:
    """A working camera is opened for one picture, without any notice."""
    source = FakeSource()
    camera = make(FakeOpener(source))
    notices = notices_of(camera)
    source.give(*[picture() for _ in range(3)])

    camera.check()

    assert (source.decoded, source.closed, camera.state) == (1, 1, "idle")
    assert camera.slot.frame is None
    assert notices == []


def test_failure_lasts_until_a_check_gets_a_picture(make: Make) -> None:
    """A dead camera fails every check, with one notice for the failure and one for its return."""
    error, source = SourceError("no route to it"), FakeSource()
    camera = make(FakeOpener(error, error, error, source))
    notices = notices_of(camera)

    for _ in range(3):
        camera.check()
        assert (camera.state, camera.reason) == ("retrying", "no route to it")
    source.give()
    camera.check()

    assert camera.state == "idle"
    assert notices == ["warning: Door went offline: no route to it", "info: Door is back online"]
    assert camera.meter.lost == 3


def test_check_that_gets_a_frozen_picture_fails(make: Make) -> None:
    """A camera given up as frozen is back only with a different picture."""
    frozen, reopened, same, other = (FakeSource() for _ in range(4))
    opener = FakeOpener(frozen, reopened, same, other)
    camera = make(opener, frozen_after=0.02, release_after=0.0)
    notices = notices_of(camera)
    camera.set_viewers(1)

    def stands_still() -> bool:
        frozen.give()
        return opener.calls > 1

    until(stands_still)
    camera.set_viewers(0)
    until(lambda: camera.resting)
    same.give()
    camera.check()
    assert (camera.state, same.closed) == ("retrying", 1)
    other.give(picture(shade=91))
    camera.check()

    assert (camera.state, other.closed) == ("idle", 1)
    assert [notice.partition(":")[0] for notice in notices] == ["warning", "info"]


def test_viewer_takes_over_the_source_of_a_check(make: Make) -> None:
    """A viewer that arrives during a check takes over its source, without a second connection."""
    source = FakeSource()
    opener = FakeOpener(source)
    camera = make(opener)
    checking = hub.spawn(camera.check)
    until(lambda: source.asked)

    camera.set_viewers(1)
    assert checking.join(0.05), "the check continues although somebody watches"
    source.give()
    until(lambda: camera.state == "live")

    assert camera.slot.frame is not None
    assert (opener.calls, source.closed) == (1, 0)


def test_failed_checks_do_not_delay_a_viewer(make: Make) -> None:
    """Failed checks do not lengthen the wait before a viewer's first try."""
    error, source = SourceError("gone"), FakeSource()
    camera = make(FakeOpener(error, error, error, source))
    for _ in range(3):
        camera.check()
    source.give()

    camera.set_viewers(1)

    until(lambda: camera.state == "live", 0.5)


def test_check_of_a_silent_camera_times_out(make: Make) -> None:
    """A camera that sends nothing, or only broken pictures, fails after two read time-outs."""
    source = FakeSource()
    camera = make(FakeOpener(source), read_timeout=1.0)
    source.give(UndecodableError(PictureError("torn")))
    began = time.monotonic()

    camera.check()

    assert time.monotonic() - began < 3
    assert camera.state == "retrying"
    assert camera.reason == "no picture for more than 2 s; torn"
    assert source.closed == 1


def test_stopped_camera_is_not_checked(make: Make) -> None:
    """Stopping a camera ends a check in progress, and prevents further ones."""
    source = FakeSource()
    camera = make(FakeOpener(source))
    checking = hub.spawn(camera.check)
    until(lambda: source.asked)

    camera.stop()
    assert checking.join(0.5)
    camera.check()

    assert (camera.state, camera.meter.opened) == ("stopped", 1)


def test_stalled_camera_fails_when_its_viewer_leaves(make: Make) -> None:
    """A stalled camera has failed if its source closes without another picture."""
    source = FakeSource()
    camera = make(FakeOpener(source), release_after=0.05, stall_after=0.5)
    camera.set_viewers(1)
    until(lambda: camera.state == "stalled")

    camera.set_viewers(0)
    assert camera.state == "stalled"
    until(lambda: source.closed)

    assert camera.state == "retrying"
    assert camera.reason.startswith("no picture for more than 0.5 s")


def test_check_of_a_file_does_not_open_it(make: Make, tmp_path: Path) -> None:
    """A check only tests whether the file exists."""
    clip = tmp_path / "clip.mp4"
    opener = FakeOpener(FakeSource())
    camera = make(opener, f"file:{clip}")
    notices = notices_of(camera)

    camera.check()
    assert (camera.state, camera.reason) == ("retrying", f"there is no file {clip}")
    clip.touch()
    camera.check()

    assert camera.state == "idle"
    assert notices == [
        f"warning: Door went offline: there is no file {clip}",
        "info: Door is back online",
    ]
    assert opener.calls == 0


def test_check_of_a_device_does_not_open_it(make: Make) -> None:
    """A device's light stays off: only its path is checked."""
    opener = FakeOpener(FakeSource())
    camera = make(opener, "device:63")

    camera.check()

    assert camera.state == "retrying"
    assert camera.reason.startswith("/dev/video63 does not exist")
    assert opener.calls == 0


def test_existing_file_does_not_clear_another_failure(make: Make, tmp_path: Path) -> None:
    """An existing file that could not be played keeps its failure."""
    clip = tmp_path / "clip.mp4"
    clip.touch()
    camera = make(FakeOpener(SourceError("holds no video")), f"file:{clip}")
    camera.set_viewers(1)
    until(lambda: camera.state == "retrying")
    camera.set_viewers(0)

    camera.check()

    assert (camera.state, camera.reason) == ("retrying", "holds no video")


def test_one_camera_is_checked_at_a_time(make: Make, check: Callable[..., Checker]) -> None:
    """No two cameras are open at the same time, and each is checked again and again."""
    sources = {f"cam-{number}": FakeSource() for number in range(4)}
    inside: set[str] = set()
    most = 0

    class Opener(FakeOpener):
        def __call__(self, address: Address, name: str, timeout_s: float) -> Reader:
            nonlocal most
            inside.add(name)
            most = max(most, len(inside))
            time.sleep(0.01)
            return super().__call__(address, name, timeout_s)

    cameras = []
    for name, source in sources.items():
        source.give(*[picture() for _ in range(50)])
        closing = source.close
        source.close = lambda name=name, closing=closing: (inside.discard(name), closing())  # type: ignore
        cameras.append(make(Opener(source), name=name, check_every=0.05))
    check(*cameras)

    until(lambda: all(source.closed >= 3 for source in sources.values()))

    assert most == 1


def test_camera_is_checked_soon_then_at_its_interval(
    make: Make, check: Callable[..., Checker]
) -> None:
    """A camera is checked soon after the start, then at its interval."""
    source = FakeSource()
    source.give(picture(), picture())
    camera = make(FakeOpener(source), check_every=60.0)
    check(camera)

    until(lambda: source.closed)
    hub.sleep(0.1)

    assert source.closed == 1


@pytest.mark.parametrize(("source", "every"), [("test:", 60.0), (NETWORK, 0.0)])
def test_some_cameras_are_never_checked(
    make: Make, check: Callable[..., Checker], source: str, every: float
) -> None:
    """A test pattern is not checked, nor a camera whose interval is 0."""
    opener = FakeOpener(FakeSource())
    check(make(opener, source, check_every=every))

    hub.sleep(0.1)
    settle()

    assert opener.calls == 0


def open_with(spare: SpareProcess) -> IsolatedReader:
    address = parse_address("test:?size=128x72", Path())
    return IsolatedReader(address, "door", 5.0, spare=spare)


def take_picture(reader: IsolatedReader) -> object:
    demand = Demand(lambda: 0.0, lambda: 0)
    return next(
        reading.picture
        for reading in (reader.read(demand) for _ in range(50))
        if reading is not None and reading.picture is not None
    )


def test_child_process_is_reused_by_the_next_check() -> None:
    """One child serves several sources in turn; closing the checker ends it."""
    spare = SpareProcess()
    pids = set()
    for _ in range(3):
        reader = open_with(spare)
        pids.add(reader._process.pid)
        assert take_picture(reader) is not None
        reader.close()

    spare.close()

    assert len(pids) == 1
    assert not Path(f"/proc/{pids.pop()}").exists()


def test_dead_spare_process_is_replaced() -> None:
    """A child killed between two checks is replaced, and no camera fails because of it."""
    spare = SpareProcess()
    first = open_with(spare)
    first.close()
    os.kill(first._process.pid, signal.SIGKILL)
    assert first._process.wait(5.0)

    second = open_with(spare)
    assert take_picture(second) is not None
    second.close()
    spare.close()

    assert second._process.pid != first._process.pid
