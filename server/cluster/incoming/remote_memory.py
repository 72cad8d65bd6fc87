"""The past of a camera of another node, with the interface of a local one."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from server.capture.frames.unit import Unit
from server.cluster.bus.bus import Bus
from server.cluster.bus.outbox import Outbox
from server.cluster.bus.past_message import PastFacts, PastPart, PastRequest, unpack_part
from server.errors import RequestError
from server.loop import hub
from server.recording.rewind import Rewind

__all__ = ["PastRequests", "RemoteMemory"]

DEADLINE_S = 2.0

MAX_PENDING = 64

# How long what was said of the times of all holds.
FRESH_S = 0.2

# An answer with more than this goes on with the next question.
MAX_READ_BYTES = 256 << 20


class PastRequests:
    """Asks nodes for what they remember, and waits for their answers.

    Args:
        bus: Names the channels.
        node: This node's id.
        outbox: Sends the requests.
    """

    def __init__(self, bus: Bus, node: str, outbox: Outbox) -> None:
        self._bus = bus
        self._node = node
        self._outbox = outbox
        self._waiting: dict[str, tuple[str, hub.Signal]] = {}
        self._parts: dict[str, PastPart] = {}

    def ask(self, owner_id: str, camera: str, at_unix: float, **more: float | bool) -> PastPart:
        """Ask a camera's node for a part of its past; blocks this green thread.

        Args:
            owner_id: The node.
            camera: The camera's name.
            at_unix: From which moment on.
            more: Further fields of :class:`PastRequest`.

        Raises:
            RequestError: The node's error, or ``unavailable`` if it does not answer in time.
        """
        if len(self._waiting) >= MAX_PENDING:
            raise RequestError("rate_limited", "too many requests; wait a second")
        key = secrets.token_hex(8)
        answered = hub.Signal()
        self._waiting[key] = owner_id, answered
        try:
            asked = {"id": key, "node": self._node, "camera": camera, "at": at_unix} | more
            request = PastRequest.model_validate(asked)
            self._outbox.send(self._bus.name("remember", owner_id), request)
            answered.wait(DEADLINE_S)
            part = self._parts.pop(key, None)
        finally:
            del self._waiting[key]
        if part is None:
            raise RequestError("unavailable", "the camera's node does not answer")
        if part.facts.error is not None:
            raise RequestError(part.facts.error, part.facts.message)
        return part

    def on_part(self, data: bytes) -> None:
        """Hand an answer to whoever waits for it, if it is from the node that was asked."""
        part = unpack_part(data)
        owner_id, answered = self._waiting.get(part.id, ("", None))
        if answered is not None and part.node == owner_id:
            self._parts[part.id] = part
            answered.set()


class RemoteMemory:
    """What another node keeps of a camera, for one viewer.

    What was fetched is kept while it is looked at, so that playing asks about once a second.

    Args:
        ask: Asks its node from a moment on, with further fields of :class:`PastRequest`.
        number: Returns a frame's number on this node, given that of its own.
    """

    def __init__(
        self, ask: Callable[..., PastPart], number: Callable[[int], int] = lambda seq: seq
    ) -> None:
        self._ask = ask
        self._number = number
        self._window = Rewind(float("inf"))
        self._before: float | None = None  # When the picture before the window was taken.
        self._after: float | None = None  # When the one after it was.
        self._span: tuple[float, float] | None = None
        self._span_at = 0.0

    def find(self, at_unix: float, toward_s: float = 0.0) -> list[Unit]:
        """Return the picture of a moment, after those that are needed to decode it."""
        if not self._has(at_unix):
            self._fetch(min(at_unix, at_unix + toward_s), max(at_unix, at_unix + toward_s))
        return self._window.find(at_unix)

    def between(self, from_unix: float, to_unix: float) -> list[Unit]:
        """Return all from one moment to another, after what is needed to decode the first."""
        units, _, _ = self._read(from_unix, to_unix)
        # A node answers with what is nearest.
        return units if units and units[0].at_unix <= to_unix else []

    @property
    def span(self) -> tuple[float, float] | None:
        """The times of the first and the last picture in Unix seconds; None with nothing."""
        if time.monotonic() - self._span_at > FRESH_S:
            self._learn(self._ask(0.0, empty=True).facts)
        return self._span

    def neighbours(self, at_unix: float) -> tuple[float | None, float | None]:
        """Return the times of the pictures before and after that of a moment; None for none."""
        if not self._has(at_unix):
            facts = self._ask(at_unix, empty=True).facts
            return facts.before, facts.after
        before, after = self._window.neighbours(at_unix)
        return before or self._before, after or self._after

    def _has(self, at_unix: float) -> bool:
        """Return whether the picture of a moment was fetched."""
        span = self._window.span
        if span is None:
            return False
        begin, end = span
        # Without one after it, there may be one by now.
        last = end if self._after is None else self._after
        return begin <= at_unix < last or (self._before is None and at_unix < begin)

    def _fetch(self, from_unix: float, to_unix: float) -> None:
        units, self._before, self._after = self._read(from_unix, to_unix)
        self._window = Rewind(float("inf"))
        for unit in units:
            self._window.put(unit)

    def _read(
        self, from_unix: float, to_unix: float
    ) -> tuple[list[Unit], float | None, float | None]:
        """Return units, and the times of the pictures before and after them."""
        units: list[Unit] = []
        at_unix, after, size = from_unix, 0, 0
        before: float | None = None
        while True:
            part = self._ask(at_unix, until=to_unix, after=after)
            self._learn(part.facts)
            before = before if units else part.facts.before
            units += [replace(one, seq=self._number(one.seq)) for one in part.units]
            size += sum(len(one.data) for one in part.units)
            if not part.facts.more or not part.units or size > MAX_READ_BYTES:
                return units, before, part.facts.after
            at_unix, after = max(part.units[-1].at_unix, at_unix), part.units[-1].seq

    def _learn(self, facts: PastFacts) -> None:
        self._span_at = time.monotonic()
        known = facts.begin is not None and facts.end is not None
        self._span = (facts.begin, facts.end) if known else None  # type: ignore[assignment]
