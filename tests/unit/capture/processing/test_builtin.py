"""The built-in processors on real pictures, and the runner."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from server.capture.frames.frame import Image
from server.capture.processing.builtin.lettering import Lettering, find_unreadable
from server.capture.processing.info import Info
from server.capture.processing.runner import Facts, ProcessorRunner
from server.capture.sources.testpattern import TestPattern
from server.config.processors import Processor, parse_processors

SIZE = (720, 1280)


@pytest.fixture(scope="module")
def pattern() -> Image:
    """A 720p frame of the test pattern."""
    source = TestPattern("test")
    assert source.grab()
    return np.array(source.retrieve())


def run(text: str, *images: Image, at: float = 1_700_000_000.25) -> tuple[Image, list[str]]:
    """Run a built-in processor on pictures; return the last result and the errors."""
    runner = ProcessorRunner(enumerate(parse_processors([text], Path())), "door", "Front door")
    errors = []
    for seq, image in enumerate(images):
        done, outcomes = runner.run(image, Facts(seq, at + seq / 30, 30.0, 1), [0])
        errors += [outcome.error for outcome in outcomes if outcome.error]
    return done, errors


def changed(before: Image, after: Image) -> tuple[float, float, float, float]:
    """Return the area that was drawn on, as fractions of the picture."""
    rows, columns = np.nonzero((before != after).any(axis=2))
    height, width = before.shape[:2]
    return (
        columns.min() / width,
        rows.min() / height,
        (columns.max() + 1) / width,
        (rows.max() + 1) / height,
    )


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
@pytest.mark.parametrize("text", ["timestamp?corner={}", "caption?text=Tür+3&corner={}"])
def test_text_is_drawn_in_its_corner(pattern: Image, text: str, corner: str) -> None:
    """Text is drawn in its corner, and nowhere else."""
    done, errors = run(text.format(corner), pattern.copy())

    left, top, right, bottom = changed(pattern, done)
    assert not errors
    assert (bottom < 0.1) if corner.startswith("top") else (top > 0.9)
    assert (right < 0.4) if corner.endswith("left") else (left > 0.6)


def test_timestamp_shows_the_capture_time(pattern: Image) -> None:
    """The timestamp shows when the picture was captured, not when it was drawn."""
    one, _ = run("timestamp?zone=utc", pattern.copy(), at=1_700_000_000.0)
    same, _ = run("timestamp?zone=utc", pattern.copy(), at=1_700_000_000.04)
    later, _ = run("timestamp?zone=utc", pattern.copy(), at=1_700_000_000.14)

    np.testing.assert_array_equal(one, same)
    assert (one != later).any()


@pytest.mark.parametrize("size", [(16, 16), (48, 64), (2160, 3840)])
@pytest.mark.parametrize(
    "text",
    [
        "timestamp",
        "caption?text=A+rather+long+caption&corner=bottom-right",
        "motion",
        "mask?x=0.5&y=0.5&width=0.5&height=0.5",
    ],
)
def test_processors_accept_every_picture_size(text: str, size: tuple[int, int]) -> None:
    """Built-in processors work on the smallest possible picture and on the largest usual one."""
    image = np.full((*size, 3), 128, np.uint8)

    done, errors = run(text, image, image)

    assert not errors
    assert done.shape == (*size, 3)


def test_mask_hides_everything_beneath_it(pattern: Image) -> None:
    """Two different pictures are equal where they are masked, including at the edges."""
    mask = "mask?x=0.101&y=0.203&width=0.3&height=0.4"
    one, _ = run(mask, pattern.copy())
    other, _ = run(mask, 255 - pattern)

    rows, columns = np.nonzero((one == other).all(axis=2))
    assert rows.min() <= 0.203 * 720
    assert rows.max() + 1 >= 0.603 * 720
    assert columns.min() <= 0.101 * 1280
    assert columns.max() + 1 >= 0.401 * 1280
    assert len(rows) == (rows.max() + 1 - rows.min()) * (columns.max() + 1 - columns.min())
    np.testing.assert_array_equal(one[:140], pattern[:140])


def still(seed: int, box: tuple[int, int] | None = None) -> Image:
    """Return a noisy grey picture with a bright box at this position."""
    noise = np.random.default_rng(seed).integers(100, 110, (*SIZE, 3), np.uint8)
    if box:
        noise[box[1] : box[1] + 120, box[0] : box[0] + 120] = 240
    return noise


def test_motion_gets_a_box() -> None:
    """A new object gets a box around it, and nothing else does."""
    after = still(9, (600, 300))
    done, errors = run("motion", *(still(n) for n in range(5)), after.copy())

    left, top, right, bottom = changed(after, done)
    assert not errors
    assert 0.42 < left < 600 / 1280
    assert 720 / 1280 < right < 0.6
    assert 0.35 < top < 300 / 720
    assert 420 / 720 < bottom < 0.65


def test_noise_and_small_objects_get_no_box() -> None:
    """Sensor noise and objects below the minimum area get no box."""
    quiet, speck = still(9), still(9, (600, 300))

    np.testing.assert_array_equal(
        run("motion", *(still(n) for n in range(5)), quiet.copy())[0], quiet
    )
    np.testing.assert_array_equal(
        run("motion?min_area=20", *(still(n) for n in range(5)), speck.copy())[0], speck
    )


# The runner, with users' functions.

Function = Callable[[Image, Info], object]


def runner_of(monkeypatch: pytest.MonkeyPatch, *functions: Function) -> ProcessorRunner:
    """Return a runner of functions that were not imported."""
    monkeypatch.setattr(
        "server.capture.processing.runner.load_function", lambda one: functions[int(one.function)]
    )
    return ProcessorRunner(
        ((n, Processor(str(n), str(n), "mine")) for n in range(len(functions))), "door", "Door"
    )


FACTS = Facts(7, 1.5, 30.0, 1)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([1, 2], "returned list;"),
        (np.zeros((4, 4), np.uint8), "returned uint8 (4, 4);"),
        (np.zeros((4, 4, 4), np.uint8), "returned uint8 (4, 4, 4);"),
        (np.zeros((4, 4, 3), np.float64), "returned float64 (4, 4, 3);"),
        (np.zeros((0, 4, 3), np.uint8), "returned an empty picture"),
        (np.lib.stride_tricks.as_strided(np.zeros(3, np.uint8), (9000, 4, 3), (0, 0, 1)), "8192"),
    ],
)
def test_invalid_results_are_rejected(
    monkeypatch: pytest.MonkeyPatch, made: object, said: str
) -> None:
    """An unusable result is an error that says what it was; the picture continues unchanged."""
    runner = runner_of(monkeypatch, lambda image, info: made)
    image = np.zeros((48, 64, 3), np.uint8)

    done, (outcome,) = runner.run(image, FACTS, [0])

    assert said in outcome.error
    assert done is image


def test_processors_may_draw_or_return(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor may draw in place, or return the same picture or another one."""

    def draw(image: Image, info: Info) -> None:
        image[0] = 1

    def same(image: Image, info: Info) -> Image:
        image[1] = 2
        return image

    def smaller(image: Image, info: Info) -> Image:
        view = image[:32, ::-1]
        view.flags.writeable = False
        return view

    def again(image: Image, info: Info) -> None:
        image[2] = info.width

    runner = runner_of(monkeypatch, draw, same, smaller, again)

    done, outcomes = runner.run(np.zeros((48, 64, 3), np.uint8), FACTS, [0, 1, 2, 3])

    assert not any(outcome.error for outcome in outcomes)
    assert done.shape == (32, 64, 3)
    assert [done[row, 0, 0] for row in range(4)] == [1, 2, 64, 0]


