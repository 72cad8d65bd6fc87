"""Pages that find no data of earlier ones, although they share a browser context."""

import os
import socket
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Frame, Page

__all__ = ["KeptContext", "lasting_port"]

# Below the ports that the system assigns by itself.
FIRST_PORT, PORTS = 10_000, 20_000


class KeptContext:
    """A browser context that is emptied instead of closed.

    With Chromium's ``--renderer-process-limit=1`` its pages share a process that is already started
    and warm: they take a third less CPU time than the first page of a new context. Session storage,
    history, scripts, routes, viewport and emulated media belong to a page's tab. Cached static
    files are kept, because their addresses change with their contents; see :func:`lasting_port`.

    Args:
        context: Where to open pages; nothing else may open any.
    """

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        # Without a page the renderer process would end.
        self._first = context.new_page()
        self._devtools = context.new_cdp_session(self._first)
        self._origins: set[str] = set()
        context.on("page", lambda page: page.on("framenavigated", self._note))

    def open_page(self) -> Page:
        """Return a new page."""
        return self._context.new_page()

    def empty(self) -> None:
        """Close all pages, and clear everything that a page can leave to the next one."""
        for page in self._context.pages:
            if page is not self._first:
                page.close()
        self._context.clear_permissions()
        while self._origins:
            kinds = {"origin": self._origins.pop(), "storageTypes": "all"}
            self._devtools.send("Storage.clearDataForOrigin", kinds)
        # Last: a response in flight when its page was closed may have set one.
        self._context.clear_cookies()
        left = [page.url for page in self._context.pages if page is not self._first]
        assert left == [], f"still open: {left}"
        cookies = self._context.cookies()
        assert cookies == [], f"still there: {cookies}"

    def close(self) -> None:
        """Close the context."""
        self._context.close()

    def _note(self, frame: Frame) -> None:
        parts = urlsplit(frame.url)
        if parts.scheme.startswith("http"):
            self._origins.add(f"{parts.scheme}://{parts.netloc}")


def lasting_port() -> str:
    """Return a port reserved for this process that is free: the same one again, if possible.

    To a browser, servers on one port are the same origin, so it has the page's files cached: a
    fifth of a second of CPU time for each server.
    """
    first = FIRST_PORT + 2 * os.getpid() % PORTS
    for port in (first, first + 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return str(port)
    return "0"
