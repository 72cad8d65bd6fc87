"""Waits for what other nodes answer."""

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
    """Requests that are under way, and what the nodes that were asked, and no others, answer.

    Args:
        most: How many there may be at a time.
        deadline_s: How long a node may take.
    """

    def __init__(self, most: int, deadline_s: float) -> None:
        self._most = most
        self._deadline_s = deadline_s
        self._waiting: dict[str, _Waiting[T]] = {}

    def wait(self, owner_id: str, send: Callable[[str], None]) -> T:
        """Send a request and return its answer; blocks this green thread.

        Args:
            owner_id: The node that is asked.
            send: Sends the request, given its id.

        Raises:
            RequestError: ``unavailable`` if it does not answer in time, or ``rate_limited``.
        """
        answers = self.gather([owner_id], send)
        if owner_id not in answers:
            raise RequestError("unavailable", "the camera's node does not answer")
        return answers[owner_id]

    def gather(self, owners: Collection[str], send: Callable[[str], None]) -> dict[str, T]:
        """Send a request to several nodes and return what they answer; those too late are missing.

        Args:
            owners: The nodes that are asked.
            send: Sends the request to all of them, given its id.

        Raises:
            RequestError: ``rate_limited``.
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
        """Hand an answer to whoever waits for it, if it is from a node that was asked."""
        waiting = self._waiting.get(key)
        if waiting is None or node not in waiting.owners:
            return
        waiting.answers[node] = answer
        if len(waiting.answers) == len(waiting.owners):
            waiting.complete.set()
