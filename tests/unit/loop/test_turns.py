"""Limit how many requests start at the same time."""

import time
from collections import Counter

import pytest

from server.loop import hub
from server.loop.turns import Turns
from tests.support.fakes import until


def burn(seconds: float) -> None:
    """Use CPU time."""
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


class Rounds:
    """Counts the hub's rounds while a number is below its target."""

    def __init__(self, began: list[tuple[str, int]], until_there_are: int) -> None:
        self.count = 0
        self._began = began
        self._until = until_there_are
        hub.spawn(self._run)

    def _run(self) -> None:
        while len(self._began) < self._until:
            self.count += 1
            hub.sleep(0)


@pytest.mark.parametrize(("cost_s", "most"), [(0.004, 1), (0.001, 4), (0.0001, 40)])
def test_quick_requests_share_a_round(cost_s: float, most: int) -> None:
    """Requests that arrive together start in order, and more of them per round if they are quick.

    Starting one per round, however quick, used to starve pages on a server with long rounds.
    """
    turns = Turns()
    began: list[tuple[str, int]] = []
    names = [str(number) for number in range(40)]
    rounds = Rounds(began, len(names))

    def begin(name: str) -> None:
        turns.take()
        began.append((name, rounds.count))
        burn(cost_s)
        turns.give()

    for name in names:
        hub.spawn(begin, name)
    until(lambda: len(began) == len(names))

    in_a_round = Counter(count for _, count in began)
    assert [name for name, _ in began] == names
    assert max(in_a_round.values()) <= most
    assert len(in_a_round) <= 2 * len(names) * cost_s / Turns.ROUND_S + 4


def test_turns_use_at_most_half_of_a_core() -> None:
    """After a burst, the hub has as much time for pictures as for requests."""
    turns = Turns()
    turns.BURST_S = 0.05  # type: ignore[misc]
    started = time.monotonic()
    spent_s = 0.0

    while spent_s < 0.25:
        turns.take()
        began = time.thread_time()
        burn(0.01)
        spent_s += time.thread_time() - began
        turns.give()

    assert time.monotonic() - started >= 0.9 * (0.25 - 0.05 - 0.02) / turns.SHARE


def test_work_of_others_is_not_charged() -> None:
    """Pictures sent in the same round are not charged to the requests.

    When they were, requests on a busy server waited until their clients gave up.
    """
    turns = Turns()
    turns.BURST_S = 0.001  # type: ignore[misc]
    taken = 0

    def send_pictures() -> None:
        while taken < 20:
            burn(0.02)
            hub.sleep(0)

    hub.spawn(send_pictures)
    started = time.thread_time()
    while taken < 20:
        turns.take()
        taken += 1
        hub.sleep(0)  # Its turn ends with the round.

    assert time.thread_time() - started < 20 * 0.02 * 2


def test_abandoned_turn_does_not_block_the_next() -> None:
    """A deadline may end the wait for a turn; the next in line still gets one."""
    turns = Turns()
    began: list[str] = []
    turns.take()
    burn(turns.ROUND_S)
    given_up = hub.spawn(turns.take)
    waiting = hub.spawn(lambda: (turns.take(), began.append("here")))
    hub.sleep(0)

    given_up.kill()

    assert waiting.join(1)
    assert began == ["here"]
