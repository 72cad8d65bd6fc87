"""Fakes and fixtures that several tests share; each is small enough to trust."""

import dataclasses
import queue
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from server.capture.camera import Camera
from server.capture.devices.controls import ControlInfo, Value, find_control, refuse
from server.capture.frames.arrivals import Arrivals
from server.capture.frames.frame import Frame, Image, Picture
from server.capture.frames.info import SourceInfo
from server.capture.frames.unit import Unit
from server.capture.frames.video_track import VideoTrack
from server.capture.sources.local import LocalReader
from server.capture.sources.reader import Reader
from server.capture.sources.source import Source
from server.config import models as config
from server.config.address import Address, parse_address
from server.config.processors import Processor
from server.delivery.encoder import EncodedFrame
from server.delivery.fanout import Fanout
from server.loop import hub

# No deadline, because a loaded machine is slow; derandomized, so that runs do not depend on earlier
# ones.
hypothesis.settings.register_profile("porthole", max_examples=50, deadline=None, database=None)
hypothesis.settings.load_profile("porthole")

UNIX_EPOCH_OF_TESTS = 1_700_000_000.0


def until(condition: Callable[[], object], timeout_s: float = 4.0) -> None:
    """Let green threads run until ``condition`` holds; fail if it does not in time."""
    clock_s = 0.0
    while not condition():
        assert clock_s < timeout_s, f"still not true after {timeout_s:g} s"
        # The longer the wait, the less a coarse poll matters.
        pause_s = max(0.002, min(0.01, clock_s / 20))
        hub.sleep(pause_s)
        clock_s += pause_s


def settle(turns: int = 20) -> None:
    """Let every runnable green thread run, to show that nothing happens."""
    for _ in range(turns):
        hub.sleep(0)


def picture(width: int = 64, height: int = 48, shade: int = 90) -> Image:
    """Return a plain picture."""
    return np.full((height, width, 3), shade, np.uint8)


class ResponseClient:
    """A client of an endless response; its socket does not block."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.received = b""

    def read(self, wanted: bytes) -> bytes:
        """Read until ``wanted`` has arrived; return everything read."""

        def come() -> bool:
            try:
                self.received += self.client.recv(1 << 20)
            except BlockingIOError:
                pass
            return wanted in self.received

        until(come)
        return self.received


def encoded(
    seq: int, jpeg: bytes = b"\xff\xd8picture\xff\xd9", at_unix: float = 1.5
) -> EncodedFrame:
    """Return a frame that looks encoded."""
    return EncodedFrame("door", "full", seq, at_unix, 64, 48, jpeg)


def unit(seq: int, key: bool = False, size: int = 1000, fps: float = 30.0) -> Unit:
    """Return a unit that looks like H.264, timestamped at a frame rate."""
    data = f"{'key' if key else 'unit'} {seq} ".encode().ljust(size, b".")
    return Unit(data, key, seq, UNIX_EPOCH_OF_TESTS + seq / fps, "avc1.64001f", 64, 48)


def give_video(camera: Camera, name: str = "full", passed_through: bool = True) -> VideoTrack:
    """Give a camera video before anything watches it; the test puts the units in."""
    track = VideoTrack(name)
    track.codec, track.passed_through = "avc1.64001f", passed_through
    camera.videos = dict(camera.videos) | {name: track}
    return track


class FakeClock:
    """A clock that the test advances; replaces the ``time`` module or one of its functions."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return UNIX_EPOCH_OF_TESTS + self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakeSource:
    """A source that delivers and fails when the test says so."""

    def __init__(
        self, fps: float = 0.0, live: bool = True, size: tuple[int, int] = (64, 48)
    ) -> None:
        self.info = SourceInfo(*size, fps, "raw", live)
        self.arrivals = Arrivals()
        self.grabs = 0
        """How many pictures were grabbed, and the time of each call."""
        self.asked = 0
        self.decoded = 0
        self.closed = 0
        self._coming: queue.SimpleQueue[Image | Exception] = queue.SimpleQueue()
        self._grabbed: Image | Exception | None = None
        self.offer()

    def give(self, *pictures: Image | Exception) -> None:
        """Queue pictures to deliver in this order; an exception is raised instead."""
        for item in pictures or (picture(*self.size),):
            self._coming.put(item)

    @property
    def size(self) -> tuple[int, int]:
        return self.info.width, self.info.height

    def grab(self) -> bool:
        self.asked += 1
        try:
            self._grabbed = self._coming.get(timeout=0.01)
        except queue.Empty:
            return False
        if isinstance(self._grabbed, Exception) and not isinstance(self._grabbed, UndecodableError):
            raise self._grabbed
        self.grabs += 1
        self.arrivals.add()
        return True

    def retrieve(self, _jpeg_up_to: int = 0, _pixels_from: int = 0) -> Image:
        self.decoded += 1
        if isinstance(self._grabbed, UndecodableError):
            raise self._grabbed.error
        assert isinstance(self._grabbed, np.ndarray)
        return self._grabbed

    def controls(self) -> tuple[ControlInfo, ...]:
        return tuple(replace(one, value=self.held[one.name]) for one in self.offered)

    def set_control(self, name: str, value: Value) -> Value:
        """Accept a value, unless it is to be rejected."""
        control = find_control(self.controls(), name)
        if value in self.refused:
            raise refuse(control, value, control.value)
        self.held[name] = value
        return value

    def offer(self, *offered: ControlInfo, refused: tuple[Value, ...] = ()) -> None:
        """Offer these controls, but reject some values."""
        self.offered, self.refused = offered, refused
        self.held = {one.name: one.value for one in offered}

    def close(self) -> None:
        self.closed += 1


