"""Keeps idle child processes for the next source: starting one costs more than a camera check."""

from collections.abc import Mapping
from typing import NamedTuple

from server.capture.isolation.channel import Link
from server.capture.isolation.process import Process
from server.errors import SourceError

__all__ = ["CLOSE_DEADLINE_S", "IdleChild", "SpareProcess", "start_child"]

CLOSE_DEADLINE_S = 0.3
"""How long a child may take to release its device or close its connection, in seconds."""

# Limits how far memory leaks in OpenCV and FFmpeg can add up.
MAX_USES = 100


class IdleChild(NamedTuple):
    """A child without a source.

    Attributes:
        process: Its process.
        link: Our end of its connection.
        uses: How many sources it has had.
    """

    process: Process
    link: Link
    uses: int

    def end(self) -> None:
        """Close its connection; kill it if it does not exit."""
        self.link.close()
        if not self.process.wait(CLOSE_DEADLINE_S):
            self.process.kill()


def start_child(module: str, environment: Mapping[str, str]) -> IdleChild:
    """Start a child and return it.

    Args:
        module: The module it runs.
        environment: Variables to add to our own.

    Raises:
        SourceError: If the system cannot start more processes.
    """
    link, theirs = Link.pair()
    try:
        with theirs:
            return IdleChild(Process(module, theirs, dict(environment)), link, 0)
    except OSError as error:
        link.close()
        raise SourceError(f"no process can be started for it ({error.strerror})") from error


class SpareProcess:
    """Keeps a child for the next source, one for each environment.

    Native. Any thread may call it: each change is one atomic operation on a dictionary.
    """

    def __init__(self) -> None:
        self._idle: dict[frozenset[tuple[str, str]], IdleChild] = {}
        self._closed = False

    def take(self, environment: Mapping[str, str]) -> IdleChild | None:
        """Return a child that was started with ``environment``, or None."""
        child = self._idle.pop(frozenset(environment.items()), None)
        if child is not None and child.process.wait(0.0):
            child.end()  # It has died in the meantime, perhaps for lack of memory.
            return None
        return child

    def keep(self, environment: Mapping[str, str], child: IdleChild) -> None:
        """Keep a child for the next source, or end it if there is one already."""
        key = frozenset(environment.items())
        if self._closed or child.uses >= MAX_USES or self._idle.setdefault(key, child) is not child:
            child.end()

    @property
    def occupied(self) -> bool:
        """Whether it holds any child."""
        return bool(self._idle)

    def close(self) -> None:
        """End all children, and keep no more."""
        self._closed = True
        self.empty()

    def empty(self) -> None:
        """End all children."""
        while self._idle:
            self._idle.popitem()[1].end()
