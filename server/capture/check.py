"""One look at a camera that nobody watches: open it, take one picture, close it."""

import time

from server.capture.opening import OpenReader
from server.errors import SourceError
from server.loop import hub

__all__ = ["Check"]


class Check:
    """One check of one camera, from its beginning until it is over.

    Args:
        open_reader: How to open the source.
        patience_s: How long the first picture may take once the source is open.
    """

    def __init__(self, open_reader: OpenReader, patience_s: float) -> None:
        self.open_reader = open_reader
        self._patience_s = patience_s
        self._deadline = float("inf")
        self._over = hub.Signal()

    def wait_for_picture(self) -> None:
        """Say that the source is open."""
        self._deadline = time.monotonic() + self._patience_s

    def enforce(self, broken: str) -> None:
        """Raise SourceError if the picture is overdue.

        Args:
            broken: What was wrong with the pictures that did come.
        """
        if time.monotonic() > self._deadline:
            why = f"; {broken}" if broken else ""
            raise SourceError(f"no picture for more than {self._patience_s:g} s{why}")

    def end(self) -> None:
        """Let :meth:`wait` return."""
        self._over.set()

    def wait(self) -> None:
        """Wait until it is over."""
        self._over.wait()
