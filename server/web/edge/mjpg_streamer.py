"""Parses mjpg-streamer's queries on the root path, such as ``/?action=snapshot_1``."""

import re
from dataclasses import dataclass

__all__ = ["Action", "parse_action"]

FORM = re.compile(r"(stream|snapshot)(?:_([0-9]{1,4}))?")


@dataclass(frozen=True, slots=True)
class Action:
    """A parsed query.

    Attributes:
        area: The area whose permission it needs; see :mod:`server.web.auth.permissions`.
        index: Index of the camera, from 0; None if the query has no number.
    """

    area: str
    index: int | None


def parse_action(text: str) -> Action | None:
    """Parse an ``action`` value; return None if it is unknown."""
    match = FORM.fullmatch(text)
    if match is None:
        return None
    area = "/video_feed" if match[1] == "stream" else "/snapshot"
    return Action(area, int(match[2]) if match[2] else None)
