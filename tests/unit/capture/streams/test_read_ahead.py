"""Read packets before they are due."""

import itertools
import threading
import time
from collections.abc import Iterator

import pytest

from server.capture.streams.packet import Packet
from server.capture.streams.playout import Playout
from server.capture.streams.read_ahead import MAX_AHEAD_S, ReadAhead
from server.errors import SourceError


class Film:
    """Packets at 100 fps, as fast as they are read."""

    def __init__(self, count: int | None = None, nbytes: int = 1000) -> None:
        numbers = itertools.count() if count is None else iter(range(count))
        self._stamps: Iterator[float] = (number / 100 for number in numbers)
        self._nbytes = nbytes
        self.read = 0
        self.closed = threading.Event()

    def next(self) -> Packet:
        for timestamp_s in self._stamps:
            self.read += 1
            return Packet(None, True, self._nbytes, timestamp_s, timestamp_s, time.monotonic())  # type: ignore[arg-type]
        raise SourceError("the stream ended")


def start(film: Film) -> ReadAhead:
    return ReadAhead(film.next, film.closed.set, Playout(0.01, 2.0), catches_up=False)


def test_packets_come_in_order_and_when_due() -> None:
    """All are read immediately, and each is returned when due; then the end is reported."""
    began, taken = time.monotonic(), []
    ahead = start(Film(20))

    while len(taken) < 20:
        if found := ahead.take(0.2):
            packet, due = found
            taken.append((packet.timestamp_s, time.monotonic() - began))
            assert due <= time.monotonic()
    with pytest.raises(SourceError, match="the stream ended"):
        ahead.take(0.2)
    ahead.close()

    assert [timestamp_s for timestamp_s, _ in taken] == [number / 100 for number in range(20)]
    assert all(at >= timestamp_s for timestamp_s, at in taken if timestamp_s is not None)


@pytest.mark.parametrize(("nbytes", "most"), [(1000, 100 * MAX_AHEAD_S), (1 << 20, 34)])
def test_read_ahead_is_bounded(nbytes: int, most: float) -> None:
    """A film is not read into memory whole: the rest stays on its server."""
    film = Film(nbytes=nbytes)
    began = time.monotonic()
    ahead = start(film)

    before = -1
    while before != film.read:
        before = film.read
        ahead._thread.join(0.2)
    elapsed_s = time.monotonic() - began
    ahead.close()

    assert film.read <= most + 100 * elapsed_s + 5
    assert film.closed.is_set()


def test_end_is_reported_without_waiting() -> None:
    """The end of a film ends a wait immediately, not after its time-out."""
    ahead = start(Film(1))
    assert ahead.take(1.0) is not None

    began = time.monotonic()
    with pytest.raises(SourceError):
        ahead.take(5.0)
    ahead.close()

    assert time.monotonic() - began < 1


def test_film_continues_after_a_pause() -> None:
    """What became due during the pause is not played in a burst."""
    ahead = start(Film())
    assert ahead.take(1.0) is not None
    time.sleep(0.8)

    began, taken = time.monotonic(), []
    while time.monotonic() - began < 0.2:
        if found := ahead.take(0.05):
            taken.append(found[0].timestamp_s)
    ahead.close()

    assert taken[0] == 0.01
    assert len(taken) < 40


def test_stream_stays_open_while_its_packets_may_be_decoded() -> None:
    """Closing at the end freed what the decoder still used, and the process crashed."""
    film = Film(2)
    ahead = start(film)
    ahead._thread.join(5.0)  # Everything has been read.

    closed_before = film.closed.is_set()
    ahead.close()

    assert not closed_before
    assert film.closed.is_set()
