"""When a processor is slow, failing, skipped or stuck."""

import pytest

from server.capture.processing.health import Health
from server.config.processors import Processor


@pytest.fixture
def health() -> Health:
    """The health of a processor named ``annotate``."""
    return Health(Processor("annotate", "annotate", "mine"))


def fail(health: Health, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        health.fail(now, "raised ValueError")


def test_one_error_is_said_and_forgotten(health: Health) -> None:
    """An error stays shown for two seconds, not only until the next frame."""
    health.fail(100.0, "raised ValueError: no")
    health.succeed(100.1, 4.0)
    assert health.describe() == {
        "name": "annotate",
        "state": "failing",
        "message": "raised ValueError: no",
        "ms": 4.0,
        "errors": 1,
    }

    health.succeed(102.1, 4.0)

    assert (health.state, health.message) == ("ok", "")


def test_five_failures_in_a_row_and_it_is_left_out(health: Health) -> None:
    """After five failures it is skipped, and gets a frame again after ten seconds."""
    fail(health, 4)
    health.succeed(0, 1)
    fail(health, 4)
    assert health.may_run(0)

    fail(health, 1)

    assert health.state == "skipped"
    assert health.message == "raised ValueError; left out for 10 s"
    assert not health.may_run(9.9)
    assert health.may_run(10)


def test_each_pause_is_longer_up_to_five_minutes(health: Health) -> None:
    """After a pause, a single failure is enough for the next one."""
    now, pauses = 0.0, []
    fail(health, 5)
    for _ in range(7):
        begun = now
        while not health.may_run(now):
            now += 1
        pauses.append(now - begun)
        health.fail(now, "again")

    assert pauses == [10, 20, 40, 80, 160, 300, 300]


def test_success_after_a_pause_begins_anew(health: Health) -> None:
    """After a success, it again takes five failures to be skipped."""
    fail(health, 5)
    health.succeed(10, 1)
    fail(health, 4, now=11)

    assert health.state == "failing"
    fail(health, 1, now=11)
    assert health.message.endswith("left out for 10 s")


def test_stuck_is_left_out_at_once(health: Health) -> None:
    """A processor that did not return is skipped for a while, and its message says so."""
    health.fail(0, "has not returned for 5 s", stuck=True)

    assert health.state == "stuck"
    assert not health.may_run(1)


def test_start_forgives(health: Health) -> None:
    """A processor runs again immediately when an operator starts the camera."""
    fail(health, 5)

    health.reset()

    assert health.may_run(0)
    assert (health.state, health.message) == ("ok", "")


def test_slowness_never_hides_an_error(health: Health) -> None:
    """A processor is called slow only if it does not fail."""
    health.keep_pace(True, "takes 200 ms")
    assert health.state == "slow"
    health.fail(0, "raised ValueError")
    health.keep_pace(True, "takes 200 ms")

    assert (health.state, health.message) == ("failing", "raised ValueError")


def test_what_is_said_cannot_paint_a_terminal(health: Health) -> None:
    """Messages contain no escape codes or lone surrogates: they go to logs, pages and nodes."""
    health.fail(0.0, "a\x1b[31mred\ud800\u202eword\n")

    assert health.message == "a?[31mred??word?"
