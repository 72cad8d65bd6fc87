"""A camera's frames on their way in."""

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


class Ear:
    """A reception and what came of it."""

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
def ear(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    """A reception that is open."""
    ear = Ear()
    monkeypatch.setattr(reception, "Subscription", ear.subscription)
    ear.reception.open()
    until(lambda: ear.connected)
    yield ear
    ear.reception.close()


def parcel(seq: int, node: str = NODE, late_s: float = 0.0) -> bytes:
    return pack_frame(node, seq, time.time() - late_s, JPEG)


def test_newest_wins(ear: Ear) -> None:
    """Of all that has come, the newest is put, and the others are counted."""
    ear.subscription.give(parcel(1), parcel(2), parcel(3))

    until(lambda: ear.seqs == [3])
    assert ear.drops == {"replaced": 2}


def test_nothing_comes_twice_or_back(ear: Ear) -> None:
    """A frame that is repeated for somebody else, or late, is skipped."""
    ear.subscription.give(parcel(5))
    until(lambda: ear.seqs == [5])
    ear.subscription.give(parcel(5), parcel(4))
    settle()
    ear.subscription.give(parcel(6))

    until(lambda: ear.seqs == [5, 6])


def test_junk_hides_nothing(ear: Ear) -> None:
    """What is no frame, or a stranger's, is counted, and the frame before it is put."""
    ear.subscription.give(parcel(1), b"junk", parcel(9, STRANGER))

    until(lambda: ear.seqs == [1])
    assert ear.drops == {"junk": 2}


def test_picture_that_is_none_changes_nothing(ear: Ear) -> None:
    """A good header around nonsense neither shows nor raises the number."""
    ear.subscription.give(pack_frame(NODE, 7, 1.0, b"nonsense"))
    until(lambda: ear.drops["junk"] == 1)
    ear.subscription.give(parcel(3))

    until(lambda: ear.seqs == [3])


def test_lost_bus_is_heard_again(ear: Ear) -> None:
    """The connection is made anew, says so, and was closed before."""
    ear.subscription.give(parcel(1), redis.ConnectionError("gone"))
    until(lambda: ear.connected == 2)
    ear.subscription.give(parcel(2))

    until(lambda: ear.seqs[-1:] == [2])
    assert ear.subscription.closed == 1


def test_backlog_is_thrown_away(ear: Ear) -> None:
    """Frames that come ever later end the connection, in which they wait."""
    ear.subscription.give(parcel(1))
    until(lambda: ear.seqs == [1])
    ear.subscription.give(parcel(2, late_s=1.5))

    until(lambda: ear.connected == 2)
    assert ear.drops["behind"] == 1


def test_clock_of_another_machine_is_no_backlog(ear: Ear) -> None:
    """Frames that are a minute old by our clock, all alike, are not late."""
    for seq in range(1, 5):
        ear.subscription.give(parcel(seq, late_s=60))
        until(lambda: ear.seqs[-1:] == [seq])  # noqa: B023

    assert ear.connected == 1


def test_number_far_beyond_the_clock_is_refused(ear: Ear) -> None:
    """One such frame, in the owner's name, once made all that followed older than itself."""
    ear.subscription.give(parcel(5))
    until(lambda: ear.seqs == [5])
    ear.subscription.give(parcel(MAX_SEQ))
    ear.subscription.give(parcel(round((time.time() + MAX_AHEAD_S + 60) * SEQ_PER_S)))
    until(lambda: ear.drops["junk"] == 2)
    ear.subscription.give(parcel(6))

    until(lambda: ear.seqs == [5, 6])


def test_numbers_begin_anew_when_all_are_older(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    """A false number within bounds, or a node that lost its own, costs two seconds, no more.

    What is given on goes on growing, for viewers never go back.
    """
    monkeypatch.setattr(receiver, "RESTART_AFTER_S", 0.05)
    false = round((time.time() + MAX_AHEAD_S / 2) * SEQ_PER_S)
    ear.subscription.give(parcel(5), parcel(false))
    until(lambda: ear.seqs == [false])
    ear.subscription.give(parcel(6))
    hub.sleep(0.1)
    assert ear.seqs == [false]

    ear.subscription.give(parcel(7))
    until(lambda: len(ear.seqs) == 2)
    ear.subscription.give(parcel(8))

    until(lambda: ear.seqs == [false, false + 1, false + 2])


def test_older_ones_between_newer_ones_change_nothing(
    ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only when *all* are older do numbers begin anew."""
    monkeypatch.setattr(receiver, "RESTART_AFTER_S", 0.0)
    ear.subscription.give(parcel(9))
    until(lambda: ear.seqs == [9])
    for seq in range(10, 15):
        ear.subscription.give(parcel(seq), parcel(1))
        until(lambda: ear.seqs[-1:] == [seq])  # noqa: B023

    assert ear.seqs == list(range(9, 15))


def test_shifted_numbers_heal_like_any(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    """A low number that was let in shifts those after it past the clock: they begin anew, too."""
    monkeypatch.setattr(receiver, "RESTART_AFTER_S", 0.05)
    now = round(time.time() * SEQ_PER_S)
    ear.subscription.give(parcel(now))
    until(lambda: len(ear.seqs) == 1)
    for count, seq in ((2, 1), (3, now + 10)):
        ear.subscription.give(parcel(seq))
        hub.sleep(0.1)
        ear.subscription.give(parcel(seq + 1))
        until(lambda: len(ear.seqs) == count)  # noqa: B023

    assert ear.seqs == [now, now + 1, now + 2]
