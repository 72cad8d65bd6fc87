"""The hub's rounds: what runs in which, and that nothing stops or prolongs them."""

import os
import time
from collections.abc import Iterator

import pytest
from eventlet import hubs

from server.loop import hub
from server.loop.epoll import Hub


@pytest.fixture
def loop() -> Iterator[Hub]:
    """The running hub, which reports each of its rounds."""
    loop = hubs.get_hub()
    assert isinstance(loop, Hub), "the program's own hub is the one that runs"
    loop.LONG_S = -1.0
    yield loop
    del loop.LONG_S
    loop.on_round = lambda end, length_s: None


@pytest.fixture
def rounds(loop: Hub, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of the hub's present round, as the only item."""
    number, dispatch = [0], loop._dispatch

    def count(ready: list[tuple[int, int]]) -> None:
        number[0] += 1
        dispatch(ready)

    monkeypatch.setattr(loop, "_dispatch", count)
    return number


def test_canceled_timer_does_not_wake_the_hub(loop: Hub) -> None:
    """Each wait that ended in time used to leave a timer, which woke the hub later for nothing."""
    rounds: list[float] = []
    loop.on_round = lambda end, length_s: rounds.append(end)
    for number in range(20):
        loop.schedule_call_global(0.002 * number, lambda: None).cancel()

    hub.sleep(0.06)

    assert len(rounds) < 10


def test_failing_callback_does_not_end_the_round(
    loop: Hub, capfd: pytest.CaptureFixture[str]
) -> None:
    """A failure is reported, and the next callback runs."""
    ran: list[str] = []
    loop.soon.extend((lambda: ran.append("first"), lambda: 1 / 0, lambda: ran.append("last")))

    hub.sleep(0.001)

    assert ran == ["first", "last"]
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_endless_callbacks_do_not_keep_the_hub_from_polling(loop: Hub) -> None:
    """A callback that schedules itself again and again leaves the hub time to poll."""
    readable = os.eventfd(1)
    read: list[bool] = []
    turns = 0

    def again() -> None:
        nonlocal turns
        turns += 1
        if not read and turns < 1000:
            loop.soon.append(again)

    watch = hub.ReadWatch(readable, lambda _fd: read.append(True))
    again()
    hub.sleep(0.001)
    watch.stop()
    os.close(readable)

    assert read
    assert turns < 100


def test_callback_can_stop_another_that_is_due(loop: Hub) -> None:
    """Both descriptors are readable in one poll, and each stops the other."""
    called: list[int] = []
    fds = [os.eventfd(1), os.eventfd(1)]
    watches: list[hub.ReadWatch] = []

    def stop_all(fd: int) -> None:
        called.append(fd)
        for watch in watches:
            watch.stop()

    for fd in fds:
        watches.append(hub.ReadWatch(fd, stop_all))
    hub.sleep(0.001)
    for fd in fds:
        os.close(fd)

    assert len(called) == 1


def test_chores_share_rounds_that_run_anyway(loop: Hub, rounds: list[int]) -> None:
    """Each chore used to wake the hub, and waking it cost more than the chore itself."""
    loop.LONG_S = 1.0
    ran: list[int] = []
    for number in range(1, 9):
        hub.spawn(lambda number=number: (hub.rest(0.002 * number), ran.append(rounds[0])))

    hub.sleep(0.03)
    hub.sleep(0)

    assert len(ran) == 8
    # What other tests have left behind in this process may wake the hub as well.
    assert len(set(ran)) <= 4


def test_chore_on_an_idle_hub_gets_its_own_round(loop: Hub) -> None:
    """Without other work that runs a round, the chore would otherwise never run."""
    began = time.monotonic()

    hub.rest(0.01)

    assert 0.01 <= time.monotonic() - began < 1.0


def test_long_chores_run_in_separate_rounds(loop: Hub, rounds: list[int]) -> None:
    """A hundred cameras examined in one round would delay everybody's pictures."""
    ran: list[int] = []
    for _ in range(3):
        hub.spawn(lambda: (hub.rest(0.0), ran.append(rounds[0])))

    hub.sleep(0.2)  # LONG_S is negative: each of them is long.

    assert len(set(ran)) == 3


def test_killed_task_is_not_woken_from_its_rest(loop: Hub) -> None:
    """Once killed, its green thread may be waiting for something else."""
    waited_s: list[float] = []

    def work() -> None:
        try:
            hub.rest(0.01)
        finally:
            began = time.monotonic()
            hub.Signal().wait(0.1)
            waited_s.append(time.monotonic() - began)

    task = hub.spawn(work)
    hub.sleep(0)
    task.kill()

    hub.sleep(0.15)

    assert waited_s[0] >= 0.1
