"""A camera's frames coming in from the bus."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import pytest
import redis

from server.capture.frames.frame import Frame
from server.cluster.bus.frame_message import MAX_SEQ, pack_frame
from server.cluster.bus.numbering import MAX_AHEAD_S, SEQ_PER_S, Numbering
from server.cluster.incoming import receiver
from server.cluster.incoming import subscriber as reception
from server.cluster.incoming.subscriber import Subscriber
from server.delivery.encoder import encode_jpeg
from server.loop import hub
from tests.support.fakes import picture, settle, until
from tests.support.servers.bus import FakeBus, FakeSubscription

NODE, STRANGER = "0123456789abcdef", "f" * 16

JPEG = encode_jpeg(Frame(picture(), 1, 1.0), "door", "full", 80)[0].jpeg


class Inbox:
    """A subscriber and what it received."""

    def __init__(self) -> None:
        self.subscription = FakeSubscription()
        self.frames: list[Frame] = []
        self.connected = 0
        self.drops: Counter[str] = Counter()
        self.reception = Subscriber(
            cast(Any, FakeBus()),
            "channel",
            lambda node: node == NODE,
            self.frames.append,
            self._on_connected,
            self.drops,
            Numbering(),
        )

    def _on_connected(self) -> None:
        self.connected += 1

    @property
    def seqs(self) -> list[int]:
        return [frame.seq for frame in self.frames]


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """An open subscriber."""
    inbox = Inbox()
    monkeypatch.setattr(reception, "Subscription", inbox.subscription)
    inbox.reception.open()
    until(lambda: inbox.connected)
    yield inbox
    inbox.reception.close()


def parcel(seq: int, node: str = NODE, late_s: float = 0.0) -> bytes:
    return pack_frame(node, seq, time.time() - late_s, JPEG)


def test_only_the_newest_frame_is_put(inbox: Inbox) -> None:
    """Of all frames received, only the newest is put; the others are counted."""
    inbox.subscription.give(parcel(1), parcel(2), parcel(3))

    until(lambda: inbox.seqs == [3])
    assert inbox.drops == {"replaced": 2}


def test_repeated_and_late_frames_are_skipped(inbox: Inbox) -> None:
    """A late frame, or one repeated for another node, is skipped."""
    inbox.subscription.give(parcel(5))
    until(lambda: inbox.seqs == [5])
    inbox.subscription.give(parcel(5), parcel(4))
    settle()
    inbox.subscription.give(parcel(6))

    until(lambda: inbox.seqs == [5, 6])


def test_junk_does_not_hide_a_frame(inbox: Inbox) -> None:
    """Invalid frames, or those of other cameras, are counted, and the frame before them is put."""
    inbox.subscription.give(parcel(1), b"junk", parcel(9, STRANGER))

    until(lambda: inbox.seqs == [1])
    assert inbox.drops == {"junk": 2}


def test_invalid_picture_does_not_advance_the_number(inbox: Inbox) -> None:
    """A valid header before an invalid picture neither shows it nor raises the number."""
    inbox.subscription.give(pack_frame(NODE, 7, 1.0, b"nonsense"))
    until(lambda: inbox.drops["junk"] == 1)
    inbox.subscription.give(parcel(3))

    until(lambda: inbox.seqs == [3])


def test_lost_connection_is_reopened(inbox: Inbox) -> None:
    """The old connection is closed; a new one is opened and announced."""
    inbox.subscription.give(parcel(1), redis.ConnectionError("gone"))
    until(lambda: inbox.connected == 2)
    inbox.subscription.give(parcel(2))

    until(lambda: inbox.seqs[-1:] == [2])
    assert inbox.subscription.closed == 1


def test_backlog_is_discarded(inbox: Inbox) -> None:
    """If frames arrive ever later, the connection is replaced, since they queue up in it."""
    inbox.subscription.give(parcel(1))
    until(lambda: inbox.seqs == [1])
    inbox.subscription.give(parcel(2, late_s=1.5))

    until(lambda: inbox.connected == 2)
    assert inbox.drops["behind"] == 1


def test_clock_offset_is_not_a_backlog(inbox: Inbox) -> None:
    """Frames that all are a minute old by our clock are not late."""
    for seq in range(1, 5):
        inbox.subscription.give(parcel(seq, late_s=60))
        until(lambda: inbox.seqs[-1:] == [seq])  # noqa: B023

    assert inbox.connected == 1


def test_number_far_ahead_of_the_clock_is_rejected(inbox: Inbox) -> None:
    """One such frame, in the owner's name, once made all that followed look older than itself."""
    inbox.subscription.give(parcel(5))
    until(lambda: inbox.seqs == [5])
    inbox.subscription.give(parcel(MAX_SEQ))
    inbox.subscription.give(parcel(round((time.time() + MAX_AHEAD_S + 60) * SEQ_PER_S)))
    until(lambda: inbox.drops["junk"] == 2)
    inbox.subscription.give(parcel(6))

    until(lambda: inbox.seqs == [5, 6])


def test_numbering_restarts_when_all_frames_are_older(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A false number within bounds, or a node that lost its count, costs two seconds, no more.

    The numbers passed on still grow, since viewers never go back.
    """
    monkeypatch.setattr(receiver, "RESTART_AFTER_S", 0.05)
    false = round((time.time() + MAX_AHEAD_S / 2) * SEQ_PER_S)
    inbox.subscription.give(parcel(5), parcel(false))
    until(lambda: inbox.seqs == [false])
    inbox.subscription.give(parcel(6))
    hub.sleep(0.1)
    assert inbox.seqs == [false]

    inbox.subscription.give(parcel(7))
    until(lambda: len(inbox.seqs) == 2)
    inbox.subscription.give(parcel(8))

    until(lambda: inbox.seqs == [false, false + 1, false + 2])


def test_older_frames_between_newer_ones_are_skipped(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers restart only when *all* frames are older."""
    monkeypatch.setattr(receiver, "RESTART_AFTER_S", 0.0)
    inbox.subscription.give(parcel(9))
    until(lambda: inbox.seqs == [9])
    for seq in range(10, 15):
        inbox.subscription.give(parcel(seq), parcel(1))
        until(lambda: inbox.seqs[-1:] == [seq])  # noqa: B023

    assert inbox.seqs == list(range(9, 15))


def test_shifted_numbers_restart_too(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """An accepted low number shifts those after it past the clock: they restart, too."""
    monkeypatch.setattr(receiver, "RESTART_AFTER_S", 0.05)
    now = round(time.time() * SEQ_PER_S)
    inbox.subscription.give(parcel(now))
    until(lambda: len(inbox.seqs) == 1)
    for count, seq in ((2, 1), (3, now + 10)):
        inbox.subscription.give(parcel(seq))
        hub.sleep(0.1)
        inbox.subscription.give(parcel(seq + 1))
        until(lambda: len(inbox.seqs) == count)  # noqa: B023

    assert inbox.seqs == [now, now + 1, now + 2]