def test_processor_error_names_its_line_and_is_contained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors, even exit(), affect only their processor; the others still run."""

    def wrong(image: Image, info: Info) -> None:
        raise ValueError("no such\nluck")

    def leave(image: Image, info: Info) -> None:
        raise SystemExit(3)

    runner = runner_of(monkeypatch, wrong, leave, lambda image, info: image + 1)

    done, outcomes = runner.run(np.zeros((48, 64, 3), np.uint8), FACTS, [0, 1, 2])

    first, second, third = (outcome.error for outcome in outcomes)
    assert first.startswith("raised ValueError: no such luck (test_builtin.py, line ")
    assert second.startswith("raised SystemExit: 3")
    assert third == ""
    assert done.min() == 1


def test_state_is_kept_until_the_source_reopens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each processor has its own dict for as long as the source is open."""
    seen: list[int] = []

    def count(image: Image, info: Info) -> None:
        info.state["n"] = info.state.get("n", 0) + 1
        seen.append(info.state["n"])

    runner = runner_of(monkeypatch, count, count)
    for life in (1, 1, 2):
        runner.run(np.zeros((4, 4, 3), np.uint8), FACTS._replace(life=life), [0, 1])

    assert seen == [1, 1, 2, 2, 1, 1]


@pytest.mark.parametrize(
    ("text", "unreadable"),
    [
        ("Tür 3 – 21.5 °C?", ""),
        ("Ελληνικά, Кириллица, Tiếng Việt", ""),
        ("日本語 中文 한국어", ""),
        ("door שלום", "שלום"),
        ("مرحبا", "مرحبا"),
        ("camera 😀 on 🎥", "😀🎥"),
        ("ไทย", "ไทย"),
        ("x\u0331", "\u0331"),
    ],
)
def test_unreadable_characters_are_found(text: str, unreadable: str) -> None:
    """Characters that would be drawn wrongly are found: Hebrew reversed, an emoji as ``?``."""
    assert find_unreadable(text) == unreadable


@pytest.mark.parametrize("corner", ["top-left", "bottom-right"])
@pytest.mark.parametrize("length", [3, 40, 80])
def test_long_text_is_not_cut_off_at_the_edge(corner: str, length: int) -> None:
    """A long line is drawn smaller, then ends in an ellipsis; it used to be cut off mid-word."""
    image = np.full((240, 320, 3), 80, np.uint8)

    Lettering(corner).write(image, "W" * length)

    written = (image != 80).any(axis=(0, 2))
    assert written.any()
    assert not written[[0, -1]].any(), "it touches an edge"


def test_combining_accents_are_merged_with_their_letters() -> None:
    """Combining accents, as in text from macOS, are merged with their letters."""
    (caption,) = parse_processors(["caption?text=Cafe\u0301"], Path())

    assert caption.options["text"] == "Café"
