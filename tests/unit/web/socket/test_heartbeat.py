"""Pings of one connection, by a clock of the test's own."""

import pytest

from server.web.socket.heartbeat import Heartbeat


class FakeLine:
    """A WebSocket that counts its pings."""

    def __init__(self) -> None:
        self.pings = 0
        self.forgotten = 0

    def ping(self) -> None:
        self.pings += 1

    def forget_ping(self) -> None:
        self.forgotten += 1


@pytest.fixture
def line() -> FakeLine:
    """Where pings go."""
    return FakeLine()


@pytest.fixture
def heartbeat(line: FakeLine) -> Heartbeat:
    """That of a connection which began at 100 s."""
    return Heartbeat(line, 100.0)  # type: ignore[arg-type]


def test_first_ping_is_left_to_engineio(heartbeat: Heartbeat, line: FakeLine) -> None:
    """It sends one 10 s after the connection began, whatever it is told."""
    assert all(heartbeat.beat(100.0 + second) for second in range(20))

    assert line.pings == 0


def test_answered_pings_go_on(heartbeat: Heartbeat, line: FakeLine) -> None:
    """One is sent 10 s after each answer, once; Engine.IO need not wait for any."""
    heartbeat.answer(110.2)
    assert all(heartbeat.beat(100.0 + second) for second in range(10, 30))
    assert line.pings == 1

    heartbeat.answer(121.5)
    assert all(heartbeat.beat(100.0 + second) for second in range(21, 41))
    assert line.pings == 2
    assert line.forgotten == 2


def test_who_does_not_answer_is_given_up(heartbeat: Heartbeat, line: FakeLine) -> None:
    """Whether that is the first ping, or any later one."""
    assert not heartbeat.beat(120.0)

    heartbeat.answer(120.0)
    assert [heartbeat.beat(at) for at in (130.0, 139.9, 140.0)] == [True, True, False]
    assert line.pings == 1
