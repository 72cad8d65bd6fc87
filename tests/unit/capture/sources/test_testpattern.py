"""The synthetic camera."""

import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from server.capture.sources.testpattern import CELLS, TestPattern, read_time
from server.config.address import parse_address

ROOT = Path(__file__).resolve().parents[4]

SIZES = [(128, 72), (320, 240), (640, 360), (1280, 720), (722, 1280)]
AT = 1_700_000_123.456


@pytest.mark.parametrize("size", SIZES)
def test_time_is_read_back(size: tuple[int, int]) -> None:
    """A picture's pixels contain its time to the millisecond."""
    image = TestPattern("door", size).render(AT)

    assert image.shape == (size[1], size[0], 3)
    assert image.dtype == np.uint8
    assert read_time(image) == AT


IN_THE_SERVER = """
import manage  # First: it makes the standard library green.
import gc
from greenlet import greenlet
from server.loop import native
from server.capture.sources.testpattern import TestPattern

counts = []

def count():
    kinds = (one for one in gc.get_objects() if issubclass(type(one), greenlet))
    counts.append(sum(one.parent is None for one in kinds))

def open_it():
    count()
    TestPattern("door", (128, 72), noise=0.05)
    count()

thread = native.threading.Thread(target=open_it)
thread.start()
thread.join()
assert counts[0] == counts[1], counts
"""


def test_opening_creates_no_greenlet() -> None:
    """The pattern is opened on native threads, where a green lock would leave a greenlet behind."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IN_THE_SERVER],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("quality", [30, 80])
@pytest.mark.parametrize("size", [(320, 240), (1280, 720)])
def test_time_survives_jpeg(size: tuple[int, int], quality: int) -> None:
    """The time can still be read from the JPEG that a viewer receives."""
    image = TestPattern("door", size, noise=0.05).render(AT)

    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])

    assert read_time(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)) == AT


def test_rendering_needs_no_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """All characters are drawn at the start; otherwise each thread would unpack a font."""
    pattern = TestPattern("door", (320, 180))
    pattern.render(AT)
    monkeypatch.setattr(cv2, "putText", None)

    pictures = [pattern.render(AT + 0.7 * number) for number in range(60)]

    assert [read_time(one) for one in pictures[-3:]] == pytest.approx(
        [AT + 0.7 * number for number in (57, 58, 59)], abs=0.002
    )


def test_damaged_time_is_not_read() -> None:
    """A flipped cell fails the checksum instead of giving a wrong time."""
    image = TestPattern("door", (640, 360)).render(AT)
    side = 640 // 64

    for cell in range(CELLS):
        damaged = image.copy()
        left = (4 + cell) * side
        damaged[4 * side : 5 * side, left : left + side] ^= 255

        assert read_time(damaged) is None


@pytest.mark.parametrize("shape", [(1, 1, 3), (48, 40, 3), (10, 640, 3)])
def test_picture_too_small_for_a_time_has_none(shape: tuple[int, int, int]) -> None:
    """A picture that cannot hold the strip has no time."""
    assert read_time(np.zeros(shape, np.uint8)) is None


def test_picture_depends_only_on_its_time() -> None:
    """Pictures of the same moment are equal, and those of different moments differ."""
    pattern = TestPattern("door", (320, 240))

    first, again, later = pattern.render(AT), pattern.render(AT), pattern.render(AT + 0.1)

    assert np.array_equal(first, again)
    assert not np.array_equal(first, later)


@pytest.mark.parametrize("size", [(640, 360), (64, 48), (200, 600), (1920, 300), (333, 217)])
def test_earlier_pictures_leave_no_trace(size: tuple[int, int]) -> None:
    """Earlier drawings are wiped, whatever the shape of the picture."""
    used = TestPattern("door", size)
    for step in range(40):
        used.render(AT + 0.737 * step)

    assert np.array_equal(used.render(AT), TestPattern("door", size).render(AT))


def test_kept_pictures_are_not_overwritten() -> None:
    """Memory is reused only when nothing refers to it, not even to part of it."""
    pattern = TestPattern("door", (320, 180), noise=0.1)
    kept = []
    for step in range(40):
        image = pattern.render(AT + step)
        part = image if step % 2 else image[20:160:3]
        if step % 3:
            kept.append((part, part.copy()))
        del image, part

    assert all(np.array_equal(part, copy) for part, copy in kept)


@pytest.mark.parametrize("size", [(160, 90), (320, 180), (320, 240), (480, 270), (1280, 720)])
def test_text_stays_within_the_ring(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters have a minimum size: in a picture 320 pixels wide, the date overlapped the ring."""
    longest = 1_795_608_000.0  # A Wednesday in November.
    full = TestPattern("door", size).render(longest).astype(int)
    monkeypatch.setattr(TestPattern, "_write_in_ring", lambda *_: None)
    bare = TestPattern("door", size).render(longest).astype(int)

    rows, columns = np.nonzero(np.abs(full - bare).max(axis=-1) > 16)
    away = np.hypot(columns - size[0] // 2, rows - int(size[1] * 0.49))
    unit = min(size[0] / 1280, size[1] / 720)

    assert away.max(initial=0) < 200 * unit
    assert (size == (160, 90)) or len(away)


def test_noise_makes_jpeg_bigger() -> None:
    """Noise makes the picture as hard to encode as a dim room."""
    sizes = []
    for noise in (0.0, 0.1):
        image = TestPattern("door", (640, 360), noise=noise).render(AT)
        sizes.append(len(cv2.imencode(".jpg", image)[1]))

    assert sizes[1] > 2 * sizes[0]


def test_options_reach_the_pattern() -> None:
    """The pattern is created with the options after ``test:?``."""
    address = parse_address("test:?size=640x360&fps=12.5&noise=0.25", Path())

    options = TestPattern.read_options(address.options)

    assert options == {"size": (640, 360), "fps": 12.5, "noise": 0.25}
    assert TestPattern.read_options({}) == {}


def test_grabbing_keeps_the_pace() -> None:
    """Pictures become due at the pattern's rate, each with its rendering time."""
    pattern = TestPattern("door", (128, 72), fps=120)
    started = time.monotonic()

    for _ in range(13):
        while not pattern.grab():
            pass
    took_s = time.monotonic() - started
    at_unix = read_time(pattern.retrieve())

    assert took_s >= 12 / 120 - 0.02
    assert at_unix is not None
    assert abs(time.time() - at_unix) < 0.5
    pattern.close()
