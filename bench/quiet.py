"""A quiet machine: what others run at the same time would be measured with us."""

import time
from collections.abc import Callable

from bench.process import busy_s

__all__ = ["Quiet"]

# What others may use of this machine while we measure.
QUIET_CORES = 0.25

LOOK_S = 0.5


class Quiet:
    """Waits for others to pause, but not for ever.

    Args:
        budget_s: How long all waits of a run may take together.
    """

    def __init__(self, budget_s: float) -> None:
        self._budget_s = budget_s
        self.missed = 0
        """Measurements that began all the same."""

    def wait(self, say: Callable[[str], None]) -> None:
        """Return when the machine is quiet, or the budget is used up."""
        told = False
        while self._budget_s > 0:
            before, since = busy_s(), time.monotonic()
            time.sleep(LOOK_S)
            took_s = time.monotonic() - since
            if (busy_s() - before) / took_s < QUIET_CORES:
                return
            self._budget_s -= took_s
            if not told:
                say(f"others are busy here; waiting up to {self._budget_s:.0f} s")
                told = True
        self.missed += 1
