"""A camera's frames on their way in."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import pytest
import redis

from server.capture.frame import Frame
from server.cluster import reception
from server.cluster.parcel import pack_frame
from server.cluster.reception import Reception
from server.delivery.encoder import encode_jpeg
from tests.cluster.fakes import FakeBus, FakeSubscription
from tests.conftest import picture, settle, until

NODE, STRANGER = "0123456789abcdef", "f" * 16

JPEG = encode_jpeg(Frame(picture(), 1, 1.0), "door", "full", 80)[0].jpeg


class Ear:
    """A reception and what came of it."""

    def __init__(self) -> None:
        self.subscription = FakeSubscription()
        self.frames: list[Frame] = []
        self.connected = 0
        self.drops: Counter[str] = Counter()
        self.reception = Reception(
            cast(Any, FakeBus()),
            "channel",
            lambda node: node == NODE,
            self.frames.append,
            self._on_connected,
            self.drops,
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
    """A frame that is repeated for somebody else, or late, is passed over."""
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
