"""The HTTP API for admins, as a page or a program asks it."""

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any, NamedTuple

from tests.support.servers.server import PortholeServer

__all__ = ["Answer", "ask_api", "ask_json", "revision_of"]

CAMERAS = "/api/admin/cameras"


class Answer(NamedTuple):
    """What came back: the status, the body, and that as JSON if it is some."""

    status: int
    body: bytes
    data: Any


def ask_api(
    server: PortholeServer,
    method: str,
    path: str = "",
    body: object = None,
    headers: Mapping[str, str] = {},
) -> Answer:
    """Ask for a path below ``/api/admin/cameras``, with a body as JSON."""
    return ask_json(server, method, CAMERAS + path, body, headers)


def ask_json(
    server: PortholeServer,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] = {},
) -> Answer:
    """Ask for a path, with a body as JSON."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    sent = {"Content-Type": "application/json"} if method != "GET" else {}
    try:
        text = None if method == "GET" else json.dumps(body or {})
        connection.request(method, path, text, sent | dict(headers))
        answer = connection.getresponse()
        content = answer.read()
        is_json = answer.headers.get_content_type() == "application/json"
        return Answer(answer.status, content, json.loads(content) if is_json else None)
    finally:
        connection.close()


def revision_of(server: PortholeServer, name: str, headers: Mapping[str, str] = {}) -> str:
    """Return the revision of a camera's settings."""
    cameras = ask_api(server, "GET", headers=headers).data["cameras"]
    return str(next(one["revision"] for one in cameras if one["name"] == name))
