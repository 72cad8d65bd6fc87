"""How late the hub is."""

import time

import pytest

from server.loop import hub
from server.loop.lag import LagMeter, lag_quantile
from tests.support.fakes import until


def test_lag_of_a_blocked_hub_is_measured() -> None:
    """A blocked hub counts as lag, until the meter is closed."""
    meter = LagMeter()
    meter.open()
    hub.sleep(0.01)
    meter.take()

    time.sleep(0.05)  # The fault itself: green code that blocks.
    until(lambda: meter.worst_s > 0)
    lag_s, most_s = meter.take(), meter.quantile(1.0)
    meter.close()
    time.sleep(0.01)
    hub.sleep(0.01)

    assert lag_s >= 0.05
    assert most_s >= 0.05
    assert meter.worst_s == 0, "closed"


def test_idle_time_is_not_lag() -> None:
    """An idle hub waits in its poll, which is not part of a turn."""
    meter = LagMeter()
    meter.open()

    hub.sleep(0.25)
    meter.close()

    assert meter.worst_s < 0.2


@pytest.mark.parametrize(
    ("turns_s", "lag_s"),
    [
        ([], 0.0),
        # One percent of a ten-second window is a tenth of a second.
        ([0.08], 0.0),
        ([0.3], 0.2),
        ([0.3, 0.3], 0.25),
        ([0.05] * 20, 0.045),
        ([0.01, 0.3, 0.02], 0.2),
        ([0.3, 0.19, 0.21], 0.205),
    ],
)
def test_quantile_weights_turns_by_their_length(turns_s: list[float], lag_s: float) -> None:
    """Whatever is due in a long turn waits for its end, so a long turn counts for its length."""
    assert lag_quantile(turns_s, 10.0, 0.99) == pytest.approx(lag_s, abs=1e-9)
