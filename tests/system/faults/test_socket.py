"""Messages that no honest client sends: they harm no other client and leave no ghost."""

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psutil
import pytest

from tests.support.clients.client import Crowd, Viewer
from tests.support.clients.hostile import BINARY, CONTINUATION, PING, TEXT, Hostile
from tests.support.servers.server import (
    FRESH,
    PortholeServer,
    expect_frames,
    last_event,
    wait_until,
)

Start = Callable[..., PortholeServer]
ENGINE_PING = b"\x81\x012"  # As a WebSocket frame.

Connect = Callable[..., Viewer]

FORGIVEN = [
    b"42",
    b"42[]",
    b"42{}",
    b'42[{"name":1}]',
    b'42["watch"',
    b'42["watch",{"camera":}]',
    b"42" + b"[" * 10_000,
    b'42["connect",{}]',
    b'42["disconnect"]',
    b'42["ack"]',
    b'42["ack","test"]',
    b'42["ack","nowhere",1]',
    b'42["ack","test","1"]',
    b'42["ack","test",true]',
    b'42["ack",{"camera":"test"},[1]]',
    b'42["ack","test",1' + b"0" * 5000 + b"]",
    b'42/elsewhere,["watch",{"camera":"test"}]',
    b'42["no_such_event",{"a":"\\u0000\\u001b[31m"}]',
]

FATAL = [
    b"x",
    b"",
    b"430[]",
    b"43",
    b"44{}",
    b"45",
    b'459999999999-["watch"]',
    b'451-["watch",{"_placeholder":true,"num":0}]',
    b"2",
    b"5",
    b"6",
    b"46",
    b"4",
    b"\xff\xfe",
]


def viewers_of(server: PortholeServer) -> int:
    with urllib.request.urlopen(server.url + "api/cameras", timeout=5) as answer:
        return int(json.loads(answer.read())[0]["viewers"])


def watched(server: PortholeServer, connect: Connect) -> Viewer:
    viewer = connect(server)
    assert viewer.call("watch", {"camera": "test"})["ok"]
    return viewer


def expect_undisturbed(server: PortholeServer, good: Viewer) -> None:
    """Check that the good viewer's frames go on, and that it is the only viewer left."""
    expect_frames(good, 5)
    wait_until(lambda: viewers_of(server) == 1)


@pytest.fixture
def server(share_server: Start) -> PortholeServer:
    """A server that each test leaves with only well-behaved viewers."""
    return share_server("test:?size=320x180")


@pytest.fixture
def own_server(start_server: Start) -> PortholeServer:
    """A separate server, for tests that check its log or its exit."""
    return start_server("test:?size=320x180")


@pytest.fixture(scope="module", autouse=True)
def endings(share_server: Start) -> dict[str, "Future[bool]"]:
    """How silent clients and those that only answer pings end; they run beside the other tests."""
    port = share_server("test:?size=320x180").port
    waiting = ThreadPoolExecutor(3, "silence")

    def ends(connected: bool, within_s: float) -> bool:
        hostile = Hostile(port, connected=connected)
        try:
            return hostile.is_closed(within_s=within_s)
        finally:
            hostile.close()

    def is_pinged_on() -> bool:
        patient = Hostile(port)
        patient.sock.settimeout(15)
        try:
            for _ in range(3):
                patient.expect(ENGINE_PING)
                patient.send(b"3")
            return not patient.is_closed(within_s=1)
        finally:
            patient.close()

    return {
        "silent": waiting.submit(ends, connected=False, within_s=8),
        "mute": waiting.submit(ends, connected=True, within_s=45),
        "patient": waiting.submit(is_pinged_on),
    }


def test_malformed_events_are_counted_and_ignored(server: PortholeServer, connect: Connect) -> None:
    """A malformed event is counted and ignored; its connection goes on."""
    good = watched(server, connect)
    clumsy = Hostile(server.port)

    for message in FORGIVEN:
        clumsy.send(message)
    clumsy.send(b'427["clock",{"t":5}]')
    answer = clumsy.expect(b"437[")
    clumsy.close()

    assert b'"ok":true' in answer.replace(b" ", b"")
    expect_undisturbed(server, good)
    good.events.clear()
    good.pump(lambda: bool(last_event(good, "stats")), 5)
    assert last_event(good, "stats")["process"]["refused"]["malformed"] >= 8


@pytest.mark.parametrize("message", FATAL, ids=lambda message: repr(message[:12]))
def test_protocol_violations_close_the_connection(
    server: PortholeServer, connect: Connect, message: bytes
) -> None:
    """A message that no Socket.IO client sends ends its own connection, and leaves no ghost."""
    expect_end(server, connect, message, within_s=5)


@pytest.mark.parametrize("goodbye", [b"41", b"41/,", b"1"])
def test_goodbye_closes_the_connection(
    server: PortholeServer, connect: Connect, goodbye: bytes
) -> None:
    """A client that leaves Socket.IO is disconnected.

    One that only answered pings afterwards used to keep a connection that was not counted.
    """
    expect_end(server, connect, goodbye, within_s=3)


