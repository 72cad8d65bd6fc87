"""Another node's past, with the interface of a local one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.cluster.bus.messages import parse_message
from server.cluster.bus.outbox import Outbox
from server.cluster.bus.past_message import MAX_PART_BYTES, PastPart, PastRequest
from server.cluster.incoming.remote_memory import PastRequests, RemoteMemory
from server.cluster.outgoing.past_server import PastServer
from server.errors import RequestError
from server.recording.past import Past
from server.recording.rewind import Rewind
from tests.support.cameras.units import make_units
from tests.support.servers.bus import FakeBus
from tests.unit.recording.test_rewind import B_FRAMES, T0, filled, jpeg, times, unit, video

WEB, OWNER = "1" * 16, "2" * 16


class Wire:
    """Both ends of the bus, and the messages between them."""

    def __init__(self, rewind: Rewind | None) -> None:
        self.bus = FakeBus()
        self.asked: list[PastRequest] = []
        self.sent = 0
        self._outbox = Outbox(self.bus)  # type: ignore[arg-type]
        self._requests = PastRequests(self.bus, WEB, self._outbox)  # type: ignore[arg-type]
        past = Past({"door": rewind} if rewind is not None else {})
        self._server = PastServer(
            self.bus,  # type: ignore[arg-type]
            OWNER,
            ["door"],
            lambda camera: rewind,
            past,
            library=None,  # type: ignore[arg-type]
        )
        self.bus.commands.publish = self._publish  # type: ignore[method-assign]
        self.memory = RemoteMemory(self._ask, lambda seq: seq + 5)
        self.deep = RemoteMemory(lambda at, **more: self._ask(at, deep=True, **more))

    def _ask(self, at: float, **more: Any) -> PastPart:
        return self._requests.ask(OWNER, "door", at, **more)

    def open(self) -> None:
        self._outbox.open()
        self._server.open()

    def close(self) -> None:
        self._server.close()
        self._outbox.close()

    def _publish(self, channel: str, data: bytes) -> int:
        if channel == self.bus.name("remember", OWNER):
            self.asked.append(parse_message(PastRequest, data))
            self._server.on_request(self.asked[-1])
        else:
            assert channel == self.bus.name("past", WEB)
            self.sent += len(data)
            self._requests.on_part(data)
        return 1


@pytest.fixture
def rewind() -> Rewind:
    """A minute of video with a group each second."""
    return filled(*video(60), seconds=float("inf"))


@pytest.fixture
def wire(rewind: Rewind) -> Iterator[Wire]:
    """The bus to the node that keeps the video."""
    one = Wire(rewind)
    one.open()
    yield one
    one.close()


def test_remote_memory_answers_like_a_local_one(wire: Wire, rewind: Rewind) -> None:
    """Only the numbers differ: they are this node's."""
    for moment in (-1.0, 0.0, 12.34, 13.0, 59.9, 70.0):
        found, expected = wire.memory.find(T0 + moment), rewind.find(T0 + moment)
        assert times(found) == times(expected)
        assert [one.seq - 5 for one in found] == [one.seq for one in expected]
        at = found[-1].at_unix
        assert wire.memory.neighbours(at) == rewind.neighbours(at)
        shown = wire.memory.decode_run(T0 + moment)
        assert times(shown.units) == times(rewind.decode_run(T0 + moment).units)
        assert shown.newest == rewind.decode_run(T0 + moment).newest
        assert wire.memory.neighbours(at) == rewind.neighbours(at)
    assert wire.memory.span == rewind.span
    for begin, end in ((-5, -1), (-1, 0.5), (12.34, 15.6), (58, 99), (70, 80)):
        there = wire.memory.between(T0 + begin, T0 + end)
        assert times(there) == times(rewind.between(T0 + begin, T0 + end))


def test_b_frames_come_with_the_units_that_push_them_out(tmp_path: Path) -> None:
    """A decoder needs the next units to output a B-frame, as with a local memory."""
    units = make_units(tmp_path, 2.0, *B_FRAMES)
    wire = Wire(filled(*units))
    wire.open()

    for place in (3, 12, 48):
        found, expected = (
            one.decode_run(units[place].at_unix) for one in (wire.memory, filled(*units))
        )
        assert times(found.units) == times(expected.units)
        assert times(found.push) == times(expected.push)
        assert len(found.push) == 2
    wire.close()


def test_playback_sends_about_one_request_a_second(wire: Wire) -> None:
    """The frames to play next come with the current one."""
    for tenth in range(100, 150):
        found = wire.memory.decode_run(T0 + tenth / 10 + 0.001, 1.0).units
        assert times(found)[-1] == tenth / 10
        wire.memory.neighbours(found[-1].at_unix)

    assert len(wire.asked) <= 7


def test_newly_recorded_units_are_found(wire: Wire, rewind: Rewind) -> None:
    """The newest picture moves on while the node records."""
    newest = wire.memory.find(T0 + 99)
    assert wire.memory.neighbours(newest[-1].at_unix)[1] is None

    rewind.put(unit(60.0, key=True))

    assert wire.memory.neighbours(newest[-1].at_unix)[1] == T0 + 60
    assert times(wire.memory.find(T0 + 99)) == [60.0]


def test_large_answers_come_in_parts(rewind: Rewind) -> None:
    """Redis queues messages for a slow reader, so each is kept small."""
    large = filled(*(jpeg(at / 10, MAX_PART_BYTES // 3) for at in range(20)))
    wire = Wire(large)
    wire.open()

    units, deep = wire.memory.between(T0, T0 + 99), wire.deep.between(T0, T0 + 99)
    wire.close()

    assert times(units) == times(deep) == times(large.units)
    assert len(wire.asked) == 2 * 7


def test_deep_requests_reach_the_owners_disk(wire: Wire, rewind: Rewind) -> None:
    """A clip or picture on disk is found by time alone."""
    for moment in (-1.0, 0.0, 12.34, 13.0, 70.0):
        assert times(wire.deep.find(T0 + moment)) == times(rewind.find(T0 + moment))
    assert wire.deep.span == rewind.span
    assert times(wire.deep.between(T0 + 1.5, T0 + 2.5))[-1] == 2.5
    assert all(one.deep for one in wire.asked)


def test_node_without_a_memory_has_no_past() -> None:
    """The answers are empty, like those of a camera that was never open."""
    wire = Wire(None)
    wire.open()

    assert wire.memory.find(T0) == []
    assert wire.memory.span is None
    assert wire.memory.neighbours(T0) == (None, None)
    wire.close()


def test_silent_node_is_an_error(monkeypatch: pytest.MonkeyPatch, wire: Wire) -> None:
    """The node was just stopped, or has another version."""
    monkeypatch.setattr("server.cluster.incoming.remote_memory.DEADLINE_S", 0.05)
    wire.close()

    with pytest.raises(RequestError, match="does not answer"):
        wire.memory.find(T0)


def test_gaps_are_passed_on() -> None:
    """Otherwise the time bar would show a gap as kept."""
    rewind = filled(*(jpeg(at / 10) for at in (*range(50), *range(300, 320))))
    wire = Wire(rewind)
    wire.open()

    assert wire.memory.span == rewind.span
    assert list(wire.memory.gaps) == rewind.gaps == [(T0 + 4.9, T0 + 30)]
    wire.close()
