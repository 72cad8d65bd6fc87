"""Turns processors' reports about pictures into event reports that begin, continue and end."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from server.capture.frames.event_report import EventReport
from server.capture.frames.frame import Frame
from server.capture.processing.report import Report
from server.errors import PictureError
from server.loop import hub

__all__ = ["Reports"]

log = logging.getLogger(__name__)

# A label that is not reported for this long has ended.
END_S = 2.0

# A continuing label is passed on at most once in this time, and only with a better picture.
SEND_INTERVAL_S = 1.0

# Further labels are ignored, and that is logged at most once in this time.
MAX_GOING = 16
LOG_EVERY_S = 60.0


class Reports:
    """Tracks the labels that processors report at one camera. Runs on the hub.

    Args:
        camera: Its name, for the log.
        on_event_report: Called when a label begins, has a better picture, or ends.
    """

    def __init__(self, camera: str, on_event_report: Callable[[EventReport], None]) -> None:
        self._camera = camera
        self._on_event_report = on_event_report
        self._ongoing: dict[str, _Ongoing] = {}
        self._logged_at = float("-inf")

    def take(self, reports: Sequence[Report], frame: Frame) -> None:
        """Take the reports about a picture.

        Args:
            reports: The reports.
            frame: The picture as people see it.
        """
        now = time.monotonic()
        strongest: dict[str, Report] = {}
        for report in sorted(reports, key=_strength):
            strongest[report.label] = report
        for report in strongest.values():
            ongoing = self._ongoing.get(report.label)
            if ongoing is not None:
                ongoing.at, ongoing.at_unix = now, frame.at_unix
            elif len(self._ongoing) < MAX_GOING:
                ongoing = self._ongoing[report.label] = _Ongoing(now, frame.at_unix)
                hub.call_later(END_S, self._check, report.label)
            else:
                self._log(report, now)
            if ongoing is not None and ongoing.is_worth_sending(report, now):
                ongoing.best, ongoing.sent_at = _strength(report), now
                hub.spawn(self._send, report, frame)

    def _send(self, report: Report, frame: Frame) -> None:
        label, score, box = report
        jpeg = hub.run_native(_encode, frame)
        if label in self._ongoing:
            self._on_event_report(EventReport(label, frame.at_unix, score, box, jpeg=jpeg))

    def _check(self, label: str) -> None:
        """End a label that was not reported for a while."""
        ongoing = self._ongoing[label]
        left_s = ongoing.at + END_S - time.monotonic()
        if left_s > 0:
            hub.call_later(left_s, self._check, label)
            return
        del self._ongoing[label]
        self._on_event_report(EventReport(label, ongoing.at_unix, ended=True))

    def _log(self, report: Report, now: float) -> None:
        if now - self._logged_at > LOG_EVERY_S:
            self._logged_at = now
            log.warning(
                "camera=%s processors report more than %d labels at once; %r is ignored",
                *(self._camera, MAX_GOING, report.label),
            )


@dataclass(slots=True)
class _Ongoing:
    """A label in progress.

    Attributes:
        at: When it was last reported, in monotonic seconds.
        at_unix: When that picture was captured, in Unix seconds.
        best: The highest score so far.
        sent_at: When it was last passed on, in monotonic seconds.
    """

    at: float
    at_unix: float
    best: float | None = None
    sent_at: float = float("-inf")

    def is_worth_sending(self, report: Report, now: float) -> bool:
        """Return whether to pass it on: it has just begun, or there is a better picture."""
        better = self.best is None or _strength(report) > self.best
        return better and now - self.sent_at >= SEND_INTERVAL_S


def _strength(report: Report) -> float:
    return 0.0 if report.score is None else report.score


def _encode(frame: Frame) -> bytes | None:
    """Return the picture as a small JPEG. Runs on a native thread."""
    from server.capture.motion.pictures import encode_small  # It loads OpenCV.

    try:
        return encode_small(frame.picture)
    except PictureError:
        return None
