"""The information that a processor gets with a picture."""

from dataclasses import dataclass, field
from typing import Any

from server.capture.processing.report import MAX_REPORTS, Report, make_report

__all__ = ["Info"]


@dataclass(frozen=True, slots=True)
class Info:
    """The information that a processor gets with a picture.

    Attributes:
        camera: The camera's name.
        title: Its title, for people.
        seq: The picture's sequence number; never goes back.
        at: When it was captured, in Unix seconds.
        width: In pixels, as the processor gets it.
        height: In pixels, as the processor gets it.
        fps: The camera's target rate in frames per second.
        state: For the processor's own data from picture to picture; emptied when the source is
            reopened.
    """

    camera: str
    title: str
    seq: int
    at: float
    width: int
    height: int
    fps: float
    state: dict[str, Any] = field(repr=False)
    _reports: list[Report] = field(default_factory=list, repr=False)

    def event(self, label: str, score: float | None = None, box: object = None) -> None:
        """Report something in the picture. An event lasts for as long as it is reported.

        A label reported again within 2 s continues its event. At most 16 reports count per picture.

        Args:
            label: What it is, in at most 40 characters, such as ``person``.
            score: Its confidence, from 0 to 1.
            box: Left, top, width and height as fractions of the picture.

        Raises:
            ValueError: If an argument is invalid; says what is accepted.
        """
        report = make_report(label, score, box)
        if len(self._reports) < MAX_REPORTS:
            self._reports.append(report)
