"""A camera's units on their way in."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import pytest
import redis

from server.capture.frames.unit import Unit
from server.capture.frames.video_track import VideoTrack
from server.cluster.bus.frame_message import MAX_SEQ
from server.cluster.bus.numbering import MAX_AHEAD_S, SEQ_PER_S, Numbering
from server.cluster.bus.unit_message import pack_unit
from server.cluster.incoming import receiver, video_subscriber
from server.cluster.incoming.video_subscriber import VideoSubscriber
from server.loop import hub
from tests.support.fakes import settle, until
from tests.support.servers.bus import FakeBus, FakeSubscription

NODE, STRANGER = "0123456789abcdef", "f" * 16


class Ear:
    """A subscriber and what came of it."""

    def __init__(self) -> None:
        self.subscription = FakeSubscription()
        self.track = VideoTrack("full")
        self.asked = 0
        self.drops: Counter[str] = Counter()
        self.subscriber = VideoSubscriber(
            cast(Any, FakeBus()),
            "channel",
            lambda node: node == NODE,
            self.track,
            self.track.put,
            self._on_asked,
            self.drops,
            Numbering(),
        )

    def _on_asked(self) -> None:
        self.asked += 1

    def give(self, *messages: bytes) -> None:
        """Let these arrive, and have them dealt with."""
        self.subscription.give(*messages)
        until(lambda: self.subscription.more_count() == 0)
        settle()

    @property
    def seqs(self) -> list[int]:
        return [unit.seq for unit in self.track.units]


@pytest.fixture
def ear(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    """A subscriber that is open."""
    ear = Ear()
    monkeypatch.setattr(video_subscriber, "Subscription", ear.subscription)
    ear.subscriber.open()
    until(lambda: ear.asked)
    yield ear
    ear.subscriber.close()


def message(
    seq: int,
    key: bool = False,
    after: int | None = None,
    repeated: bool = False,
    complete: bool = False,
    node: str = NODE,
    late_s: float = 0.0,
) -> bytes:
    """Return a unit that follows the number before its own."""
    unit = Unit(b"\0\0\1%d" % seq, key, seq, time.time() - late_s, "avc1.42c01f", 64, 48)
    return pack_unit(node, unit, seq - 1 if after is None else after, repeated, complete)


def test_units_go_on_in_order(ear: Ear) -> None:
    """All of a group, one after the other: none may be skipped, however many have come."""
    ear.give(message(4, key=True), message(5), message(7, after=5), message(8))

    assert ear.seqs == [4, 5, 7, 8]
    assert ear.drops == {}
    assert ear.asked == 1


def test_who_comes_late_joins_from_the_group_that_is_repeated(ear: Ear) -> None:
    """What is in full flow cannot be decoded; the node then sends its group so far again."""
    ear.give(message(6))
    assert (ear.seqs, ear.drops) == ([], {"chain": 1})

    again = [message(4, key=True, repeated=True), message(5, repeated=True)]
    ear.give(*again, message(6, repeated=True), message(7))

    assert ear.seqs == [4, 5, 6, 7]


def test_what_is_repeated_for_others_is_skipped(ear: Ear) -> None:
    """A node that has the units does not begin anew, and none is counted as lost."""
    ear.give(message(4, key=True), message(5))

    ear.give(message(4, key=True, repeated=True), message(5, repeated=True), message(6))

    assert ear.seqs == [4, 5, 6]
    assert ear.drops == {}


def test_lost_unit_ends_the_chain(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that could be grey is handed on; the node is asked, once, and the group comes again
    or the next key picture does."""
    monkeypatch.setattr(video_subscriber, "ASK_PERIOD_S", 0.0)
    ear.give(message(4, key=True), message(5), message(7))
    assert (ear.seqs, ear.asked) == ([], 2)

    ear.give(message(8), message(9, key=True), message(10))

    assert ear.seqs == [9, 10]
    assert ear.drops == {"chain": 2}

    ear.give(message(12))
    again = [message(9, key=True, repeated=True), message(10, repeated=True)]
    ear.give(*again, message(12, after=10, repeated=True), message(13))

    assert ear.seqs == [9, 10, 12, 13]


def test_node_is_not_asked_for_every_unit(ear: Ear) -> None:
    """While a chain is lost, one question a second is enough."""
    ear.give(*(message(seq) for seq in range(5, 15)))

    assert ear.asked == 1


def test_junk_ends_no_chain(ear: Ear) -> None:
    """What is no unit, a stranger's, or far ahead of the clock is counted, and changes nothing."""
    false = round((time.time() + MAX_AHEAD_S + 60) * SEQ_PER_S)
    ear.give(message(4, key=True), b"junk", message(5, node=STRANGER), message(5))
    ear.give(message(MAX_SEQ, key=True), message(false, key=True), message(6))

    assert ear.seqs == [4, 5, 6]
    assert ear.drops == {"junk": 4}


def test_older_units_change_nothing(ear: Ear) -> None:
    """A key picture from before, as of a node that was replaced, does not bring viewers back."""
    ear.give(message(4, key=True), message(5), message(2, key=True), message(3), message(6))

    assert ear.seqs == [4, 5, 6]
    assert ear.drops == {"chain": 2}


def test_numbers_begin_anew_when_all_are_older(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that has lost its numbers is seen again, and what is handed on goes on growing."""
    monkeypatch.setattr(receiver, "RESTART_AFTER_S", 0.05)
    now = round(time.time() * SEQ_PER_S)
    ear.give(message(now, key=True), message(5, key=True), message(6))
    assert ear.seqs == [now]
    hub.sleep(0.1)

    ear.give(message(7, key=True), message(8))

    assert ear.seqs == [now + 1, now + 2]


def test_backlog_is_thrown_away(ear: Ear) -> None:
    """Units that come ever later end the connection, in which they wait, and the chain."""
    ear.give(message(1, key=True), message(2))
    ear.subscription.give(message(3, late_s=1.5))

    until(lambda: ear.asked == 2)
    assert ear.drops["behind"] == 1
    assert ear.seqs == []


def test_repeated_units_are_no_backlog(ear: Ear) -> None:
    """They are old because they were sent before; and they are handed on all at once, so that
    nobody takes the first of them for the newest."""
    ear.give(message(9))

    ear.give(message(3, key=True, repeated=True, late_s=8))
    assert ear.seqs == []
    ear.give(message(4, repeated=True, complete=True, late_s=7))

    assert (ear.subscription.connected, ear.seqs) == (1, [3, 4])


def test_lost_bus_ends_the_chain_until_it_is_back(ear: Ear) -> None:
    """The connection is made anew, and the node asked for its group."""
    ear.give(message(1, key=True), message(2))
    ear.subscription.give(redis.ConnectionError("gone"))
    until(lambda: ear.asked == 2)
    assert ear.seqs == []

    again = [message(1, key=True, repeated=True), message(2, repeated=True)]
    ear.give(*again, message(3, repeated=True), message(4))

    assert ear.seqs == [1, 2, 3, 4]
