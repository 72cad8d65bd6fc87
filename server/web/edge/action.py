"""The queries of the root path by which mjpg-streamer is asked: ``/?action=snapshot_1``."""

import re
from dataclasses import dataclass

__all__ = ["Action", "parse_action"]

FORM = re.compile(r"(stream|snapshot)(?:_([0-9]{1,4}))?")


@dataclass(frozen=True, slots=True)
class Action:
    """What is asked for.

    Attributes:
        area: Whose permission it needs; see :mod:`server.web.auth.permissions`.
        index: Which of the cameras, from 0; None where the query gives no number.
    """

    area: str
    index: int | None


def parse_action(text: str) -> Action | None:
    """Return what the value of ``action`` means, or None if it means nothing here."""
    match = FORM.fullmatch(text)
    if match is None:
        return None
    area = "/video_feed" if match[1] == "stream" else "/snapshot"
    return Action(area, int(match[2]) if match[2] else None)
