"""Small messages on their way out."""

from typing import Any, cast

from server.cluster.messages import Wake
from server.cluster.outbox import FRESH_S, MOST_WAITING, Outbox
from tests.cluster.fakes import FakeBus
from tests.conftest import FakeClock, settle, until


def names(bus: FakeBus) -> list[str]:
    return [channel for channel, _ in bus.commands.published]


def test_messages_go_out_in_order(clock: FakeClock) -> None:
    """What is said first is sent first, and all of it before the end."""
    bus = FakeBus()
    outbox = Outbox(cast(Any, bus), clock)
    outbox.open()

    for name in "abc":
        outbox.say(name, Wake(camera="door"))
    outbox.close()

    assert names(bus) == ["a", "b", "c"]
    assert bus.commands.published[0][1] == b'{"camera":"door","rendition":"full"}'


def test_old_news_is_dropped(clock: FakeClock) -> None:
    """What could not be said in time is not said late."""
    bus = FakeBus()
    outbox = Outbox(cast(Any, bus), clock)
    bus.commands.hangs = True
    outbox.open()
    outbox.say("a", Wake())
    settle()
    outbox.say("b", Wake())
    clock.advance(FRESH_S + 0.1)
    outbox.say("c", Wake())
    bus.commands.hangs = False

    until(lambda: names(bus) == ["a", "c"])
    assert outbox.dropped == 1
    outbox.close()


def test_nothing_grows_while_the_bus_hangs(clock: FakeClock) -> None:
    """There is room for so many, and the oldest go."""
    bus = FakeBus()
    outbox = Outbox(cast(Any, bus), clock)

    for number in range(3 * MOST_WAITING):
        outbox.say(str(number), Wake())
    outbox.open()
    until(lambda: len(names(bus)) == MOST_WAITING)

    assert outbox.dropped == 2 * MOST_WAITING
    assert names(bus)[-1] == str(3 * MOST_WAITING - 1)
    outbox.close()
