"""Units from a child to the server, over a real socket pair."""

import array
import os
import socket
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.capture.frames.numbering import Place
from server.capture.isolation.units import (
    HEAD,
    MAX_UNIT_BYTES,
    Gap,
    GapReason,
    UnitHead,
    UnitReceiver,
    UnitSender,
    unit_sockets,
)


class Pair:
    """Both ends, and what has arrived."""

    def __init__(self, tracks: int = 2) -> None:
        ours, theirs = unit_sockets()
        self.raw = theirs
        self.sender = UnitSender(os.dup(theirs.fileno()))
        self.units: list[tuple[UnitHead, bytes]] = []
        self.gaps: list[Gap] = []
        self.batches: list[int] = []  # How many units arrived together each time.
        self.receiver = UnitReceiver(ours, tracks, self._take, self.gaps.append)

    def _take(self, units: list[tuple[UnitHead, bytes]]) -> None:
        self.units += units
        self.batches.append(len(units))

    def send(self, number: int, data: bytes, key: bool = False, track: int = 0) -> None:
        self.sender.send(UnitHead(track, key, Place(1, number), 1e9, 640, 360, "avc1.64001f"), data)

    def receive(self) -> None:
        for _ in range(100):
            self.receiver.receive()

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()
        self.raw.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with closing(Pair()) as made:
        yield made


def numbers(pair: Pair) -> list[int]:
    return [head.place.number for head, _ in pair.units]


@pytest.mark.parametrize("nbytes", [1, 40_000, 60_000, 3_000_000])
def test_units_arrive_unchanged(pair: Pair, nbytes: int) -> None:
    """Small units travel in a message, large ones in memory; both arrive whole."""
    data = os.urandom(nbytes)
    before = len(os.listdir("/proc/self/fd"))

    pair.send(7, data, key=True)
    pair.send(8, b"next")
    pair.receive()

    (head, first), (_, second) = pair.units
    assert (first, second) == (data, b"next")
    assert head == UnitHead(0, True, Place(1, 7), 1e9, 640, 360, "avc1.64001f")
    assert len(os.listdir("/proc/self/fd")) == before


def test_video_begins_with_a_key_frame(pair: Pair) -> None:
    """Units before the first key frame are useless and do not count as missing."""
    pair.send(1, b"x")
    pair.send(2, b"x")
    pair.send(3, b"x", key=True)
    pair.receive()

    assert numbers(pair) == [3]
    assert pair.gaps == []


def test_full_socket_drops_the_group_not_the_source(pair: Pair) -> None:
    """A full socket costs a group; waiting for it would delay the camera's pictures.

    After a skipped unit, those that depend on it are skipped too; the server learns how many, and
    the video resumes with the next key frame. The other video continues.
    """
    pair.send(1, b"x", key=True)
    for number in range(2, 400):
        pair.send(number, bytes(20_000))
    pair.receive()
    arrived = len(pair.units)
    assert 5 < arrived < 399
    assert numbers(pair) == list(range(1, arrived + 1))

    pair.send(400, b"needs the ones before")
    pair.send(401, b"x", key=True, track=1)
    pair.send(402, b"x", key=True)
    pair.receive()

    assert numbers(pair)[arrived:] == [401, 402]
    assert {gap.why for gap in pair.gaps} == {GapReason.UNREAD}
    assert {gap.track for gap in pair.gaps} == {0}
    assert sum(gap.skipped for gap in pair.gaps) == 400 - arrived


def test_units_are_batched_without_viewers(pair: Pair) -> None:
    """Without a viewer, batching delays nobody; a first viewer gets waiting units immediately."""
    pair.sender.lazy = True
    pair.send(1, b"x", key=True)
    pair.send(2, b"y" * 40_000)
    pair.receive()
    assert pair.units == []

    pair.sender.lazy = False
    pair.sender.flush()
    pair.send(3, b"x")
    pair.receive()

    assert numbers(pair) == [1, 2, 3]
    assert [data for _, data in pair.units] == [b"x", b"y" * 40_000, b"x"]
    assert pair.batches == [2, 1], "units wait for one message: most of the cost is the wake-up"
    assert pair.gaps == []


def test_batch_that_finds_the_socket_full_is_dropped(pair: Pair) -> None:
    """Each of its units counts as lost; the video resumes with the next key frame."""
    pair.send(1, b"x", key=True, track=1)
    while pair.sender.is_whole(1):
        pair.send(2, bytes(20_000), track=1)
    pair.sender.lazy = True
    pair.send(3, b"x", key=True)
    pair.send(4, b"x")
    pair.sender.flush()
    pair.receive()
    pair.units.clear()

    pair.send(5, b"x")
    pair.send(6, b"x", key=True)
    pair.send(7, b"x")
    pair.sender.flush()
    pair.receive()

    assert numbers(pair) == [6, 7]
    assert sum(gap.skipped for gap in pair.gaps if gap.track == 0) == 3


