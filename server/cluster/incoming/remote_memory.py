"""The past of another node's camera, with the interface of a local memory."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from server.capture.frames.unit import Unit
from server.cluster.bus.bus import Bus
from server.cluster.bus.outbox import Outbox
from server.cluster.bus.past_message import PastFacts, PastPart, PastRequest, unpack_part
from server.cluster.incoming.answers import Answers
from server.errors import RequestError
from server.recording.media.moments import through
from server.recording.memory import DecodeRun
from server.recording.rewind import Rewind

__all__ = ["PastRequests", "RemoteMemory"]

DEADLINE_S = 2.0

MAX_PENDING = 64

# Time for which a received span counts as current.
FRESH_S = 0.2

# Largest read, all of which is in memory here.
MAX_READ_BYTES = 256 << 20


class PastRequests:
    """Asks nodes for parts of their cameras' past, and waits for the answers.

    Args:
        bus: Names the channels.
        node: This node's id.
        outbox: Sends the requests.
    """

    def __init__(self, bus: Bus, node: str, outbox: Outbox) -> None:
        self._bus = bus
        self._node = node
        self._outbox = outbox
        self._answers: Answers[PastPart] = Answers(MAX_PENDING, DEADLINE_S)

    def ask(self, owner_id: str, camera: str, at_unix: float, **more: float | bool) -> PastPart:
        """Ask a camera's node for a part of its past; blocks this green thread.

        Args:
            owner_id: Id of the camera's node.
            camera: Name of the camera.
            at_unix: Start of the part, in Unix seconds.
            more: Further fields of :class:`PastRequest`.

        Raises:
            RequestError: The node's error, or ``unavailable`` if it does not answer in time.
        """

        def send(key: str) -> None:
            asked = {"id": key, "node": self._node, "camera": camera, "at": at_unix} | more
            request = PastRequest.model_validate(asked)
            self._outbox.send(self._bus.name("remember", owner_id), request)

        part = self._answers.wait(owner_id, send)
        if part.facts.error is not None:
            raise RequestError(part.facts.error, part.facts.message)
        return part

    def on_part(self, data: bytes) -> None:
        """Deliver an answer to its pending request."""
        part = unpack_part(data)
        self._answers.take(part.id, part.node, part)


class RemoteMemory:
    """The past of another node's camera, for one viewer.

    Keeps the last fetched units, so that playback sends only about one request a second.

    Args:
        ask: Asks the node, given a start time and further fields of :class:`PastRequest`.
        number: Maps a frame's number on its node to the one on this node.
    """

    def __init__(
        self, ask: Callable[..., PastPart], number: Callable[[int], int] = lambda seq: seq
    ) -> None:
        self._ask = ask
        self._number = number
        self._window = Rewind(float("inf"))
        self._before: float | None = None  # Time of the picture before the window.
        self._after: float | None = None  # Time of the picture after the window.
        # Time of the picture that the last lead showed, and of those before and after it.
        self._around: tuple[float, float | None, float | None] | None = None
        self._span: tuple[float, float] | None = None
        self._gaps: Sequence[tuple[float, float]] = []
        self._span_at = 0.0

    def decode_run(self, at_unix: float, toward_s: float = 0.0) -> DecodeRun:
        """Return the units that make a decoder show the picture at a time."""
        if not toward_s:
            units, facts = self._read(at_unix, lead=True)
            if units:
                shown = len(units) - facts.pushed
                self._around = units[shown - 1].at_unix, facts.before, facts.after
                return DecodeRun(units[:shown], units[shown:], facts.newest)
            return DecodeRun([], [])
        found = self._window.decode_run(at_unix)
        if not self._has(at_unix) or (found.newest and self._after is not None):
            ends = at_unix, at_unix + toward_s
            self._fetch(min(ends), max(ends))
            found = self._window.decode_run(at_unix)
        return DecodeRun(found.units, found.push, found.newest and self._after is None)

    def find(self, at_unix: float) -> list[Unit]:
        """Return the units needed to decode the picture at a time; that picture's unit is last."""
        units, _ = self._read(at_unix)
        return through(units, at_unix) if units else []

    def between(self, from_unix: float, to_unix: float) -> list[Unit]:
        """Return all units between two times, preceded by those needed to decode the first."""
        units, _ = self._read(from_unix, until=to_unix)
        # Without units in between, the node sends the nearest picture.
        return units if units and units[0].shown_unix <= to_unix else []

    @property
    def span(self) -> tuple[float, float] | None:
        """Times of the oldest and newest picture in Unix seconds; None if there are none."""
        if time.monotonic() - self._span_at > FRESH_S:
            self._learn(self._ask(0.0, empty=True).facts)
        return self._span

    @property
    def gaps(self) -> Sequence[tuple[float, float]]:
        """Time spans without pictures, as last received from its node."""
        return self._gaps

    def neighbours(self, at_unix: float) -> tuple[float | None, float | None]:
        """Return the times of the pictures before and after a moment's; None if there is none."""
        if self._around is not None and self._around[0] == at_unix:
            return self._around[1:]
        if not self._has(at_unix):
            facts = self._ask(at_unix, empty=True).facts
            return facts.before, facts.after
        before, after = self._window.neighbours(at_unix)
        return before or self._before, after or self._after

    def _has(self, at_unix: float) -> bool:
        """Return whether the window contains the picture at a time."""
        span = self._window.span
        if span is None:
            return False
        begin, end = span
        # If no picture followed the window then, one may follow now.
        last = end if self._after is None else self._after
        return begin <= at_unix < last or (self._before is None and at_unix < begin)

    def _fetch(self, from_unix: float, to_unix: float) -> None:
        units, facts = self._read(from_unix, until=to_unix)
        self._before, self._after, self._around = facts.before, facts.after, None
        self._window = Rewind(float("inf"))
        for unit in units:
            self._window.put(unit)

    def _read(self, at_unix: float, **more: float | bool) -> tuple[list[Unit], PastFacts]:
        """Read all parts; return the units and the last part's facts, with the first's before."""
        part = self._ask(at_unix, **more)
        units, facts, size = list(part.units), part.facts, 0
        while part.facts.more and part.units:
            size += sum(len(one.data) for one in part.units)
            if size > MAX_READ_BYTES:
                raise RequestError("unavailable", "too much to fetch from the camera's node")
            last = part.units[-1]
            # When reading a span, continue from the last unit.
            begin = max(last.at_unix, at_unix) if "until" in more else at_unix
            part = self._ask(begin, **more, after=last.seq, after_at=last.at_unix)
            units += part.units
        self._learn(part.facts)
        facts = part.facts.model_copy(update={"before": facts.before})
        return [replace(one, seq=self._number(one.seq)) for one in units], facts

    def _learn(self, facts: PastFacts) -> None:
        self._span_at = time.monotonic()
        self._gaps = facts.gaps
        known = facts.begin is not None and facts.end is not None
        self._span = (facts.begin, facts.end) if known else None  # type: ignore[assignment]
