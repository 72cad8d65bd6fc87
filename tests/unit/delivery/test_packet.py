"""One packet on many sockets."""

import gc
import os
import socket
from collections.abc import Iterator

import pytest

from server.delivery.packet import SHARED_FROM, Packet

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    """More TCP connections than sharing requires, each with a non-blocking sending end."""
    pairs = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        for _ in range(SHARED_FROM + 3):
            ours = socket.create_connection(server.getsockname())
            ours.setblocking(False)
            pairs.append((ours, server.accept()[0]))
    yield pairs
    for pair in pairs:
        for sock in pair:
            sock.close()


def receive(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += sock.recv(count - len(data))
    return data


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_all_sockets_get_the_same_bytes(pairs: list[Pair]) -> None:
    """The first few sockets get copies of the parts, the rest a shared file."""
    data = os.urandom(60_000)
    packet = Packet(data[:200], data[200:])

    sent = [packet.send(ours) for ours, _ in pairs]

    assert sent == [len(data)] * len(pairs)
    assert all(receive(theirs, len(data)) == data for _, theirs in pairs)


def test_unread_bytes_outlive_the_packet(pairs: list[Pair]) -> None:
    """When the packet is freed before anyone has read it, no bytes are lost."""
    gc.collect()  # Collect what earlier tests left.
    before = descriptors()
    data = os.urandom(60_000)
    packet = Packet(data)
    for ours, _ in pairs:
        packet.send(ours)
    assert descriptors() == before + 1

    del packet
    gc.collect()

    assert descriptors() == before
    assert all(receive(theirs, len(data)) == data for _, theirs in pairs)


def test_full_socket_accepts_a_part_or_nothing(pairs: list[Pair]) -> None:
    """``send`` returns how many bytes were accepted, always counted from the first."""
    data = os.urandom(8_000_000)
    packet = Packet(data[:200], data[200:])
    for ours, _ in pairs[:-1]:
        packet.send(ours)
    ours, theirs = pairs[-1]

    sent = packet.send(ours)
    taken = receive(theirs, sent)

    assert 0 < sent < len(data)
    assert taken == data[:sent]
    while sent:
        try:
            sent = packet.send(ours)
        except BlockingIOError:
            return
    raise AssertionError("a full socket must say so")


def test_packet_is_copied_without_a_file_descriptor(
    pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the shared file cannot be created, every socket gets a copy."""

    def refuse(*_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "memfd_create", refuse)
    packet = Packet(b"x" * 60_000)

    sent = [packet.send(ours) for ours, _ in pairs]

    assert sent == [60_000] * len(pairs)


def test_small_packet_is_copied(pairs: list[Pair]) -> None:
    """A frame of video is small: a file would cost more than the copies."""
    before = descriptors()
    packet = Packet(b"x" * 9000)

    sent = [packet.send(ours) for ours, _ in pairs]

    assert sent == [9000] * len(pairs)
    assert descriptors() == before


def test_closed_connection_is_an_error(pairs: list[Pair]) -> None:
    """Sending raises as on any socket, and the others are not affected."""
    packet = Packet(b"x" * 100_000)
    for ours, _ in pairs[:-2]:
        packet.send(ours)
    gone, alive = pairs[-2][0], pairs[-1]
    gone.shutdown(socket.SHUT_WR)

    with pytest.raises(OSError):
        packet.send(gone)

    assert packet.send(alive[0]) > 0
