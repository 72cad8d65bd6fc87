"""Waits for answers from other nodes."""

import secrets
from collections.abc import Callable, Collection
from typing import Generic, NamedTuple, TypeVar

from server.errors import RequestError
from server.loop import hub

__all__ = ["Answers"]

T = TypeVar("T")


class _Waiting(NamedTuple, Generic[T]):
    owners: frozenset[str]
    answers: dict[str, T]
    complete: hub.Signal


class Answers(Generic[T]):
    """Pending requests and the answers to them; accepts answers only from the nodes asked.

    Args:
        most: Maximum number of pending requests.
        deadline_s: Longest wait for an answer, in seconds.
    """

    def __init__(self, most: int, deadline_s: float) -> None:
        self._most = most
        self._deadline_s = deadline_s
        self._waiting: dict[str, _Waiting[T]] = {}

    def wait(self, owner_id: str, send: Callable[[str], None]) -> T:
        """Send a request and return its answer; blocks this green thread.

        Args:
            owner_id: The node to ask.
            send: Sends the request, given its id.

        Raises:
            RequestError: ``unavailable`` if the node does not answer in time, or ``rate_limited``.
        """
        answers = self.gather([owner_id], send)
        if owner_id not in answers:
            raise RequestError("unavailable", "the camera's node does not answer")
        return answers[owner_id]

    def gather(self, owners: Collection[str], send: Callable[[str], None]) -> dict[str, T]:
        """Send a request to several nodes; return the answers that came in time, by node.

        Args:
            owners: The nodes to ask.
            send: Sends the request to all of them, given its id.

        Raises:
            RequestError: ``rate_limited`` if too many requests are pending.
        """
        if not owners:
            return {}
        if len(self._waiting) >= self._most:
            raise RequestError("rate_limited", "too many requests; wait a second")
        key = secrets.token_hex(8)
        waiting = _Waiting[T](frozenset(owners), {}, hub.Signal())
        self._waiting[key] = waiting
        try:
            send(key)
            waiting.complete.wait(self._deadline_s)
        finally:
            del self._waiting[key]
        return waiting.answers

    def take(self, key: str, node: str, answer: T) -> None:
        """Deliver an answer to its pending request; ignore it if its node was not asked."""
        waiting = self._waiting.get(key)
        if waiting is None or node not in waiting.owners:
            return
        waiting.answers[node] = answer
        if len(waiting.answers) == len(waiting.owners):
            waiting.complete.set()
