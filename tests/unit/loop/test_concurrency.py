"""A limit on concurrent access to a costly resource."""

import time
from collections.abc import Iterator

import pytest

from server.loop import hub, native
from server.loop.concurrency import ConcurrencyLimit, LimitBusy
from tests.support.fakes import settle, until


class Crowd:
    """Many who want a turn at the same time, on a hub that is constantly held up."""

    def __init__(self, lanes: ConcurrencyLimit, work_s: float) -> None:
        self.served: list[int] = []
        self.took_s: list[float] = []
        self._lanes = lanes
        self._work_s = work_s
        self._delay = hub.spawn(self._block_hub)
        self.tasks = [hub.spawn(self._come, number) for number in range(64)]

    def _come(self, number: int) -> None:
        begun = time.monotonic()
        try:
            with self._lanes.take():
                self.served.append(number)
                hub.sleep(self._work_s)
        except LimitBusy:
            pass
        self.took_s.append(time.monotonic() - begun)

    def _block_hub(self) -> None:
        while True:
            hub.sleep(0)
            native.sleep(0.02)

    def close(self) -> None:
        self._delay.kill()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """64 at a time, each taking 0.1 s, two in parallel: all would take 3.2 s."""
    crowd = Crowd(ConcurrencyLimit(2, max_wait_s=0.5), work_s=0.1)
    yield crowd
    crowd.close()


def test_wait_is_limited_by_the_clock(crowd: Crowd) -> None:
    """The wait is limited in real time, however late the hub is; only sleeps used to be counted."""
    until(lambda: len(crowd.took_s) == 64)

    assert max(crowd.took_s) < 0.5 + 0.1 + 0.2
    assert crowd.served == sorted(crowd.served)
    assert 4 <= len(crowd.served) < 32


def test_killed_waiters_do_not_keep_a_turn() -> None:
    """A waiter killed while waiting, or right after getting a turn, does not keep it."""
    lanes = ConcurrencyLimit(1, max_wait_s=5)
    served: list[str] = []

    def come(name: str, work_s: float) -> None:
        with lanes.take():
            served.append(name)
            hub.sleep(work_s)

    first = hub.spawn(come, "first", 60)
    settle()
    killed = [hub.spawn(come, "killed", 60) for _ in range(2)]
    last = hub.spawn(come, "last", 0)
    settle()
    killed[0].kill()
    first.kill()  # Passes its lane to the second one killed, which has not run yet.
    killed[1].kill()

    assert last.join(2)
    assert served[0] == "first"
    assert served[-1] == "last"