def test_batch_never_exceeds_the_socket_buffer(pair: Pair) -> None:
    """A camera with a high bit rate must not lose units to batching."""
    pair.sender.lazy = True
    pair.send(1, b"x", key=True)
    for number in range(2, 402):
        pair.send(number, bytes(20_000))
        pair.receiver.receive()
    pair.sender.flush()
    pair.receive()

    assert numbers(pair) == list(range(1, 402))
    assert pair.gaps == []


def test_batched_units_are_sent_before_a_gap(pair: Pair) -> None:
    """The server drops the group when it learns of a gap, so it must have all units by then."""
    pair.sender.lazy = True
    pair.send(1, b"x", key=True)
    pair.send(2, b"x")
    pair.sender.lose(0, GapReason.DAMAGED)
    pair.receive()

    assert numbers(pair) == [1, 2]
    assert pair.gaps == [Gap(0, GapReason.DAMAGED, 1)]


def test_damage_is_reported_at_once(pair: Pair) -> None:
    """A viewer must switch to pictures now, not at the next key frame."""
    pair.send(1, b"x", key=True)
    pair.sender.lose(0, GapReason.DAMAGED)
    pair.receive()
    assert pair.gaps == [Gap(0, GapReason.DAMAGED, 1)]

    pair.send(3, b"x")
    pair.send(4, b"x")
    pair.send(5, b"x", key=True)
    pair.receive()

    assert numbers(pair) == [1, 5]
    assert pair.gaps[1:] == [Gap(0, GapReason.DAMAGED, 2)]


def test_each_loss_has_its_own_reason(pair: Pair) -> None:
    """Once a stream was damaged, units that the server failed to read counted as damaged too."""
    pair.send(1, b"x", key=True)
    pair.sender.lose(0, GapReason.DAMAGED)
    pair.send(3, b"x", key=True)
    pair.receive()
    pair.sender.lose(0, GapReason.UNREAD)
    pair.receive()

    assert pair.gaps == [Gap(0, GapReason.DAMAGED, 1), Gap(0, GapReason.UNREAD, 1)]


def test_oversized_unit_is_not_sent(pair: Pair) -> None:
    """A stream whose first picture never ends must not fill the memory."""
    pair.send(1, bytes(MAX_UNIT_BYTES + 1), key=True)
    pair.receive()

    assert pair.units == []
    assert pair.gaps == [Gap(0, GapReason.DAMAGED, 1)]


def test_end_of_the_child_is_reported(pair: Pair) -> None:
    """Receiving raises EOFError once the child has ended."""
    pair.sender.close()
    pair.raw.close()

    with pytest.raises(EOFError):
        pair.receiver.receive()


def test_unsealed_memory_is_rejected(pair: Pair) -> None:
    """A faulty child is not trusted: reading memory that it shrank would crash the server."""
    before = len(os.listdir("/proc/self/fd"))
    head = HEAD.pack(0, 1, 0, 0, 1, 1, 1e9, 0.0, 640, 360, 100, b"avc1.64001f")
    ours, theirs = os.pipe()
    memory = os.memfd_create("unsealed")
    os.ftruncate(memory, 100)
    for fd in (ours, memory):
        rights = array.array("i", [fd])
        extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
        pair.raw.sendmsg([head], extra)

        with pytest.raises(ValueError, match="the memory of a unit"):
            pair.receiver.receive()

    for fd in (ours, theirs, memory):
        os.close(fd)
    assert len(os.listdir("/proc/self/fd")) == before
    assert pair.units == []


heads = st.builds(
    lambda *values: HEAD.pack(*values),
    *(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
    *(st.sampled_from([0, 1, 1 << 31]), st.integers(0, 2), st.integers(0, 3)),
    *(st.floats(allow_nan=True), st.floats(allow_nan=True, width=32)),
    *(st.integers(0, 65535), st.integers(0, 65535), st.sampled_from([0, 3, 1 << 31])),
    st.sampled_from([b"avc1.64001f", b"", b"\xff\xfe", b"<b>", b"x" * 39]),
)


units = heads.map(lambda head: head + b"abc")
messages = st.one_of(
    st.binary(max_size=200), heads, units, st.lists(units, max_size=3).map(b"".join)
)


@settings(max_examples=100, deadline=None)
@given(st.lists(messages, max_size=8))
def test_malformed_messages_are_rejected(sent: list[bytes]) -> None:
    """Invalid messages are rejected whole; accepted ones are valid."""
    with closing(Pair()) as pair:
        for message in sent:
            if message:
                pair.raw.send(message)
            with suppress(ValueError):
                pair.receiver.receive()

        for head, data in pair.units:
            assert data == b"abc"
            assert head.track < 2
            assert 0 < head.place.begun <= head.place.number
            assert head.codec.isascii()
        assert all(gap.skipped <= 1 << 20 for gap in pair.gaps)
