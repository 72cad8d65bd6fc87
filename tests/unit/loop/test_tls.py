"""TLS on a non-blocking socket, between real sockets and Python's own client."""

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from eventlet import greenio

from server.delivery.packet import SHARED_FROM, Packet
from server.loop import hub
from server.loop.tls import BATCH_BYTES, TlsSocket
from tests.support.network.certificates import Certified, TlsClient, secure

Pair = tuple[TlsSocket, TlsClient]


@pytest.fixture
def connect(certified: Certified) -> Iterator[Callable[[], Pair]]:
    """A function that returns both ends of a new connection after the handshake."""
    opened: list[Any] = []

    def make() -> Pair:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname())
            accepted, _ = listener.accept()
        server, theirs = secure(certified, greenio.GreenSocket(accepted), client)
        opened.extend((server, theirs))
        ours: TlsSocket = server.fd
        return ours, theirs

    yield make
    for sock in opened:
        sock.close()


def receive(theirs: TlsClient, size: int) -> bytes:
    """Read this many bytes."""
    data = b""
    while len(data) < size:
        data += theirs.recv(size - len(data))
    return data


def send_until_full(ours: TlsSocket, data: bytes) -> int:
    """Send until the kernel accepts no more; return how many bytes that was."""
    view, sent = memoryview(data), 0
    try:
        while sent < len(data):
            sent += ours.send(view[sent:])
    except BlockingIOError:
        pass
    return sent


def receive_at_ours(ours: TlsSocket) -> bytes:
    """Return the result of the first read that returns anything."""
    while True:
        assert hub.wait_readable(ours, 2), "nothing came"
        try:
            return ours.recv(1)
        except BlockingIOError:
            continue


def test_whole_picture_is_sent_in_one_call(connect: Callable[[], Pair]) -> None:
    """The picture arrives unchanged, though it takes several records."""
    ours, theirs = connect()
    picture = os.urandom(58_000)

    assert ours.send(picture) == len(picture)
    assert receive(theirs, len(picture)) == picture


def test_slow_reader_loses_nothing_and_memory_is_bounded(connect: Callable[[], Pair]) -> None:
    """Bytes that the kernel does not accept wait, one batch at most, and are sent first.

    OpenSSL has numbered the records: sending them out of order, or dropping them, would end the
    connection.
    """
    ours, theirs = connect()
    data = os.urandom(8_000_000)
    sent = send_until_full(ours, data)
    held = sum(map(len, ours._unsent))

    taken = b""
    while len(taken) < len(data):
        taken += receive(theirs, min(100_000, len(data) - len(taken)))
        sent += send_until_full(ours, data[sent:])

    assert taken == data
    assert 0 < held < BATCH_BYTES + 1024


def test_sending_after_half_a_message_is_an_error(connect: Callable[[], Pair]) -> None:
    """A sender that gives up on a slow reader and writes a last message gets a connection error.

    The HTTP server does that after a deadline, which used to end in a traceback.
    """
    ours, _ = connect()
    send_until_full(ours, bytes(8_000_000))

    with pytest.raises(BrokenPipeError):
        ours.send(b"0\r\n\r\n")


def test_all_received_bytes_are_read(connect: Callable[[], Pair]) -> None:
    """Decrypted bytes that were left behind would not make the descriptor readable again."""
    ours, theirs = connect()
    theirs.sendall(b"one")
    theirs.sendall(b"two" * 1000)

    got = b""
    while len(got) < 3003:
        got += receive_at_ours(ours)

    assert got == b"one" + b"two" * 1000
    with pytest.raises(BlockingIOError):
        ours.recv(1)


def test_small_buffer_gets_the_rest_with_the_next_read(connect: Callable[[], Pair]) -> None:
    """The rest of a record comes with the next read, without another byte from the network."""
    ours, theirs = connect()
    theirs.sendall(b"abcdef")
    hub.wait_readable(ours, 2)
    space = bytearray(4)

    assert (ours.recv_into(space), bytes(space)) == (4, b"abcd")
    assert (ours.recv_into(space), bytes(space[:2])) == (2, b"ef")
    with pytest.raises(BlockingIOError):
        ours.recv_into(space)


def test_close_notify_ends_the_connection(connect: Callable[[], Pair]) -> None:
    """Both sides send it, so that a broken connection is not mistaken for a complete answer."""
    ours, theirs = connect()
    ours.send(b"all")
    ours.shutdown(socket.SHUT_RDWR)
    assert receive(theirs, 3) == b"all"
    assert theirs.recv(1) == b"", "and no SSLEOFError"

    ours, theirs = connect()
    with pytest.raises(ssl.SSLWantReadError):
        theirs.unwrap()
    assert receive_at_ours(ours) == b""


def test_unencrypted_bytes_are_an_error(connect: Callable[[], Pair]) -> None:
    """The error is an OSError, which ends a connection wherever it is raised."""
    ours, theirs = connect()
    with socket.socket(fileno=theirs.detach()) as bare:
        bare.send(b"GET / HTTP/1.1\r\n\r\n")

        with pytest.raises(OSError, match="wrong version"):
            receive_at_ours(ours)


def test_endless_handshake_is_aborted(certified: Certified) -> None:
    """A client that only sends handshake records would waste CPU time."""
    ours_plain, theirs = socket.socketpair()
    ours = TlsSocket(ours_plain)
    ours.secure(certified.context())
    hello = b"\x16\x03\x01\x40\x00" + b"\x01\x01\xff\xff" + bytes(16380)
    more = b"\x16\x03\x01\x40\x00" + bytes(16384)
    theirs.setblocking(False)

    def send(data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[theirs.send(rest) :]
            while hub.wait_readable(ours, 0.01):
                assert not ours.do_handshake()

    with ours, theirs, pytest.raises(ConnectionAbortedError):
        send(hello + 5 * more)


def test_shared_packets_are_encrypted(connect: Callable[[], Pair]) -> None:
    """From the fifth viewer on, plain sockets are sent a file; here that would be unencrypted."""
    packet = Packet(os.urandom(60_000))
    pairs = [connect() for _ in range(SHARED_FROM + 1)]

    assert [packet.send(ours) for ours, _ in pairs] == [packet.size] * len(pairs)
    assert all(receive(theirs, packet.size) == packet.data for _, theirs in pairs)
