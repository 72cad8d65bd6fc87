"""Probing a source: what it waits for, how long, and how it reports."""

from collections.abc import Callable
from pathlib import Path

import pytest

from server import probe
from server.capture.frames.arrivals import Figures
from server.capture.frames.frame import Jpeg
from server.capture.frames.info import SourceInfo
from server.capture.sources.reader import Demand, Reading
from server.config.address import parse_address
from server.errors import PictureError, SourceEnded, SourceError
from server.probe import Finding, examine
from tests.support.fakes import FakeClock

JPEG = Jpeg(b"", 640, 360, 90)
KNOWN = Figures(fps=24.987, kbps=1499.6, group=50)

Step = Jpeg | SourceError | str
"""A read's result: a picture, a failure, or a reason for waiting."""


class FakeReader:
    """A reader that plays these steps and then sends nothing."""

    clock = FakeClock()

    def __init__(self, *steps: Step, polled: bool = False) -> None:
        self.info = SourceInfo(640, 360, 0.0, "h264", True, polled=polled)
        self.figures = Figures()
        self.closed = False
        self._steps = list(steps)

    def read(self, _demand: Demand) -> Reading | None:
        """Play the next step, in 10 ms; after the first picture the figures are known."""
        self.clock.advance(0.01)
        step: Step = self._steps.pop(0) if self._steps else self.figures.waiting_for
        if isinstance(step, SourceError):
            raise step
        if isinstance(step, str):
            self.figures = self.figures._replace(waiting_for=step)
            return None
        self.figures = KNOWN
        return Reading(step, 0.0)

    def close(self) -> None:
        """Record the closing."""
        self.closed = True


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeReader], tuple[Finding, list[str]]]:
    """A function that probes a reader on its clock, and also returns the progress messages."""
    monkeypatch.setattr(probe, "time", FakeReader.clock)
    monkeypatch.setattr(probe, "MEASURE_S", 0.05)
    monkeypatch.setattr(probe, "MAX_MEASURE_S", 0.1)
    monkeypatch.setattr(probe, "KEY_FRAME_S", 0.3)

    def run(reader: FakeReader) -> tuple[Finding, list[str]]:
        monkeypatch.setattr(probe, "open_reader", lambda *_: reader)
        said: list[str] = []
        found = examine(parse_address("rtsp://ann:s3cret@cam/live", Path()), 0.1, said.append)
        assert reader.closed
        return found, said

    return run


Find = Callable[[FakeReader], tuple[Finding, list[str]]]


def test_measured_values_are_reported(find: Find) -> None:
    """Rates are rounded, and unknown values are null."""
    found, said = find(FakeReader(*[JPEG] * 20))

    assert found.first_picture_ms is not None
    assert (found.ok, found.fps, found.kbps, found.group) == (True, 24.99, 1500, 50)
    assert (found.passed_through, found.verified, said) == (True, None, [])


def test_waiting_for_a_key_frame_is_reported(find: Find) -> None:
    """While packets arrive, the source has not timed out."""
    found, said = find(FakeReader(*["a key frame"] * 20, JPEG))

    assert found.ok
    assert said == ["waiting for a key frame"]


def test_missing_picture_is_reported_with_the_reason(find: Find) -> None:
    """The wait is bounded, and the reason says what it waited for."""
    found, _ = find(FakeReader("a key frame"))
    silent, _ = find(FakeReader())

    assert found.reason == "none came within 0.3 s: still waiting for a key frame"
    assert silent.reason == "none came within 0.1 s"


def test_broken_picture_does_not_end_the_probe(find: Find) -> None:
    """The next one may be good; if none is, the reason says what was wrong with them."""
    broken = PictureError("received an incomplete JPEG picture")
    found, _ = find(FakeReader(broken, JPEG, broken))
    never, _ = find(FakeReader(broken, *[""] * 5))

    assert found.ok
    assert never.reason == f"none came within 0.1 s: {broken}"


def test_source_that_ends_while_measured_is_ok(find: Find) -> None:
    """A source that ends while being measured has delivered a picture."""
    found, _ = find(FakeReader(JPEG, SourceEnded("played to its end")))

    assert found.ok


def test_polled_camera_is_not_measured(find: Find) -> None:
    """A measurement would give only the rate at which the camera is polled."""
    reader = FakeReader(JPEG, SourceError("asked again"), polled=True)
    found, _ = find(reader)

    assert (found.ok, found.fps, found.polled) == (True, None, True)


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (Finding("rtsp://cam/", ok=False, reason="404"), "rtsp://cam/: no picture: 404"),
        (
            Finding("a", True, "", 640, 360, 12.5, "h264", 25, 800, 90, False, False, False),
            "a: 640 x 360, 12.5 fps, h264, a key frame every 25 pictures, 800 kbit/s, "
            "certificate not verified, first frame after 90 ms",
        ),
        (
            Finding("a", True, "", 640, 360, None, "mjpeg", 1, None, 90, True, True, True),
            "a: 640 x 360, fetched one by one, mjpeg, passed through, certificate verified, "
            "first frame after 90 ms",
        ),
    ],
)
def test_finding_prints_as_one_line(finding: Finding, line: str) -> None:
    """In the text for people, unknown values are left out."""
    assert str(finding) == line