def expect_end(server: PortholeServer, connect: Connect, message: bytes, within_s: float) -> None:
    """Check that sending this ends the viewer's connection, and no other."""
    good = watched(server, connect)
    hostile = Hostile(server.port)
    hostile.send(b'421["watch",{"camera":"test"}]')
    hostile.expect(b"431[")

    hostile.send(message)

    assert hostile.is_closed(within_s=within_s)
    hostile.close()
    expect_undisturbed(server, good)


def test_binary_messages_close_the_connection(server: PortholeServer, connect: Connect) -> None:
    """Clients send no binary, so the server does not wait for attachments."""
    good = watched(server, connect)
    hostile = Hostile(server.port)

    hostile.send(b"\x00" * 100, opcode=BINARY)

    assert hostile.is_closed(within_s=5)
    hostile.close()
    expect_undisturbed(server, good)


@pytest.mark.parametrize("connected", [False, True], ids=["before login", "after"])
def test_endless_fragments_are_cut_off(
    server: PortholeServer, connect: Connect, connected: bool
) -> None:
    """60 MB of fragments are cut off after a few kB: no memory, no lag, no disturbance."""
    good = watched(server, connect)
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    hostile = Hostile(server.port, connected=connected)

    hostile.send(b"4" * 6000, opcode=TEXT, fin=False)
    sent = hostile.send_until_cut_off(b"4" * 60_000, CONTINUATION, max_bytes=60_000_000)
    hostile.close()

    assert sent < 20_000_000
    assert process.memory_info().rss - before < 10e6
    expect_undisturbed(server, good)


def test_event_flood_is_rate_limited(server: PortholeServer, connect: Connect) -> None:
    """500 events in a row are answered, most with rate_limited; the limit resets a second later."""
    good = watched(server, connect)
    eager = connect(server)

    numbers = [eager.ask("clock", {"t": 1}) for _ in range(500)]
    eager.pump(lambda: all(eager.reply(number) for number in numbers), 20)
    replies = [eager.reply(number) for number in numbers]

    refused = [reply for reply in replies if not reply["ok"]]
    assert 200 < len(refused) < 450
    assert {reply["error"] for reply in refused} == {"rate_limited"}
    expect_undisturbed(server, good)
    wait_until(lambda: eager.call("clock", {"t": 1})["ok"])


def test_ping_flood_is_cut_off(server: PortholeServer, connect: Connect) -> None:
    """A client that pings and never reads does not get answers without end."""
    good = watched(server, connect)
    hostile = Hostile(server.port, receive_buffer=4096)

    sent = hostile.send_until_cut_off(b"p" * 125, PING, max_bytes=100_000_000)
    hostile.close()

    assert sent < 100_000_000
    expect_undisturbed(server, good)


def test_viewers_that_never_read_are_evicted(start_server: Start, connect: Connect) -> None:
    """Ten viewers that send pongs but never read are gone within 15 s, and harm no other."""
    own_server = start_server("test:?size=320x180", program=FRESH)  # Its memory is measured.
    good = watched(own_server, connect)
    # Memory that the first requests and frames allocate for good is not a leak.
    expect_frames(good, 90)
    assert viewers_of(own_server) == 1
    process = psutil.Process(own_server.process.pid)
    before = process.memory_info().rss
    hostiles = [Hostile(own_server.port, receive_buffer=4096) for _ in range(10)]
    for hostile in hostiles:
        hostile.send(b'42["watch",{"camera":"test"}]')
    wait_until(lambda: viewers_of(own_server) == 11)

    crowd = Crowd()
    crowd.add(good)
    stop = threading.Event()
    spammer = threading.Thread(target=spam_pongs, args=(hostiles, stop))
    spammer.start()
    started = time.monotonic()
    first = good.arrivals[-1].seq
    taken: list[int] = []
    look_at = started + 5.0

    def gone() -> bool:
        """Record the memory; return whether the viewers are gone, querying only now and then."""
        nonlocal look_at
        taken.append(process.memory_info().rss - before)
        if time.monotonic() < look_at:
            return False
        look_at = time.monotonic() + 0.2
        return viewers_of(own_server) == 1

    crowd.run(20, until=gone)
    took_s = time.monotonic() - started
    stop.set()
    spammer.join()
    for hostile in hostiles:
        hostile.close()

    assert took_s < 15
    assert max(taken) < 10e6
    got = [arrival for arrival in good.arrivals if arrival.seq > first]
    assert len(got) > 0.8 * (got[-1].seq - first)


def spam_pongs(hostiles: list[Hostile], stop: threading.Event) -> None:
    while not stop.wait(0.05):
        for hostile in hostiles:
            try:
                hostile.send(b"3")
            except OSError:
                pass  # Evicted, as expected.


def test_watching_again_does_not_delay_eviction(server: PortholeServer, connect: Connect) -> None:
    """A viewer that never acknowledges is evicted in time, however often it watches again.

    Each `watch` used to bring fresh credit and reset the deadline.
    """
    good = watched(server, connect)
    mute = connect(server, ack="none")
    crowd = Crowd()
    crowd.add(good)
    crowd.add(mute)

    started = time.monotonic()
    while not mute.closed and time.monotonic() - started < 20:
        mute.emit("watch", {"camera": "test"})
        crowd.run(0.3)

    assert mute.closed
    # It learns why: its library alone would say only "transport error".
    assert "nothing was acknowledged for 12 s" in last_event(mute, "notice")["message"]
    expect_undisturbed(server, good)


