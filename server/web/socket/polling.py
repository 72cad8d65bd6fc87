"""The answer to clients that begin with long polling, as Socket.IO's do unless told otherwise."""

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

__all__ = ["NoPolling"]

PATH = "/socket.io/"

# As Socket.IO servers put an error, so that clients show its message.
BODY = json.dumps({"code": 0, "message": "WebSocket only: transports: ['websocket']"}).encode()

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class NoPolling:
    """Tells who asks for another transport which one is spoken; lets all else through.

    Args:
        application: What serves the rest.
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
        """Serve the request, or say why not."""
        if environ.get("PATH_INFO", "").startswith(PATH):
            query = parse_qs(environ.get("QUERY_STRING", ""))
            if query.get("transport", ["polling"])[0] != "websocket":
                self._count("400")
                headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
                start_response("400 Bad Request", headers)
                return [BODY]
        return self._application(environ, start_response)
