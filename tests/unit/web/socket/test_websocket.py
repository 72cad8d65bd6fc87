"""The WebSocket, between a real green socket and another implementation of the protocol."""

import functools
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.frames import Opcode

from server.delivery.packet import SHARED_BYTES, Packet
from server.loop import hub
from server.protocol import BINARY, TEXT, websocket_frame
from server.web.socket import websocket as transport
from server.web.socket.websocket import MAX_MESSAGE_BYTES, WebSocket
from tests.support.fakes import settle, until
from tests.support.network.certificates import Certified, TlsClient, secure
from tests.unit.web.socket.peer import Peer

Link = tuple[WebSocket, Peer]


@pytest.fixture(params=["plain", "tls"])
def connect(request: pytest.FixtureRequest, certified: Certified) -> Iterator[Callable[..., Link]]:
    """A function that makes a connection with a small kernel buffer; returns both ends."""
    ends: list[Any] = []
    wrap = functools.partial(secure, certified) if request.param == "tls" else lambda *both: both

    def make() -> Link:
        listener = hub.listen("127.0.0.1", 0)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        client: Any = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        listener.close()
        server, client = wrap(server, client)
        malformed: list[str] = []
        websocket = WebSocket(server, malformed.append)
        websocket.malformed = malformed  # type: ignore[attr-defined]
        ends.extend([websocket, client, server])
        return websocket, Peer(client)

    yield make
    for end in ends:
        end.close()
        settle(3)  # A waiter is woken before its descriptor is closed.


@pytest.fixture
def link(connect: Callable[..., Link]) -> Link:
    """One connection."""
    return connect()


def read(websocket: WebSocket) -> list[Any]:
    """Read in a green thread, as Engine.IO does; the list grows, and ends with None."""
    got: list[Any] = []

    def run() -> None:
        while not got or got[-1] is not None:
            got.append(websocket.wait())

    hub.spawn(run)
    return got


def test_message_is_received(link: Link) -> None:
    """Text that the peer sends is returned, one message at a time."""
    websocket, peer = link

    peer.text("3", '42["watch",{}]')

    assert websocket.wait() == "3"
    assert websocket.wait() == '42["watch",{}]'


def test_message_in_pieces_is_received(link: Link) -> None:
    """Bytes may arrive one by one, and a message in fragments."""
    websocket, peer = link
    got = read(websocket)
    peer.protocol.send_text(b'42["wa', fin=False)
    peer.protocol.send_continuation(b'tch"', fin=False)
    peer.protocol.send_continuation(b"]", fin=True)

    for byte in b"".join(peer.protocol.data_to_send()):
        peer.raw(bytes([byte]))
        hub.sleep(0)

    until(lambda: got == ['42["watch"]'])


def test_ping_is_answered(link: Link) -> None:
    """A ping, also between the fragments of a message, is answered with its own bytes."""
    websocket, peer = link
    read(websocket)
    peer.protocol.send_text(b"4", fin=False)
    peer.protocol.send_ping(b"hello")
    peer.flush()

    (frame,) = peer.frames()

    assert (frame.opcode, frame.data) == (Opcode.PONG, b"hello")


def test_session_sees_messages_first(link: Link) -> None:
    """Engine.IO does not see a message that the session handles."""
    websocket, peer = link
    seen: list[Any] = []
    websocket.on_message = lambda message: seen.append(message) or message == "3"  # type: ignore[func-returns-value]

    peer.text("3", "40")

    assert websocket.wait() == "40"
    assert seen == ["3", "40"]


