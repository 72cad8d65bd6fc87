"""Rejects clients that start with long polling, as Socket.IO's do by default."""

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

__all__ = ["RejectPolling"]

PATH = "/socket.io/"

# The form of a Socket.IO error, so that clients show its message.
BODY = json.dumps({"code": 0, "message": "WebSocket only: transports: ['websocket']"}).encode()

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class RejectPolling:
    """Rejects transports other than WebSocket with an explanation; passes on other requests.

    Args:
        application: Serves all other requests.
        count: Called with the reason for every refusal.
    """

    def __init__(
        self, application: Application, count: Callable[[str], None] = lambda reason: None
    ) -> None:
        self._application = application
        self._count = count

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve the request, or answer 400 with the reason."""
        if environ.get("PATH_INFO", "").startswith(PATH):
            query = parse_qs(environ.get("QUERY_STRING", ""))
            if query.get("transport", ["polling"])[0] != "websocket":
                self._count("400")
                headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
                start_response("400 Bad Request", headers)
                return [BODY]
        return self._application(environ, start_response)
