"""The film checker finds faults in pictures."""

import cv2
import numpy as np
import pytest

from bench.support.film import Film, Screen, Shown, to_full_range
from server.capture.frames.encoding import encoding_of
from server.capture.streams.units.encoder import VideoEncoder
from tests.support.cameras.films import make_film
from tests.support.cameras.units import encoded_in

OPTIONS = ("-c:v", "libx264", "-bf", "2", "-g", "12", "-pix_fmt", "yuv420p")
SOURCE = "testsrc2=size=320x180:rate=25,hue=s=0"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    folder = tmp_path_factory.mktemp("film")
    return Film(make_film(folder / "film.mp4", "-t", "1", *OPTIONS, source=SOURCE))


def shown_of(film: Film, *left_out: int, jpeg: np.ndarray | None = None) -> Shown:
    """Return what a viewer shows if sent the film without some units, and a JPEG."""
    screen, shown = Screen(film), Shown()
    for seq, unit in enumerate(encoded_in(film.path), 1):
        if seq not in left_out:
            screen.take({"seq": seq, "codec": unit.codec}, unit.data)
    if jpeg is not None:
        screen.take({"seq": 30}, cv2.imencode(".jpg", jpeg)[1].tobytes())
    screen.judge(shown, screen.places(), 24.0)
    return shown


def test_complete_film_is_identical(film: Film) -> None:
    """Every picture is identical, although B-frames are decoded out of order."""
    shown = shown_of(film, jpeg=film.pictures[4])

    assert shown.units == shown.identical == 25
    assert shown.faults == []
    assert shown.jpegs == 1


def test_missing_unit_is_detected(film: Film) -> None:
    """A picture decoded without the one before it differs."""
    shown = shown_of(film, 5)

    assert shown.identical < 24
    assert shown.faults


def test_grey_or_torn_jpeg_is_a_fault(film: Film) -> None:
    """A JPEG of a single colour, or with half of it from elsewhere, is a fault."""
    grey = np.full((180, 320), 128, np.uint8)
    torn = film.pictures[4].copy()
    torn[90:] = torn[:90]

    for wrong in (grey, torn):
        assert len(shown_of(film, jpeg=wrong).faults) == 1


def test_reencoded_video_is_compared_by_content(film: Film) -> None:
    """A viewer that cannot keep up is sent re-encoded video, whose bytes differ from the film's.
    Five such pictures once counted as five faults."""
    grey = [to_full_range(one, one.shape) for one in film.pictures[:5]]
    torn = [np.vstack((one[90:], one[:90])) for one in grey]
    faults = []
    for pictures in (grey, torn):
        encoder, screen, shown = (
            VideoEncoder(encoding_of(160, (320, 180)), 25),
            Screen(film),
            Shown(),
        )
        for seq, one in enumerate(pictures, 1):
            unit = encoder.encode(encoder.scale(cv2.merge([one] * 3)))
            screen.take({"seq": seq, "codec": unit.codec, "rendition": "160"}, unit.data)
        screen.judge(shown, {1: 0}, 24.0)
        faults.append(len(shown.faults))
        assert (shown.units, shown.encoded) == (0, 5)

    assert faults == [0, 5]
