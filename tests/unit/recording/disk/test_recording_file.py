"""Recordings as files: they play at any time, describe themselves, and are repaired."""

import errno
import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from server.capture.frames.unit import Unit
from server.errors import PictureError
from server.recording.disk.recording_file import (
    Parts,
    RecordingFile,
    head_of,
    is_being_written,
    read_facts,
    repair,
    set_locked,
)
from server.recording.disk.segmenter import Begin, Fragment, Segmenter
from tests.support.cameras.units import make_units


def write(path: Path, units: Iterable[Unit]) -> RecordingFile:
    """Write a recording and leave it open."""
    segmenter = Segmenter()
    segmenter.reason = "always"
    file: RecordingFile | None = None
    steps = [step for unit in units for step in segmenter.put(unit)]
    for step in (*steps, *segmenter.end()):
        if isinstance(step, Begin):
            file = RecordingFile(path, head_of(step, "door"))
        elif isinstance(step, Fragment):
            assert file is not None
            file.append(step.parts, step.ticks, step.key)
    assert file is not None
    return file


def probe(path: Path, *more: str) -> dict[str, Any]:
    """Return what ffprobe says, also of ``more``; it must not find any fault."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-of", "json"]
    entries = ["stream=nb_read_frames,duration", "packet=pts_time,flags"]
    wanted = ["-show_entries", ":".join([*entries, *(f"{one}=pts_time" for one in more)])]
    ended = subprocess.run([*command, *wanted, str(path)], capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_open_file_is_playable(film: list[Unit], tmp_path: Path) -> None:
    """An open file has every picture, its length, and its capture times."""
    path = tmp_path / "one.mp4"
    file = write(path, film)

    found = probe(path)
    packets = found["packets"]

    assert found["streams"][0]["nb_read_frames"] == str(len(film))
    assert float(found["streams"][0]["duration"]) == pytest.approx(4.0, abs=0.001)
    assert [float(one["pts_time"]) for one in packets] == pytest.approx(
        [one.at_unix - film[0].at_unix for one in film], abs=0.001
    )
    assert is_being_written(path)
    file.close()
    assert not is_being_written(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_b_frames_are_shown_at_their_times(tmp_path: Path) -> None:
    """They are sent after a picture that is shown later, also across the end of a fragment. The
    file states its length, and no picture is shown twice or too late."""
    options = ("-c:v", "libx264", "-bf", "3", "-b-pyramid", "normal", "-g", "60")
    quickly = ("-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x264-params", "b-adapt=0")
    units = make_units(
        *(tmp_path, 4, *options, *quickly), source="testsrc2=size=128x72:rate=25", timed=True
    )
    assert any(one.early_s for one in units)
    path = tmp_path / "one.mp4"
    write(path, units).close()

    found = probe(path, "frame")
    packets = found["packets_and_frames"]
    times = [float(one["pts_time"]) for one in packets if one["type"] == "frame"]
    sent = [float(one["pts_time"]) for one in packets if one["type"] == "packet"]

    shown = [one - times[0] for one in times]  # FFmpeg's time starts when the first one is decoded.
    assert shown == pytest.approx([0.04 * at for at in range(100)], abs=0.001)
    assert sent != sorted(sent)
    assert float(found["streams"][0]["duration"]) == pytest.approx(4.0, abs=0.001)
    assert read_facts(path).begin_unix == units[0].shown_unix


def test_players_seek_by_the_file_index(film: list[Unit], tmp_path: Path) -> None:
    """FFmpeg finds the key frame before a moment without reading what precedes it."""
    path = tmp_path / "one.mp4"
    write(path, film).close()
    command = ["ffprobe", "-v", "error", "-read_intervals", "2.5%+#1", "-of", "json"]
    wanted = ["-show_entries", "packet=pts_time,flags,pos", str(path)]
    ended = subprocess.run([*command, *wanted], capture_output=True, timeout=60, check=True)

    (packet,) = json.loads(ended.stdout)["packets"]

    assert 1.9 < float(packet["pts_time"]) <= 2.5
    assert packet["flags"].startswith("K")


def test_file_describes_itself(film: list[Unit], tmp_path: Path) -> None:
    """All that the index needs is in the file itself, including its lock."""
    path = tmp_path / "one.mp4"
    write(path, film).close()

    facts = read_facts(path)
    set_locked(path, locked=True)

    assert (facts.camera, facts.begin_unix, facts.reason) == ("door", film[0].at_unix, "always")
    assert facts.end_unix == film[0].at_unix + 4
    assert (facts.locked, facts.whole, facts.nbytes) == (False, True, path.stat().st_size)
    assert read_facts(path).locked
    assert probe(path)["streams"][0]["nb_read_frames"] == str(len(film))


@pytest.mark.parametrize("cut", [1, 500, 9000])
def test_a_torn_end_is_cut_off(film: list[Unit], tmp_path: Path, cut: int) -> None:
    """An incomplete fragment is removed; all others stay, and the file plays."""
    path = tmp_path / "one.mp4"
    write(path, film).close()
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.truncate(size - cut)

    torn = read_facts(path)
    mended = repair(path)

    assert not torn.whole
    assert mended.whole
    assert (mended.ticks, mended.nbytes) == (torn.ticks, torn.nbytes)
    assert 3.0 <= mended.end_unix - mended.begin_unix < 4.0
    assert path.stat().st_size == mended.nbytes < size
    assert read_facts(path) == mended
    frames = int(probe(path)["streams"][0]["nb_read_frames"])
    assert frames == round((mended.end_unix - mended.begin_unix) * 25)


def test_fragments_beyond_the_file_index_are_found(film: list[Unit], tmp_path: Path) -> None:
    """The process may be killed after a fragment and before the index is updated."""
    path, older = tmp_path / "one.mp4", tmp_path / "older.mp4"
    write(older, film[:60]).close()
    write(path, film).close()
    head = older.read_bytes()[:6000]
    index_at, ends_at = head.index(b"sidx") - 4, head.index(b"moof") - 4
    mehd_at = head.index(b"mehd") - 4
    with open(path, "r+b") as file:
        for begin, end in ((index_at, ends_at), (mehd_at, mehd_at + 20)):
            file.seek(begin)
            file.write(head[begin:end])

    facts = read_facts(path)

    assert not facts.whole
    assert facts.end_unix == film[0].at_unix + 4
    assert probe(path)["streams"][0]["nb_read_frames"] == str(len(film))
    assert repair(path).whole
    assert float(probe(path)["streams"][0]["duration"]) == pytest.approx(4.0, abs=0.001)


def test_fragment_that_cannot_be_indexed_is_removed(
    film: list[Unit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full copy-on-write disk may have space for it, but not for the file's own index.

    It is written again when there is space; it once was in the file twice.
    """
    path = tmp_path / "one.mp4"
    segmenter = Segmenter()
    steps = [step for unit in film for step in segmenter.put(unit)]
    *fragments, last = [step for step in (*steps, *segmenter.end()) if isinstance(step, Fragment)]
    assert isinstance(steps[0], Begin)
    file = RecordingFile(path, head_of(steps[0], "door"))
    for one in fragments:
        file.append(one.parts, one.ticks, one.key)
    before = path.read_bytes()
    write, tries = Parts.write, iter((False, True, True))

    def write_if_there_is_room(self: Parts, descriptor: int) -> None:
        if not next(tries):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, descriptor)

    monkeypatch.setattr(Parts, "write", write_if_there_is_room)
    with pytest.raises(OSError, match="No space"):
        file.append(last.parts, last.ticks, last.key)
    assert path.read_bytes() == before
    file.append(last.parts, last.ticks, last.key)
    file.close()

    assert probe(path)["streams"][0]["nb_read_frames"] == str(len(film))
    assert read_facts(path).whole


def test_file_that_is_not_a_recording_is_left_alone(film: list[Unit], tmp_path: Path) -> None:
    """Other files, and those without a picture, are not taken for recordings."""
    other = tmp_path / "other.mp4"
    for content in (b"", b"\0" * 5000, b"not at all"):
        other.write_bytes(content)
        with pytest.raises(PictureError):
            read_facts(other)
        with pytest.raises(PictureError):
            set_locked(other, locked=True)
        assert other.read_bytes() == content
    path = tmp_path / "one.mp4"
    segmenter = Segmenter()
    (begin,) = segmenter.put(film[0])
    assert isinstance(begin, Begin)
    RecordingFile(path, head_of(begin, "door"))
    with pytest.raises(PictureError):
        read_facts(path)
