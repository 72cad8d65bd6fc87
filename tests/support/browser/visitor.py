"""A client that behaves like a browser, for what the server sends a user."""

import base64
import json
import re
import urllib.parse
from collections.abc import Callable
from http.client import HTTPConnection, HTTPMessage
from typing import Any

import pytest

from tests.support.clients.client import Viewer
from tests.support.servers.server import PortholeServer, last_event

Connect = Callable[..., Viewer]

PASSWORD = "correct horse battery"

# One second to expire, and some for a loaded machine.
GONE_S = 2.0


class Visitor:
    """A browser without a screen: keeps cookies, and sends an Origin."""

    def __init__(self, server: PortholeServer) -> None:
        self.server = server
        self.cookie = ""
        self.origin = f"http://127.0.0.1:{server.port}"

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, **form: str
    ) -> tuple[int, HTTPMessage, str]:
        sent, body = headers or {}, None
        if method == "POST":
            body = urllib.parse.urlencode(form)
            sent = {"Content-Type": "application/x-www-form-urlencoded", **sent}
        return self._send(method, path, body, sent)

    def send_json(self, path: str, body: object, csrf: str) -> tuple[int, HTTPMessage, str]:
        """Post a JSON object, as a script of the page does."""
        sent = {"Content-Type": "application/json", "X-CSRF-Token": csrf}
        return self._send("POST", path, json.dumps(body), sent)

    def _send(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, HTTPMessage, str]:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        own = {"Cookie": self.cookie} if self.cookie else {}
        own |= {"Origin": self.origin} if body is not None else {}
        try:
            connection.request(method, path, body, own | headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            self.cookie = cookie.partition(";")[0]
        return answer.status, answer.headers, text

    def csrf(self, path: str = "/login") -> str:
        _, _, text = self.ask("GET", path)
        found = re.search(r'name="csrf" value="([^"]+)"', text)
        assert found, text
        return found[1]

    def log_in(self, name: str, password: str = PASSWORD) -> tuple[int, HTTPMessage, str]:
        return self.ask("POST", "/login", name=name, password=password, csrf=self.csrf())

    @property
    def headers(self) -> dict[str, str]:
        """Headers for opening the page's WebSocket."""
        return {"Cookie": self.cookie, "Origin": self.origin}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(name: str, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def refused(connect: Connect, server: PortholeServer, **how: Any) -> Any:
    """Connect, expect a rejection, and return its reason."""
    seen: list[Viewer] = []
    viewer = Viewer("127.0.0.1", server.port, **how)
    seen.append(viewer)
    with pytest.raises(ConnectionError):
        viewer.connect()
    viewer.close()
    return viewer.refusal


def hello_of(viewer: Viewer) -> Any:
    viewer.pump(lambda: bool(last_event(viewer, "hello")), 5)
    return last_event(viewer, "hello")


def is_gone(viewer: Viewer, within_s: float = GONE_S) -> bool:
    try:
        viewer.pump(lambda: False, within_s)
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return False
