"""Reads a source in the server's process; only for one that can neither hang nor crash."""

import time
from collections.abc import Mapping
from typing import Any

from server.capture.devices.controls import ControlInfo, Value, set_controls
from server.capture.frames.event_report import EventReport
from server.capture.motion.change import ChangeDetector
from server.capture.sources.reader import AT_ONCE, MAX_READ_S, Demand, Reading, is_due
from server.capture.sources.source import Source

__all__ = ["LocalReader"]


class LocalReader:
    """Reads a source in the caller's thread.

    Args:
        source: The source; :meth:`close` closes it too.
    """

    def __init__(self, source: Source) -> None:
        self.info = source.info
        self._source = source
        self.figures = source.arrivals.figures
        self._change = ChangeDetector()
        self.controls: tuple[ControlInfo, ...] = source.controls()

    def set_controls(self, values: Mapping[str, Value]) -> dict[str, str]:
        """Set controls; see :class:`Reader`."""
        refused = set_controls(self._source, values)
        self.info, self.controls = self._source.info, self._source.controls()
        return refused

    def read(self, demand: Demand) -> Reading | None:
        """Grab pictures until one is due, and decode only that one; see :class:`Reader`."""
        deadline = time.monotonic() + MAX_READ_S
        skipped: Reading | None = None
        while time.monotonic() < deadline and (self._source.grab() or self._is_requested(demand)):
            at_unix = time.time()
            self.figures = self._source.arrivals.figures
            if is_due(demand):
                picture = self._source.retrieve(demand.jpeg_up_to(), demand.pixels_from())
                if picture is None:
                    continue
                if not demand.changed or self._change.is_worth_sending(picture):
                    return Reading(picture, at_unix)
            skipped = Reading(None, at_unix)
        return skipped

    def _is_requested(self, demand: Demand) -> bool:
        """Return whether a picture is requested out of turn and the source can make one."""
        return self.info.on_request and demand.due() == AT_ONCE

    def accept_any_picture(self) -> None:
        """Do nothing: every picture is decoded by itself."""

    def set_videos(self, _wanted: Mapping[str, Any], _fd: int = -1) -> bool:
        """Return False: video is encoded in child processes only."""
        return False

    def request_key(self, _track: int) -> bool:
        """Return False: there is no video."""
        return False

    def set_motion(self, _wanted: Mapping[str, Any] | None) -> bool:
        """Return False: motion is not detected here."""
        return False

    def take_event_reports(self) -> list[EventReport]:
        """Return nothing: there are no events here."""
        return []

    def pause(self) -> None:
        """Pause the measurements; the source itself stands still between two reads."""
        self._source.arrivals.pause()

    def close(self) -> None:
        """Close the source."""
        self._source.close()
