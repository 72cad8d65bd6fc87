"""Permissions: a table of what each action needs, and a function that checks it."""

import re
from collections.abc import Mapping

from server.commands import COMMANDS
from server.users.needs import Need
from server.users.users import Person
from server.web.edge.mjpg_streamer import parse_action

__all__ = ["ASKS_FOR_BASIC", "NOWHERE", "area_of", "may"]


# Events by name and HTTP paths by their first part. Anything unlisted is denied.
NEEDS: Mapping[str, Need] = {
    "connect": Need.VIEWER,
    "watch": Need.VIEWER,
    "unwatch": Need.VIEWER,
    "seek": Need.VIEWER,
    "play": Need.VIEWER,
    "clock": Need.VIEWER,
    "notices": Need.VIEWER,
    **{event: command.needs for event, command in COMMANDS.items()},
    "/": Need.VIEWER,
    "/video_feed": Need.VIEWER,
    "/stream": Need.VIEWER,
    "/snapshot": Need.VIEWER,
    "/clip": Need.VIEWER,
    "/recording": Need.VIEWER,
    "/event": Need.VIEWER,
    "/api": Need.VIEWER,
    "/api/admin": Need.ADMIN,
    "/readyz": Need.VIEWER,
    "/metrics": Need.VIEWER_OF_ALL,
    "/healthz": Need.NOTHING,
    "/login": Need.NOTHING,
    "/logout": Need.NOTHING,
}

EMBEDDED = frozenset(
    {
        *("/", "/video_feed", "/stream", "/snapshot", "/api/cameras"),
        *("connect", "watch", "unwatch", "seek", "play", "clock"),
    }
)
"""Paths and events that embed tokens allow: what an embedded dashboard uses."""

EMBEDDED_CLIPS = re.compile(r"/clip|/api/cameras/[^/]+/(?:picture|past)")
"""Further paths that embed tokens with clips allow."""

NOWHERE = "/?action"
"""The area of unknown actions; not in the table, so always denied."""

ADMIN = "/api/admin"
"""Prefix of the paths where admins change cameras and people. HTTP Basic does not count there:
browsers repeat it on their own, for any page that causes a request."""

ASKS_FOR_BASIC = frozenset({"/video_feed", "/stream", "/snapshot", "/clip", "/api"})
"""Areas that accept HTTP Basic, for clients without any other kind of login."""


def area_of(path: str, action: str | None = None) -> str:
    """Return an HTTP path's key in the table; some other text if it has none.

    Args:
        path: The path without its query.
        action: The query's ``action``, used for the root path only.
    """
    first = "/" + path.lstrip("/").partition("/")[0]
    if path == ADMIN or path.startswith(ADMIN + "/"):
        return ADMIN
    if first != "/" or action is None:
        return first
    asked = parse_action(action)
    return asked.area if asked else NOWHERE


def may(person: Person | None, what: str, camera: str | None = None) -> bool:
    """Return whether a person may do something.

    Args:
        person: The person; None if unknown.
        what: An event's name, a path, or a path's :func:`area_of`.
        camera: Name of the camera concerned, if any.
    """
    need = NEEDS.get(area_of(what) if what.startswith("/") else what)
    if need is Need.NOTHING:
        return True
    if need is None or person is None:
        return False
    if person.kind == "embed" and not _is_embedded(person, what):
        return False
    if need in (Need.OPERATOR, Need.OPERATOR_OF_ALL) and not person.operates:
        return False
    if need is Need.ADMIN and not person.administers:
        return False
    if need in (Need.VIEWER_OF_ALL, Need.OPERATOR_OF_ALL) and person.cameras is not None:
        return False
    return camera is None or person.sees(camera)


def _is_embedded(person: Person, what: str) -> bool:
    return what in EMBEDDED or (person.clips and EMBEDDED_CLIPS.fullmatch(what) is not None)
