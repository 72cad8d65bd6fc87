"""Detect pictures that show nothing new."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from server.capture.frames.frame import Image, Jpeg, Picture
from server.capture.frames.jpeg import inspect_jpeg
from server.capture.motion import change as change_module
from server.capture.motion.change import KEEP_ALIVE_S, ChangeDetector
from server.capture.sources.local import LocalReader
from server.capture.sources.reader import Demand
from tests.support.fakes import FakeClock, FakeSource, picture

Make = Callable[[Image], Picture]


def as_jpeg(image: Image) -> Jpeg:
    return inspect_jpeg(cv2.imencode(".jpg", image)[1].tobytes())[0]


@pytest.fixture(params=[lambda image: image, as_jpeg], ids=["pixels", "jpeg"])
def make(request: pytest.FixtureRequest) -> Make:
    """Make a picture of either kind."""
    made: Make = request.param
    return made


@pytest.fixture(autouse=True)
def paced(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> FakeClock:
    """A clock that the test advances."""
    monkeypatch.setattr(change_module, "time", clock)
    return clock


def room(seed: int, sigma: float = 6.0) -> Image:
    """Return the same dim room with new noise."""
    noise = np.random.default_rng(seed).normal(60, sigma, (360, 640, 3))
    return noise.clip(0, 255).astype(np.uint8)


def test_noise_is_not_a_change(make: Make, clock: FakeClock) -> None:
    """Sensor noise changes every picture, but none of them is worth sending."""
    change = ChangeDetector()

    sent = []
    for seed in range(20):
        sent.append(change.is_worth_sending(make(room(seed))))
        clock.advance(KEEP_ALIVE_S / 30)

    assert sent == [True] + [False] * 19


@pytest.mark.parametrize("corner", [(0, 0), (100, 300), (340, 620)])
def test_small_object_is_a_change(make: Make, corner: tuple[int, int]) -> None:
    """A new object of 16 pixels is seen immediately, wherever it is."""
    change = ChangeDetector()
    change.is_worth_sending(make(room(1)))
    y, x = corner
    changed = room(2)
    changed[y : y + 16, x : x + 16] += 60

    assert change.is_worth_sending(make(changed))
    assert not change.is_worth_sending(make(changed))


def test_gradual_dimming_is_a_change(make: Make, clock: FakeClock) -> None:
    """Changes too slow to be seen between two pictures add up."""
    change = ChangeDetector()

    sent = []
    for step in range(40):
        sent.append(change.is_worth_sending(make(np.full((360, 640, 3), 90 - step, np.uint8))))
        clock.advance(KEEP_ALIVE_S / 1000)

    assert 3 <= sum(sent) <= 8


def test_unchanged_picture_is_sent_once_a_second(make: Make, clock: FakeClock) -> None:
    """An unchanged picture is sent once a second, so that viewers see that the camera is live."""
    change = ChangeDetector()
    still = make(room(1))

    sent = []
    for _ in range(100):
        sent.append(change.is_worth_sending(still))
        clock.advance(0.1)

    assert sum(sent) == 10


def test_new_size_is_a_change() -> None:
    """Pictures that cannot be compared count as different."""
    change = ChangeDetector()
    change.is_worth_sending(picture(64, 48))

    assert change.is_worth_sending(picture(32, 24))


def test_undecodable_picture_is_passed_on() -> None:
    """A picture that cannot be decoded is sent; other code reports the fault."""
    change = ChangeDetector()

    assert change.is_worth_sending(Jpeg(b"\xff\xd8\xff\xd9", 64, 48, 80))
    assert change.is_worth_sending(Jpeg(b"\xff\xd8\xff\xd9", 64, 48, 80))


def test_reader_skips_unchanged_pictures() -> None:
    """Unchanged pictures count as arrived but are not returned."""
    source = FakeSource()
    source.give(picture(), picture(), picture())
    reader = LocalReader(source)
    demand = Demand(due=lambda: 0.0, jpeg_up_to=lambda: 0, changed=True)

    first, second = reader.read(demand), reader.read(demand)

    assert first is not None
    assert first.picture is not None
    assert second is not None
    assert second.picture is None
    assert source.decoded == 3
