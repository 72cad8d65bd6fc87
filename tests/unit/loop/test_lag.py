"""How late the hub is."""

import time

from server.loop import hub
from server.loop.lag import LagMeter
from tests.support.fakes import until


def test_lag_of_a_blocked_hub_is_measured() -> None:
    """What holds the hub up shows as its lag, and is told once."""
    meter = LagMeter()
    meter.open()
    hub.sleep(meter.PERIOD_S / 4)

    time.sleep(meter.PERIOD_S + 0.05)  # The fault itself: green code that blocks.
    until(lambda: meter.worst_s > 0)
    lag_s = meter.take()
    meter.close()

    assert lag_s >= 0.04
    assert meter.worst_s == 0
