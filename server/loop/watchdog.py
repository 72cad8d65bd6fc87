"""Reports where the hub hangs."""

import faulthandler
import os
import time

from server.loop import native
from server.loop.lag import LagMeter

__all__ = ["Watchdog"]


# Every hang is counted, but stacks are long, and one dump a minute is enough.
DUMP_PAUSE_S = 60.0


class Watchdog:
    """A native thread that dumps all stacks to standard error when the hub hangs.

    Code on the hub cannot report that the hub is stuck.

    Args:
        lag: Its ``beat`` shows when the hub last ran.
        limit_s: How long the hub may hang, in seconds.
    """

    PERIOD_S = 0.5

    def __init__(self, lag: LagMeter, limit_s: float = 2.0) -> None:
        self._lag = lag
        self._limit_s = limit_s
        self._closed = False
        self.hangs = 0
        """How many times the hub has hung. Written by the watchdog's thread only."""

    def open(self) -> None:
        """Start watching."""
        native.threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def close(self) -> None:
        """Stop watching; takes effect within a period."""
        self._closed = True

    def _run(self) -> None:
        dumped_for, last_dump = 0.0, -DUMP_PAUSE_S
        while not self._closed:
            native.sleep(self.PERIOD_S)
            beat = self._lag.beat
            if time.monotonic() - beat > self._limit_s and beat != dumped_for:
                dumped_for = beat
                self.hangs += 1
                if beat - last_dump < DUMP_PAUSE_S:
                    continue
                last_dump = beat
                line = f"The event loop has been blocked for {self._limit_s:g} s; stacks:\n"
                os.write(2, line.encode())
                faulthandler.dump_traceback(file=2, all_threads=True)
