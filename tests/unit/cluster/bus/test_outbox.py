"""Small outgoing messages."""

from typing import Any, cast

from server.cluster.bus.messages import Wake
from server.cluster.bus.outbox import MAX_AGE_S, MAX_PENDING, Outbox
from tests.support.fakes import FakeClock, settle, until
from tests.support.servers.bus import FakeBus


def names(bus: FakeBus) -> list[str]:
    return [channel for channel, _ in bus.commands.published]


def test_messages_go_out_in_order(clock: FakeClock) -> None:
    """Messages are sent in order, and all of them before the end."""
    bus = FakeBus()
    outbox = Outbox(cast(Any, bus), clock)
    outbox.open()

    for name in "abc":
        outbox.send(name, Wake(camera="door"))
    outbox.close()

    assert names(bus) == ["a", "b", "c"]
    assert bus.commands.published[0][1].startswith(b'{"camera":"door","rendition":"full",')


def test_expired_messages_are_dropped(clock: FakeClock) -> None:
    """A message that could not be sent in time is not sent late."""
    bus = FakeBus()
    outbox = Outbox(cast(Any, bus), clock)
    bus.commands.hangs = True
    outbox.open()
    outbox.send("a", Wake())
    settle()
    outbox.send("b", Wake())
    clock.advance(MAX_AGE_S + 0.1)
    outbox.send("c", Wake())
    bus.commands.hangs = False

    until(lambda: names(bus) == ["a", "c"])
    assert outbox.dropped == 1
    outbox.close()


def test_queue_is_bounded_while_the_bus_hangs(clock: FakeClock) -> None:
    """The queue is bounded, and the oldest messages are dropped."""
    bus = FakeBus()
    outbox = Outbox(cast(Any, bus), clock)

    for number in range(3 * MAX_PENDING):
        outbox.send(str(number), Wake())
    outbox.open()
    until(lambda: len(names(bus)) == MAX_PENDING)

    assert outbox.dropped == 2 * MAX_PENDING
    assert names(bus)[-1] == str(3 * MAX_PENDING - 1)
    outbox.close()
