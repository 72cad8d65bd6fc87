"""Recordings and events on disk, as a server writes them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from server.capture.frames.unit import Unit
from server.recording.disk.layout import recording_id, recording_path
from server.recording.disk.recording_file import RecordingFile, head_of
from server.recording.disk.segmenter import Begin, Fragment, Segmenter

__all__ = ["write_recording"]


def write_recording(
    media: Path, units: Sequence[Unit], camera: str, begin_unix: float, film: str = ""
) -> Path:
    """Write a recording as a server does, from units or a film; return the file."""
    path = recording_path(media, recording_id(camera, begin_unix))
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    segmenter = Segmenter()
    segmenter.reason, segmenter.film = "timelapse" if film else "always", film
    moved = [replace(one, at_unix=one.at_unix - units[0].at_unix + begin_unix) for one in units]
    file: RecordingFile | None = None
    for step in (*(step for unit in moved for step in segmenter.put(unit)), *segmenter.end()):
        if isinstance(step, Begin):
            file = RecordingFile(path, head_of(step, camera))
        elif isinstance(step, Fragment):
            assert file is not None
            file.append(step.parts, step.ticks, step.key)
    assert file is not None
    file.close()
    return path