def test_malformed_event_is_counted_and_dropped(link: Link) -> None:
    """A malformed event costs its sender only that event."""
    websocket, peer = link

    peer.text("42[", "3")

    assert websocket.wait() == "3"
    assert websocket.malformed == ["malformed"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x01x",  # Not masked.
        b"\xc1\x80\0\0\0\0",  # Compressed, which was never negotiated.
        b"\x83\x80\0\0\0\0",  # A reserved opcode.
        b"\x80\x80\0\0\0\0",  # A continuation of nothing.
        b"\x81\x81\0\0\0\0\xff",  # Not UTF-8.
        b"\x82\x81\0\0\0\0x",  # Binary, which no dashboard sends.
        b"\x81\xff\x7f" + b"\xff" * 7 + b"\0\0\0\0",  # Endless.
        b"\x89\xfe\x00\x7e\0\0\0\0" + bytes(126),  # A ping too long for one.
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_protocol_violation_ends_the_connection(link: Link, data: bytes) -> None:
    """A violation of RFC 6455 or the contract ends this connection only."""
    websocket, peer = link
    got = read(websocket)

    peer.raw(data)

    assert peer.closed()
    until(lambda: got == [None])
    assert websocket.closed


def test_message_too_long_ends_the_connection(link: Link) -> None:
    """No client can make the server hold more than a small message."""
    websocket, peer = link
    got = read(websocket)

    peer.text("4" * (MAX_MESSAGE_BYTES + 1))

    until(lambda: got == [None])


def test_endless_fragments_end_the_connection(link: Link) -> None:
    """The limit covers all fragments of a message together."""
    websocket, peer = link
    got = read(websocket)
    peer.protocol.send_text(b"4", fin=False)
    for _ in range(40):
        peer.protocol.send_continuation(bytes(1000), fin=False)

    try:
        peer.flush()
    except OSError:
        pass  # It was closed before everything was sent.

    until(lambda: got == [None])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_do_no_harm(connect: Callable[..., Link], data: bytes) -> None:
    """For any bytes, reading ends or continues; it never raises."""
    websocket, peer = connect()
    got = read(websocket)

    peer.raw(data)
    peer.sock.close()

    until(lambda: got and got[-1] is None)
    assert all(isinstance(message, str) for message in got[:-1])


def test_close_frame_is_answered(link: Link) -> None:
    """A closing handshake is completed."""
    websocket, peer = link
    got = read(websocket)
    peer.protocol.send_close(1000)
    peer.flush()

    (frame,) = peer.frames()

    assert frame.opcode is Opcode.CLOSE
    until(lambda: got == [None])


def test_vanished_peer_ends_the_wait(link: Link) -> None:
    """A broken connection is noticed."""
    websocket, peer = link

    peer.sock.close()

    assert websocket.wait() is None
    assert websocket.closed


@pytest.mark.parametrize(
    ("message", "opcode"), [("2", Opcode.TEXT), ("ä" * 200, Opcode.TEXT), (b"x", Opcode.BINARY)]
)
def test_message_is_sent(link: Link, message: str | bytes, opcode: Opcode) -> None:
    """Text and bytes arrive as such."""
    websocket, peer = link

    websocket.send(message)

    (frame,) = peer.frames()
    assert frame.opcode is opcode
    assert frame.data == (message.encode() if isinstance(message, str) else message)


def packet(fill: int, size: int = 500_000) -> Packet:
    """Return a WebSocket message larger than the kernel takes at once."""
    return Packet(b"".join(websocket_frame(BINARY, bytes([fill]) * size)))


def test_offer_does_not_block(link: Link) -> None:
    """What the kernel does not take follows later, while the caller continues."""
    websocket, peer = link
    drained: list[bool] = []
    websocket.on_drained = lambda: drained.append(websocket.busy)

    assert websocket.offer(packet(7)) is None

    assert websocket.busy
    assert drained == []
    (frame,) = peer.frames()
    assert bytes(frame.data) == b"\x07" * 500_000
    until(lambda: drained == [False])


def test_small_packet_is_sent_immediately(link: Link) -> None:
    """A packet that the kernel takes leaves the line free."""
    websocket, _ = link

    assert websocket.offer(packet(1, 100)) is None

    assert not websocket.busy


@pytest.mark.parametrize("last", ["packet", "large packet", "text", "nothing", "the end"])
def test_held_messages_are_sent_before_the_next_packet(link: Link, last: str) -> None:
    """They are sent in order and only once: before a packet, a message or the end."""
    websocket, peer = link
    websocket.hold(b"".join(websocket_frame(TEXT, b"first")), 1.0)
    websocket.hold(b"".join(websocket_frame(TEXT, b"second")), 2.0)

    end: dict[str, Callable[[], object]] = {
        "packet": lambda: websocket.offer(packet(7, 1)),
        "large packet": lambda: websocket.offer(packet(7, SHARED_BYTES)),
        "text": lambda: websocket.send_text("text"),
        "nothing": websocket.release,
        "the end": websocket.close,
    }
    end[last]()
    websocket.release()
    websocket.send_text("later")

    after = {
        "packet": [b"\x07"],
        "large packet": [b"\x07" * SHARED_BYTES],
        "text": [b"text"],
        "nothing": [],
        "the end": [b"\x03\xe9"],
    }[last]
    later = [] if last == "the end" else [b"later"]
    expected = [b"first", b"second", *after, *later]
    assert [bytes(frame.data) for frame in peer.frames(len(expected))] == expected


def test_release_keeps_messages_held_later(link: Link) -> None:
    """One message's timeout used to flush the others too, ahead of the frame they waited for."""
    websocket, peer = link
    websocket.hold(b"".join(websocket_frame(TEXT, b"first")), 1.0)
    assert websocket.release(1.0)
    websocket.hold(b"".join(websocket_frame(TEXT, b"second")), 1.1)

    assert not websocket.release(1.0)
    websocket.offer(packet(7, 1))

    received = [bytes(frame.data) for frame in peer.frames(3)]
    assert received == [b"first", b"second", b"\x07"]
    assert not websocket.release()


def test_held_message_follows_an_unfinished_packet(link: Link) -> None:
    """There is no reason to hold it until the next packet."""
    websocket, peer = link
    websocket.offer(packet(7))

    websocket.hold(b"".join(websocket_frame(TEXT, b"held")), 1.0)

    big, held = peer.frames(2)
    assert (len(big.data), bytes(held.data)) == (500_000, b"held")


def test_messages_do_not_interleave(link: Link) -> None:
    """A message sent during a packet follows it whole."""
    websocket, peer = link
    websocket.offer(packet(7))
    task = hub.spawn(websocket.send, "2" * 20)
    settle()
    assert not task.done

    frames = peer.frames(2)

    assert [bytes(frame.data) for frame in frames] == [b"\x07" * 500_000, b"2" * 20]
    assert task.join(1)


def test_slow_peer_has_one_packet_waiting(link: Link) -> None:
    """A viewer that does not read has one packet waiting; the line reports that it is busy."""
    websocket, _ = link

    websocket.offer(packet(1))
    settle()

    assert websocket.busy
    assert websocket.offer(packet(2)) == "unsent"


def test_offer_to_a_closed_connection_returns_gone(link: Link) -> None:
    """It does not raise."""
    websocket, _ = link
    websocket.close()

    assert websocket.offer(packet(1, 1)) == "gone"


def test_send_to_a_closed_connection_raises(link: Link) -> None:
    """Engine.IO's writer learns by an exception that the connection has ended."""
    websocket, _ = link
    websocket.close()

    with pytest.raises(ConnectionError):
        websocket.send("2")


def test_send_to_a_stalled_peer_times_out(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer does not wait forever for a peer that never reads."""
    monkeypatch.setattr(transport, "WRITE_DEADLINE_S", 0.01)
    websocket, _ = link
    websocket.offer(packet(1))

    with pytest.raises(ConnectionError):
        websocket.send("2")

    assert websocket.closed


def test_vanished_peer_wakes_the_writer(link: Link) -> None:
    """A writer in the middle of a packet is woken when the peer has gone."""
    websocket, peer = link
    websocket.offer(packet(1))
    errors: list[Exception] = []

    def send() -> None:
        try:
            websocket.send("2")
        except ConnectionError as error:
            errors.append(error)

    task = hub.spawn(send)
    settle()
    peer.sock.close()

    assert task.join(3)
    assert len(errors) == 1


def test_close_sends_a_close_frame_and_wakes_the_reader(link: Link) -> None:
    """Closing tells the peer that the server is going away, and ends the wait."""
    websocket, peer = link
    got = read(websocket)
    settle()

    websocket.close()
    websocket.close()

    (frame,) = peer.frames()
    assert frame.opcode is Opcode.CLOSE
    assert frame.data == (1001).to_bytes(2, "big")
    until(lambda: got == [None])


def test_close_in_mid_packet_sends_no_garbage(link: Link) -> None:
    """After half a packet no close frame is sent: it would be read as part of the picture."""
    websocket, peer = link
    websocket.offer(packet(7))
    received = b""
    take = peer.sock.recv_now if isinstance(peer.sock, TlsClient) else peer.sock.recv

    def receive() -> None:
        nonlocal received
        while data := take(1 << 20):
            received += data

    with pytest.raises(BlockingIOError):
        receive()  # This frees kernel space for a close frame.
    websocket.close()
    assert hub.wait_readable(peer.sock, 3)
    receive()

    assert received
    assert packet(7).data.startswith(received)