def test_repeated_connect_closes_the_connection(server: PortholeServer, connect: Connect) -> None:
    """A session that asks to connect again is cut off: connecting is the most expensive request."""
    good = watched(server, connect)
    hostile = Hostile(server.port)

    hostile.send(b"40")

    assert hostile.is_closed(within_s=5)
    hostile.close()
    expect_undisturbed(server, good)


def test_client_without_a_session_is_cut_off(server: PortholeServer, connect: Connect) -> None:
    """A connection without a session may send a few messages before it is cut off."""
    good = watched(server, connect)
    hostile = Hostile(server.port, connected=False)

    with suppress(ConnectionError):  # The server may hang up before the last ones.
        for _ in range(10):
            hostile.send(b'42["clock",{"t":1}]')

    assert hostile.is_closed(within_s=3)
    hostile.close()
    expect_undisturbed(server, good)


def test_concurrent_quits_are_both_answered(own_server: PortholeServer, connect: Connect) -> None:
    """Two operators who quit at the same moment are both answered, and the server ends with 0."""
    one, other = connect(own_server), connect(own_server)

    first, second = one.ask("quit", {}), other.ask("quit", {})
    replies: list[Any] = []
    for viewer, number in ((one, first), (other, second)):
        viewer.pump(lambda v=viewer, n=number: v.reply(n) is not None, 5)
        replies.append(viewer.reply(number))

    assert [reply["ok"] for reply in replies] == [True, True]
    assert own_server.wait(5) == 0


def test_excess_acks_bring_no_extra_frames(server: PortholeServer, connect: Connect) -> None:
    """Acknowledging the future, the past and everything together brings no extra frames."""
    good = watched(server, connect)
    greedy = connect(server, ack="none")
    greedy.call("watch", {"camera": "test"})
    for _ in range(300):
        greedy.emit("ack", "test", 10**9)

    crowd = Crowd()
    crowd.add(good)
    crowd.add(greedy)
    count = len(good.arrivals)
    crowd.run(10, until=lambda: len(good.arrivals) >= count + 60)
    seqs = [arrival.seq for arrival in greedy.arrivals]

    assert seqs == sorted(set(seqs))
    assert len(seqs) <= 302
    expect_frames(good, 5)


ODD_CONNECTS = [
    *(b'40"x"', b"40[]", b'40{"token":["a"]}', b'40{"token":{}}', b'40{"token":1e999}'),
    *(b'40{"token":"\\u0000"}', b"40/elsewhere,", b"40" + b'{"a":' * 3000 + b"}" * 3000),
]


def test_unusual_connects_succeed_or_are_closed(server: PortholeServer, connect: Connect) -> None:
    """Data beside CONNECT leaves no client half connected: it may watch, or it is disconnected."""
    good = watched(server, connect)
    clients = [Hostile(server.port, connected=False) for _ in ODD_CONNECTS]
    for odd, packet in zip(clients, ODD_CONNECTS, strict=True):
        odd.send(packet)
        try:
            odd.send(b'421["watch",{"camera":"test"}]')
        except OSError:
            pass  # Closed already.

    watching = 0
    for odd in clients:
        try:
            odd.expect(b"431[")
            watching += 1
        except ConnectionError:
            pass  # Closed, now or after the deadline for connecting.
        odd.close()

    assert 0 < watching < len(clients)

    expect_undisturbed(server, good)


def test_bad_messages_do_not_flood_the_log(own_server: PortholeServer, connect: Connect) -> None:
    """Hundreds of bad messages are counted, not logged; control characters never get through."""
    good = watched(own_server, connect)
    lines = len(own_server.log)
    for _ in range(3):
        junk = Hostile(own_server.port)
        for message in FORGIVEN:
            junk.send(message)
        junk.send(b'42["\\u001b[31m\\u0007\\nforged",{}]')
        junk.send(b"x\x1b[31m")
        assert junk.is_closed(within_s=5)
        junk.close()

    expect_undisturbed(own_server, good)
    log = own_server.log[lines:]
    assert len(log) <= 12
    assert not [line for line in log if "\x1b" in line or "\x07" in line or line == "forged"]


# Last, because these take a long time.


def test_silent_connection_is_closed(endings: dict[str, "Future[bool]"]) -> None:
    """A WebSocket that never becomes a session is closed after five seconds."""
    assert endings["silent"].result()


def test_session_without_pongs_is_closed(endings: dict[str, "Future[bool]"]) -> None:
    """A session whose peer has vanished is over after two pings."""
    assert endings["mute"].result()


def test_session_that_answers_pings_stays_open(endings: dict[str, "Future[bool]"]) -> None:
    """A session that answers pings is pinged again, and stays open.

    Engine.IO sends the first ping itself; later ones must be requested.
    """
    assert endings["patient"].result()
