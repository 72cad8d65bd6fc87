"""Call the HTTP API for admins as a page or a program does."""

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any, NamedTuple

from tests.support.servers.server import PortholeServer

__all__ = ["Answer", "ask_api", "ask_json", "revision_of"]

CAMERAS = "/api/admin/cameras"


class Answer(NamedTuple):
    """An HTTP response: status, body, and the body parsed if it is JSON."""

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
    """Send a request below ``/api/admin/cameras``, with a JSON body."""
    return ask_json(server, method, CAMERAS + path, body, headers)


def ask_json(
    server: PortholeServer,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] = {},
) -> Answer:
    """Send a request with a JSON body; without one, for GET, and for DELETE if none is given."""
    bare = method == "GET" or (method == "DELETE" and body is None)
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    sent = {} if bare else {"Content-Type": "application/json"}
    try:
        text = None if bare else json.dumps(body or {})
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
