"""A day of recordings and events, made in seconds: real files with times long ago."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from server.capture.frames.unit import Unit
from server.recording.disk.event_file import write_event
from server.recording.disk.index import Event
from server.recording.disk.layout import add_folders, event_id, recording_id, recording_path
from server.recording.disk.recording_file import Parts, RecordingFile, examine, head_of
from server.recording.disk.segmenter import Begin, End, Fragment, Segmenter
from server.users.private import open_private

__all__ = ["DAY_S", "Template", "add_day"]

DAY_S = 86400.0


class Template:
    """One recording, from which files with other times are made by rewriting the head.

    Args:
        units: Access units for one file.
        folder: Where its own file goes.
    """

    def __init__(self, units: Sequence[Unit], folder: Path) -> None:
        segmenter = Segmenter()
        segmenter.reason = "always"
        path = folder / "template.mp4"
        steps = [step for unit in units for step in segmenter.put(unit)]
        file: RecordingFile | None = None
        for step in (*steps, *segmenter.end()):
            if isinstance(step, Begin):
                self._begin, head = step, head_of(step, "")
                file = RecordingFile(path, head)
            elif isinstance(step, Fragment):
                assert file is not None
                file.append(step.parts, step.ticks, step.key)
            elif isinstance(step, End) and file is not None:
                file.close()
        self._fragments = path.read_bytes()[len(head) :]
        descriptor = os.open(path, os.O_RDONLY)
        facts, self._parts = examine(descriptor)
        os.close(descriptor)
        self.seconds = facts.end_unix - facts.begin_unix

    def write(self, media: Path, camera: str, begin_unix: float) -> str:
        """Write a recording of a camera, and return its id."""
        key = recording_id(camera, begin_unix)
        path = recording_path(media, key)
        assert path is not None
        add_folders(media, path.parent)
        first = replace(self._begin.first, at_unix=begin_unix)
        head = head_of(replace(self._begin, first=first), camera)
        with open(open_private(path, os.O_RDWR), "r+b", buffering=0) as file:
            file.write(head)
            file.write(self._fragments)
            parts = Parts(head.index(b"sidx") - 4, head.index(b"mehd") - 4)
            parts.sizes, parts.ticks = self._parts.sizes, self._parts.ticks
            parts.write(file.fileno())
        return key


def add_day(
    media: Path,
    template: Template,
    cameras: Sequence[str],
    begin_unix: float,
    seconds: float = DAY_S,
    events: int = 0,
    jpeg: bytes = b"",
) -> int:
    """Write the recordings of cameras that always record; return the number of files.

    Args:
        media: The folder of recordings.
        template: The content of each file.
        cameras: Their names.
        begin_unix: When the day begins.
        seconds: The day's length.
        events: The number of events of each camera.
        jpeg: The picture of each event.
    """
    count = int(seconds / template.seconds)
    for camera in cameras:
        for number in range(count):
            template.write(media, camera, begin_unix + number * template.seconds)
        for number in range(events):
            at = begin_unix + (number + 0.5) * seconds / events
            event = Event(
                *(event_id(camera, at), camera, "motion", at, at + 8, 0.5, (0.2, 0.3, 0.2, 0.2)),
                picture=True,
            )
            write_event(media, event, jpeg)
    return count * len(cameras)
