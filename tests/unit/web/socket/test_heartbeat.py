"""One connection's pings, on the test's clock."""

import flask
import pytest
from engineio.packet import PONG, Packet
from engineio.socket import Socket

from server.app import make_socketio
from server.loop import hub
from server.web.socket.heartbeat import Heartbeat
from tests.support.fakes import until


class FakeLine:
    """A WebSocket that counts its pings."""

    def __init__(self) -> None:
        self.pings = 0

    def send_built(self, data: bytes) -> None:
        assert data == b"\x81\x012"
        self.pings += 1


@pytest.fixture
def line() -> FakeLine:
    """The line that pings are sent on."""
    return FakeLine()


@pytest.fixture
def heartbeat(line: FakeLine) -> Heartbeat:
    """The heartbeat of a connection that began at 100 s."""
    return Heartbeat(line, 100.0)  # type: ignore[arg-type]


def test_pings_follow_answers(heartbeat: Heartbeat, line: FakeLine) -> None:
    """One is sent 10 s after the connection began, and one 10 s after each answer."""
    assert all(heartbeat.beat(100.0 + second) for second in range(20))
    assert line.pings == 1

    heartbeat.answer(110.2)
    assert all(heartbeat.beat(100.0 + second) for second in range(10, 30))
    assert line.pings == 2

    heartbeat.answer(121.5)
    assert all(heartbeat.beat(100.0 + second) for second in range(21, 41))
    assert line.pings == 3


def test_unanswered_ping_times_out(heartbeat: Heartbeat, line: FakeLine) -> None:
    """This holds for the first ping and for any later one."""
    assert not heartbeat.beat(120.0)
    assert line.pings == 1

    heartbeat.answer(120.0)
    assert [heartbeat.beat(at) for at in (130.0, 139.9, 140.0)] == [True, True, False]
    assert line.pings == 2


def test_engineio_queue_never_times_out() -> None:
    """Otherwise it would close connections that are only sent frames, which bypass its queue.

    Our pings used to pass through it just for that, and cost a green thread's turn each.
    """
    engine = make_socketio(flask.Flask("test"), lambda reason: None).server.eio
    queue, taken = engine.create_queue(), list[object]()

    def take() -> None:
        taken.append(queue.get(timeout=0.001))

    reader = hub.spawn(take)
    hub.sleep(0.005)
    assert not reader.done
    queue.put("news")

    until(lambda: taken == ["news"])


def test_engineio_sends_no_pings() -> None:
    """Its pings kept a green thread per connection waiting, which cost more than all frames."""
    engine = make_socketio(flask.Flask("test"), lambda reason: None).server.eio
    engine.ping_interval = 0.001
    connection = Socket(engine, "id")
    engine.sockets["id"] = connection

    engine._trigger_event("connect", "id", {}, run_async=False)
    connection.schedule_ping()  # As it does then.
    connection.receive(Packet(PONG))
    hub.sleep(0.005)

    assert connection.queue.empty()
