"""Parses mjpg-streamer's queries of the root path, such as ``/?action=snapshot_1``."""

import re
from dataclasses import dataclass

__all__ = ["Action", "parse_action"]

FORM = re.compile(r"(stream|snapshot)(?:_([0-9]{1,4}))?")


@dataclass(frozen=True, slots=True)
class Action:
    """What a query asks for.

    Attributes:
        area: The area whose permission it needs; see :mod:`server.web.auth.permissions`.
        index: The camera's index, from 0; None if the query has no number.
    """

    area: str
    index: int | None


def parse_action(text: str) -> Action | None:
    """Return the meaning of an ``action`` value, or None if it is unknown."""
    match = FORM.fullmatch(text)
    if match is None:
        return None
    area = "/video_feed" if match[1] == "stream" else "/snapshot"
    return Action(area, int(match[2]) if match[2] else None)
