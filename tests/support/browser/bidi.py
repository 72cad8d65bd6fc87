"""A minimal WebDriver BiDi client: commands, their results, and events.

Debian has Firefox but no geckodriver, and Firefox itself speaks BiDi over a WebSocket.
https://w3c.github.io/webdriver-bidi/
"""

import json
import time
from collections.abc import Callable
from typing import Any

import websocket

__all__ = ["BiDi", "BiDiError"]


class BiDiError(Exception):
    """The browser could not carry out a command."""


class BiDi:
    """One connection to a browser; events are delivered while waiting for something.

    Args:
        url: Where the browser listens, ``ws://...``.
        patience_s: The longest wait for a result or an event.
    """

    def __init__(self, url: str, patience_s: float) -> None:
        self._patience_s = patience_s
        # Firefox takes a connection with an Origin for one from a web page.
        self._socket = websocket.create_connection(url, timeout=patience_s, suppress_origin=True)
        self._results: dict[int, dict[str, Any]] = {}
        self._sent = 0
        self.on_event: Callable[[str, dict[str, Any]], None] = lambda *_: None

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Carry out a command, and return its result."""
        self._sent += 1
        number = self._sent
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        self.wait(lambda: number in self._results)
        answer = self._results.pop(number)
        if answer["type"] == "error":
            raise BiDiError(f"{method}: {answer['error']}: {answer['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def wait(self, condition: Callable[[], bool]) -> None:
        """Handle the browser's messages until a condition holds."""
        deadline = time.monotonic() + self._patience_s
        while not condition():
            if time.monotonic() > deadline:
                raise BiDiError("what was waited for did not come")
            message = json.loads(self._socket.recv())
            if message["type"] == "event":
                self.on_event(message["method"], message["params"])
            else:
                self._results[message["id"]] = message

    def close(self) -> None:
        """Close the connection."""
        self._socket.close(timeout=0)
