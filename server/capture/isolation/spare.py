"""Child processes between two sources: starting one costs more than a check."""

from collections.abc import Mapping
from typing import NamedTuple

from server.capture.isolation.channel import Link
from server.capture.isolation.process import Process

__all__ = ["CLOSE_DEADLINE_S", "Kept", "Spare"]

CLOSE_DEADLINE_S = 0.3
"""So that a child can release its device or say goodbye to its camera, in seconds."""

# What OpenCV and FFmpeg may leak for each source shall not add up.
MAX_USES = 100


class Kept(NamedTuple):
    """A child that has no source now.

    Attributes:
        process: Itself.
        link: To speak to it.
        uses: How many sources it has had.
    """

    process: Process
    link: Link
    uses: int

    def end(self) -> None:
        """End it: politely, then at once."""
        self.link.close()
        if not self.process.wait(CLOSE_DEADLINE_S):
            self.process.kill()


class Spare:
    """Keeps a child for the next source, one for each environment.

    Native; any thread may ask, for each change here is one step of a dictionary.
    """

    def __init__(self) -> None:
        self._kept: dict[frozenset[tuple[str, str]], Kept] = {}
        self._closed = False

    def take(self, environment: Mapping[str, str]) -> Kept | None:
        """Return a child that was started with ``environment``, if there is one."""
        kept = self._kept.pop(frozenset(environment.items()), None)
        if kept is not None and kept.process.wait(0.0):
            kept.end()  # It has died meanwhile, for want of memory say.
            return None
        return kept

    def keep(self, environment: Mapping[str, str], kept: Kept) -> None:
        """Keep a child for the next source, or end it if there is one already."""
        key = frozenset(environment.items())
        if self._closed or kept.uses >= MAX_USES or self._kept.setdefault(key, kept) is not kept:
            kept.end()

    def close(self) -> None:
        """End them all, and keep none any more."""
        self._closed = True
        while self._kept:
            self._kept.popitem()[1].end()
