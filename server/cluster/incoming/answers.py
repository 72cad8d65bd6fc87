"""Waits for what other nodes answer."""

import secrets
from collections.abc import Callable
from typing import Generic, TypeVar

from server.errors import RequestError
from server.loop import hub

__all__ = ["Answers"]

T = TypeVar("T")


class Answers(Generic[T]):
    """Requests that are under way, each to one node, whose answer alone counts.

    Args:
        most: How many there may be at a time.
        deadline_s: How long a node may take.
    """

    def __init__(self, most: int, deadline_s: float) -> None:
        self._most = most
        self._deadline_s = deadline_s
        self._waiting: dict[str, tuple[str, hub.Signal]] = {}
        self._answers: dict[str, T] = {}

    def wait(self, owner_id: str, send: Callable[[str], None]) -> T:
        """Send a request and return its answer; blocks this green thread.

        Args:
            owner_id: The node that is asked.
            send: Sends the request, given its id.

        Raises:
            RequestError: ``unavailable`` if it does not answer in time, or ``rate_limited``.
        """
        if len(self._waiting) >= self._most:
            raise RequestError("rate_limited", "too many requests; wait a second")
        key = secrets.token_hex(8)
        answered = hub.Signal()
        self._waiting[key] = owner_id, answered
        try:
            send(key)
            answered.wait(self._deadline_s)
            answer = self._answers.pop(key, None)
        finally:
            del self._waiting[key]
        if answer is None:
            raise RequestError("unavailable", "the camera's node does not answer")
        return answer

    def take(self, key: str, node: str, answer: T) -> None:
        """Hand an answer to whoever waits for it, if it is from the node that was asked."""
        owner_id, answered = self._waiting.get(key, ("", None))
        if answered is not None and node == owner_id:
            self._answers[key] = answer
            answered.set()
