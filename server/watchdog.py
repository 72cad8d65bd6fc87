"""Says where the hub hangs, when it does."""

import faulthandler
import os
import time

from server import hub, native

__all__ = ["Watchdog"]


class Watchdog:
    """A native thread that dumps all stacks to standard error when the hub stands still.

    Nothing on the hub can report that the hub is stuck. Every hang is dumped once.

    Args:
        lag: Its beat is what is watched.
        limit_s: How long the hub may stand still.
    """

    PERIOD_S = 0.25

    def __init__(self, lag: hub.LagMeter, limit_s: float = 2.0) -> None:
        self._lag = lag
        self._limit_s = limit_s
        self._stopped = False
        self.hangs = 0
        """How often the hub stood still for too long. Written by the watchdog's thread only."""

    def start(self) -> None:
        """Begin to watch."""
        native.threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watch no more; takes effect within a period."""
        self._stopped = True

    def _run(self) -> None:
        dumped_for = 0.0
        while not self._stopped:
            native.sleep(self.PERIOD_S)
            beat = self._lag.beat
            if time.monotonic() - beat > self._limit_s and beat != dumped_for:
                dumped_for = beat
                self.hangs += 1
                os.write(2, f"The hub has stood still for {self._limit_s:g} s; stacks:\n".encode())
                faulthandler.dump_traceback(file=2, all_threads=True)
