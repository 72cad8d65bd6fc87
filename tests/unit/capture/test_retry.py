"""When a failed source is tried again."""

import pytest

from server.capture import retry as retry_module
from server.capture.retry import EAGER_FOR_S, MAX_S, REFUSED_ONCE_S, REFUSED_S, Retry
from tests.support.fakes import FakeClock


@pytest.fixture
def retry(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Retry:
    """The waits of one source, without randomness."""
    monkeypatch.setattr(retry_module, "time", clock)
    monkeypatch.setattr(retry_module.random, "uniform", lambda low, high: high)
    return Retry()


def waits(retry: Retry, clock: FakeClock, count: int, took_s: float = 0.0) -> list[float]:
    """Fail this often; return the seconds from the end of each try to the next."""
    found = []
    for _ in range(count):
        retry.begin()
        clock.advance(took_s)
        retry.fail(well=False)
        found.append(retry.left_s)
        clock.advance(retry.left_s)
    return found


def test_lost_source_is_retried_at_once(retry: Retry) -> None:
    """A camera that closes every ten seconds is reopened without a pause."""
    retry.begin()
    retry.succeed()
    retry.fail(well=True)

    assert retry.left_s == 0


def test_lost_source_is_retried_often(retry: Retry, clock: FakeClock) -> None:
    """For some minutes after a working source is lost, the next try is at most 1.5 s away."""
    retry.fail(well=True)

    found = waits(retry, clock, 60)

    assert found[0] < 0.5
    assert max(found) <= 1.5


def test_retry_interval_includes_slow_tries(retry: Retry, clock: FakeClock) -> None:
    """The interval runs from try to try, but even a slow try is followed by a short pause."""
    retry.fail(well=True)
    waits(retry, clock, 5)

    assert waits(retry, clock, 1, took_s=1.0)[0] < 0.5
    assert waits(retry, clock, 1, took_s=5.0) == [pytest.approx(retry_module.PAUSE_S)]


def test_retries_back_off(retry: Retry, clock: FakeClock) -> None:
    """A source that never worked, or has been gone for minutes, is tried less and less often."""
    found = waits(retry, clock, 9)
    assert found[:5] == sorted(set(found[:5]))
    assert found[-1] == pytest.approx(1.2 * MAX_S)

    retry.fail(well=True)
    clock.advance(EAGER_FOR_S)

    assert waits(retry, clock, 9)[-1] == pytest.approx(1.2 * MAX_S)


def test_refused_login_is_retried_rarely(retry: Retry) -> None:
    """A wrong login sent every few seconds would lock the account."""
    for _ in range(3):
        retry.begin()
        retry.refuse()
        assert retry.refused
        assert retry.left_s == pytest.approx(REFUSED_S)

    retry.reset()

    assert (retry.left_s, retry.refused) == (0, False)


def test_login_that_worked_before_is_retried_soon(retry: Retry) -> None:
    """A camera that restarts may refuse what it accepts a moment later."""
    retry.begin()
    retry.succeed()

    retry.refuse()
    first = retry.left_s
    retry.refuse()

    assert (first, retry.left_s) == (pytest.approx(REFUSED_ONCE_S), pytest.approx(REFUSED_S))