class UndecodableError(Exception):
    """For a :class:`FakeSource`: a picture that can be grabbed but not decoded."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class FakeOpener:
    """Opens the given sources in turn, then the last one again and again."""

    def __init__(self, *outcomes: Source | Exception) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0

    def __call__(self, address: Address, name: str, timeout_s: float) -> Reader:
        self.calls += 1
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return LocalReader(outcome)


class OpenLimiter:
    """Admits every connection, and counts them."""

    def __init__(self) -> None:
        self.inside = 0
        self.refusal: bytes | None = None
        """The response that rejects new connections, while set."""

    def enter(self, key: object, address: str, end: Callable[[], None]) -> None:
        self.inside += 1

    def admit(self, key: object) -> bytes | None:
        return self.refusal

    def await_next(self, key: object) -> None:
        """Do nothing."""

    def leave(self, key: object) -> None:
        self.inside -= 1

    def fault(self, version: str, headers: object) -> bytes | None:
        return None


class RecordingViewer:
    """A viewer that accepts every frame unless it has an obstacle."""

    def __init__(self, last_seq: int = 0) -> None:
        self.last_seq = last_seq
        self.obstacle: str | None = None
        self.connected = True
        self.frames: list[EncodedFrame] = []
        self.misses: list[str] = []

    @property
    def seqs(self) -> list[int]:
        return [frame.seq for frame in self.frames]

    def send(self, frame: EncodedFrame, _now: float) -> str | None:
        if not self.connected:
            return "gone"
        if self.obstacle is None:
            self.frames.append(frame)
        return self.obstacle

    def miss(self, obstacle: str) -> None:
        self.misses.append(obstacle)


def camera_settings(
    name: str = "door", source: str = "test:", fps: float | None = None, quality: int = 80
) -> config.Camera:
    """Return one camera's complete settings."""
    address = parse_address(source, Path())
    return config.Camera(name, name.capitalize(), address, fps, quality)


def offline_camera(name: str = "door") -> Camera:
    """Return a camera whose capture loop does not run: the test puts frames into its slot."""
    return Camera(camera_settings(name), config.ServerSettings(), FakeOpener(FakeSource()))


def put_frame(camera: Camera, seq: int, shown: Picture | None = None) -> None:
    """Put a frame into a camera's slot, as its capture loop would."""
    camera.slot.put(Frame(picture() if shown is None else shown, seq, float(seq)))


@pytest.fixture
def clock() -> FakeClock:
    """A clock that the test advances."""
    return FakeClock()


@pytest.fixture
def camera() -> Camera:
    """A camera whose frames the test puts in."""
    return offline_camera()


@pytest.fixture
def fanout(camera: Camera) -> Iterator[Fanout]:
    """The camera's fanout, running."""
    rooms = Fanout(camera)
    rooms.open()
    yield rooms
    rooms.close()


@pytest.fixture
def make_camera() -> Iterator[Callable[..., Camera]]:
    """A function that creates and opens a camera on fake sources; all are closed at the end."""
    cameras: list[Camera] = []

    def make(
        *outcomes: Source | Exception,
        fps: float | None = None,
        process: tuple[Processor, ...] = (),
        **server: float | int,
    ) -> Camera:
        opener = FakeOpener(*outcomes)
        settings = dataclasses.replace(camera_settings(fps=fps), process=process)
        camera = Camera(settings, config.ServerSettings(**server), opener)
        cameras.append(camera)
        camera.open()
        return camera

    yield make
    for camera in cameras:
        assert camera.close(2.0), "the capture loop does not end"


@pytest.fixture
def link() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection: the server's end, which is green, and the client's."""
    listener = hub.listen("127.0.0.1", 0)
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    listener.close()
    client.setblocking(False)
    yield server, client
    client.close()
    server.close()
