"""Clips on a full disk: a real one, small enough to fill."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from server.capture.frames.unit import JPEG, Unit
from server.recording.media.jobs import ClipJobs
from server.recording.media.process import MediaProcess
from tests.support.cameras.units import make_units
from tests.support.recordings.small_disk import SmallDisk, assert_plays

BEGIN = 1e6
WHOLE = (BEGIN, BEGIN + 100)


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Unit]]:
    """A second of units to copy, and of units to encode."""
    noise = np.random.default_rng(1)
    pictures = [
        cv2.imencode(".jpg", noise.integers(0, 255, (180, 320, 3), np.uint8))[1].tobytes()
        for _ in range(10)
    ]
    jpeg = [
        Unit(data, True, seq, BEGIN + 0.1 * seq, JPEG, 320, 180)
        for seq, data in enumerate(pictures)
    ]
    return {"copied": make_units(tmp_path_factory.mktemp("film"), 1), "encoded": jpeg}


@pytest.fixture(scope="module")
def media() -> Iterator[MediaProcess]:
    """The process that encodes."""
    process = MediaProcess()
    yield process
    process.close()


@pytest.mark.parametrize("how", ["copied", "encoded"])
def test_clip_reports_a_full_disk(
    how: str,
    units: dict[str, list[Unit]],
    media: MediaProcess,
    small_disk: Callable[[Path, int], SmallDisk],
    tmp_path: Path,
) -> None:
    """The clip fails with that reason and leaves nothing behind; the next one works."""
    disk = small_disk(tmp_path / "state", 2)
    jobs = ClipJobs(disk.folder / "clips", media)
    (disk.folder / "clips").mkdir(mode=0o700)
    disk.fill(leaving=8192)

    full = jobs.begin("ada", "door", WHOLE, units[how])
    assert full.wait(30)
    left = list((disk.folder / "clips").iterdir())
    disk.empty()
    again = jobs.begin("ada", "door", WHOLE, units[how])
    assert again.wait(30)

    assert (full.done, full.error) == (False, "No space left on device")
    assert left == []
    assert (again.done, again.error) == (True, None)
    assert assert_plays(again.path) == pytest.approx(1.0, abs=0.1)
    jobs.close()
