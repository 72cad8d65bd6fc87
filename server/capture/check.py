"""One check of a camera that nobody watches: open it, take one picture, close it."""

import time

from server.capture.opening import OpenReader
from server.errors import SourceError
from server.loop import hub

__all__ = ["Check"]


class Check:
    """One check of one camera, from start to end.

    Args:
        open_reader: Opens the source; None for the camera's own way.
        patience_s: How long the first picture may take after the source is open.
    """

    def __init__(self, open_reader: OpenReader | None, patience_s: float) -> None:
        self.open_reader = open_reader
        self._patience_s = patience_s
        self._deadline = float("inf")
        self._over = hub.Signal()

    def wait_for_picture(self) -> None:
        """Start the timeout: the source is open."""
        self._deadline = time.monotonic() + self._patience_s

    def enforce(self, broken: str, key_wait_s: float) -> None:
        """Raise SourceError if the picture is overdue.

        Args:
            broken: What was wrong with the pictures that did arrive.
            key_wait_s: Additional time for a key frame, if one is awaited.
        """
        if time.monotonic() > self._deadline + key_wait_s:
            why = f"; {broken}" if broken else ""
            raise SourceError(f"no picture for more than {self._patience_s:g} s{why}")

    def end(self) -> None:
        """Make :meth:`wait` return."""
        self._over.set()

    def wait(self) -> None:
        """Wait until the check is over."""
        self._over.wait()
