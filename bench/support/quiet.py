"""Waits for a quiet machine, because other programs' load would affect the measurement."""

import time
from collections.abc import Callable

from bench.support.process import busy_s

__all__ = ["Quiet"]

# Other programs may use this many cores during a measurement.
QUIET_CORES = 0.25

SAMPLE_S = 0.5


class Quiet:
    """Waits for other programs to pause, up to a limit.

    Args:
        budget_s: Longest total of all waits of a run, in seconds.
    """

    def __init__(self, budget_s: float) -> None:
        self._budget_s = budget_s
        self.missed = 0
        """Measurements that started on a busy machine."""

    def wait(self, say: Callable[[str], None]) -> None:
        """Wait until the machine is quiet or the budget is used up."""
        announced = False
        while self._budget_s > 0:
            before, since = busy_s(), time.monotonic()
            time.sleep(SAMPLE_S)
            took_s = time.monotonic() - since
            if (busy_s() - before) / took_s < QUIET_CORES:
                return
            self._budget_s -= took_s
            if not announced:
                say(f"other programs are busy; waiting up to {self._budget_s:.0f} s")
                announced = True
        self.missed += 1
