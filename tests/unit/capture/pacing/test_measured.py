"""What is measured of a source, and when it is announced."""

import random
from dataclasses import replace

import pytest

from server.capture.frames.arrivals import Figures
from server.capture.frames.info import SourceInfo
from server.capture.pacing import measured as measured_module
from server.capture.pacing.measured import Measured
from tests.support.fakes import FakeClock

UNKNOWN = SourceInfo(1280, 720, 0.0, "h264", live=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock for announcements."""
    clock = FakeClock()
    monkeypatch.setattr(measured_module, "time", clock)
    return clock


def unchanged_info(measured: Measured) -> SourceInfo:
    """Return the source's unchanged description of itself."""
    assert measured.info
    return measured.info


def test_unmeasured_values_are_unknown(clock: FakeClock) -> None:
    """Nothing is known before the first opening, and after it only what the source said."""
    measured = Measured()
    assert measured.describe() == {"source_fps": None, "source": None}

    measured.opened(UNKNOWN)

    assert measured.describe() == {
        "source_fps": None,
        "source": {
            "width": 1280,
            "height": 720,
            "codec": "h264",
            "fps": None,
            "group": None,
            "kbps": None,
        },
    }


def test_claimed_rate_counts_until_it_is_measured(clock: FakeClock) -> None:
    """A device that claims 30 fps but delivers 15 in a dark room counts as 15 fps."""
    measured = Measured()
    measured.opened(SourceInfo(640, 480, 30.0, "MJPG", live=True))
    told = [measured.fps]

    measured.update(Figures(fps=15.02, kbps=8000.4, group=1), unchanged_info(measured))

    assert [*told, measured.fps] == [30, 15.0]
    source = measured.describe()["source"]
    assert (source["codec"], source["kbps"], source["group"]) == ("mjpeg", 8000, 1)


def test_small_fluctuations_are_not_announced(clock: FakeClock) -> None:
    """A minute of a steady camera gives two announcements: first figures, then exact ones."""
    measured = Measured()
    measured.opened(UNKNOWN)
    chance = random.Random(1)
    told = 0
    for tick in range(240):
        clock.advance(0.25)
        spread = 0.04 if tick < 16 else 0.01
        fps = 30 * (1 + chance.uniform(-spread, spread))
        told += measured.update(
            Figures(fps, 2000 * chance.uniform(0.9, 1.1), 60), unchanged_info(measured)
        )

    assert told <= 2
    assert measured.fps == pytest.approx(30, rel=0.02)


def test_change_is_announced_within_seconds(clock: FakeClock) -> None:
    """Changes are announced within seconds, but no more often, however fast they come."""
    measured = Measured()
    measured.opened(UNKNOWN)
    told = sum(measured.update(Figures(fps=30.0), unchanged_info(measured)) for _ in range(2))
    for tick in range(40):
        clock.advance(0.25)
        told += measured.update(Figures(fps=30.0 if tick % 2 else 10.0), unchanged_info(measured))

    assert 2 <= told <= 3


def test_reconnected_source_keeps_its_rate(clock: FakeClock) -> None:
    """A slow camera that comes back must not count as stalled until it is measured again."""
    measured = Measured()
    measured.opened(UNKNOWN)
    measured.update(Figures(fps=0.1, kbps=50, group=1), unchanged_info(measured))

    measured.closed()
    measured.opened(UNKNOWN)
    measured.update(Figures(), unchanged_info(measured))

    assert measured.fps == 0.1


def test_size_follows_the_pictures(clock: FakeClock) -> None:
    """The announced size follows a source that changes it mid-stream."""
    measured = Measured()
    measured.opened(UNKNOWN)

    measured.size = 640, 360

    assert measured.describe()["source"]["width"] == 640


def test_polled_source_has_no_rate_of_its_own(clock: FakeClock) -> None:
    """The measured rate is only that of the requests."""
    measured = Measured()
    measured.opened(SourceInfo(640, 480, 0.0, "mjpeg", live=False, polled=True))

    measured.update(Figures(fps=1.0, kbps=300, group=1), unchanged_info(measured))

    assert measured.describe()["source_fps"] is None


def test_film_of_one_picture_loses_its_rate(clock: FakeClock) -> None:
    """Only at its end does a file turn out to be one picture; its 25 fps were never real."""
    measured = Measured()
    film = SourceInfo(640, 480, 25.0, "h264", live=False)
    measured.opened(film)

    told = measured.update(Figures(), replace(film, fps=0.0, polled=True, still=True))
    measured.update(Figures(fps=1.0, kbps=5, group=1), unchanged_info(measured))

    assert told
    assert measured.polled
    source = measured.describe()["source"]
    assert (source["fps"], source["kbps"], source["group"]) == (None, None, None)


def test_size_is_announced_when_it_becomes_known(clock: FakeClock) -> None:
    """A stream joined between two key frames learns its size late, after its rate was measured."""
    measured = Measured()
    unsized = replace(UNKNOWN, width=0, height=0)
    measured.opened(unsized)
    measured.update(Figures(fps=15.0, kbps=800, group=30), unsized)

    told = measured.update(Figures(fps=15.0, kbps=800, group=30), UNKNOWN)

    assert told
    source = measured.describe()["source"]
    assert (source["width"], source["height"], source["fps"]) == (1280, 720, 15.0)
