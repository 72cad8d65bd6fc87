"""A camera's video units coming in from the bus."""

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


class Inbox:
    """A subscriber and what it received."""

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
        """Let these messages arrive and be handled."""
        self.subscription.give(*messages)
        until(lambda: self.subscription.more_count() == 0)
        settle()

    @property
    def seqs(self) -> list[int]:
        return [unit.seq for unit in self.track.units]


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """An open subscriber."""
    inbox = Inbox()
    monkeypatch.setattr(video_subscriber, "Subscription", inbox.subscription)
    inbox.subscriber.open()
    until(lambda: inbox.asked)
    yield inbox
    inbox.subscriber.close()


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


def test_units_are_passed_on_in_order(inbox: Inbox) -> None:
    """All units of a group come one after the other: none may be skipped, however many arrived."""
    inbox.give(message(4, key=True), message(5), message(7, after=5), message(8))

    assert inbox.seqs == [4, 5, 7, 8]
    assert inbox.drops == {}
    assert inbox.asked == 1


def test_late_subscriber_joins_from_the_repeated_group(inbox: Inbox) -> None:
    """Units in mid-group cannot be decoded; the node sends its group so far again."""
    inbox.give(message(6))
    assert (inbox.seqs, inbox.drops) == ([], {"chain": 1})

    again = [message(4, key=True, repeated=True), message(5, repeated=True)]
    inbox.give(*again, message(6, repeated=True), message(7))

    assert inbox.seqs == [4, 5, 6, 7]


def test_units_repeated_for_others_are_skipped(inbox: Inbox) -> None:
    """A node that has the units continues, and none is counted as lost."""
    inbox.give(message(4, key=True), message(5))

    inbox.give(message(4, key=True, repeated=True), message(5, repeated=True), message(6))

    assert inbox.seqs == [4, 5, 6]
    assert inbox.drops == {}


def test_lost_unit_ends_the_chain(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that would decode to grey is passed on. The node is asked once, and either resends
    the group or sends the next key frame."""
    monkeypatch.setattr(video_subscriber, "ASK_PERIOD_S", 0.0)
    inbox.give(message(4, key=True), message(5), message(7))
    assert (inbox.seqs, inbox.asked) == ([], 2)

    inbox.give(message(8), message(9, key=True), message(10))

    assert inbox.seqs == [9, 10]
    assert inbox.drops == {"chain": 2}

    inbox.give(message(12))
    again = [message(9, key=True, repeated=True), message(10, repeated=True)]
    inbox.give(*again, message(12, after=10, repeated=True), message(13))

    assert inbox.seqs == [9, 10, 12, 13]


def test_repeat_is_requested_once_a_second(inbox: Inbox) -> None:
    """While a chain is lost, the node is asked once a second."""
    inbox.give(*(message(seq) for seq in range(5, 15)))

    assert inbox.asked == 1


def test_junk_does_not_break_the_chain(inbox: Inbox) -> None:
    """Units that are invalid, foreign or far ahead of the clock are counted, but change nothing."""
    false = round((time.time() + MAX_AHEAD_S + 60) * SEQ_PER_S)
    inbox.give(message(4, key=True), b"junk", message(5, node=STRANGER), message(5))
    inbox.give(message(MAX_SEQ, key=True), message(false, key=True), message(6))

    assert inbox.seqs == [4, 5, 6]
    assert inbox.drops == {"junk": 4}


def test_older_units_are_skipped(inbox: Inbox) -> None:
    """An older key frame, as from a replaced node, does not take viewers back."""
    inbox.give(message(4, key=True), message(5), message(2, key=True), message(3), message(6))

    assert inbox.seqs == [4, 5, 6]
    assert inbox.drops == {"chain": 2}


def test_numbering_restarts_when_all_units_are_older(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that lost its count is accepted again, and the numbers passed on still grow."""
    monkeypatch.setattr(receiver, "RESTART_AFTER_S", 0.05)
    now = round(time.time() * SEQ_PER_S)
    inbox.give(message(now, key=True), message(5, key=True), message(6))
    assert inbox.seqs == [now]
    hub.sleep(0.1)

    inbox.give(message(7, key=True), message(8))

    assert inbox.seqs == [now + 1, now + 2]


def test_backlog_is_discarded(inbox: Inbox) -> None:
    """If units arrive ever later, the chain and the connection end, since they queue up in it."""
    inbox.give(message(1, key=True), message(2))
    inbox.subscription.give(message(3, late_s=1.5))

    until(lambda: inbox.asked == 2)
    assert inbox.drops["behind"] == 1
    assert inbox.seqs == []


def test_repeated_units_are_not_a_backlog(inbox: Inbox) -> None:
    """They are old because they were sent before. They are passed on together, so that the first is
    not taken for the newest."""
    inbox.give(message(9))

    inbox.give(message(3, key=True, repeated=True, late_s=8))
    assert inbox.seqs == []
    inbox.give(message(4, repeated=True, complete=True, late_s=7))

    assert (inbox.subscription.connected, inbox.seqs) == (1, [3, 4])


def test_lost_connection_ends_the_chain_until_reopened(inbox: Inbox) -> None:
    """A new connection is opened, and the node is asked for its group."""
    inbox.give(message(1, key=True), message(2))
    inbox.subscription.give(redis.ConnectionError("gone"))
    until(lambda: inbox.asked == 2)
    assert inbox.seqs == []

    again = [message(1, key=True, repeated=True), message(2, repeated=True)]
    inbox.give(*again, message(3, repeated=True), message(4))

    assert inbox.seqs == [1, 2, 3, 4]
