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


def test_single_error_is_shown_for_two_seconds(health: Health) -> None:
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


def test_five_failures_in_a_row_skip_a_processor(health: Health) -> None:
    """After five failures in a row, a processor is skipped for ten seconds."""
    fail(health, 4)
    health.succeed(0, 1)
    fail(health, 4)
    assert health.may_run(0)

    fail(health, 1)

    assert health.state == "skipped"
    assert health.message == "raised ValueError; left out for 10 s"
    assert not health.may_run(9.9)
    assert health.may_run(10)


def test_pauses_grow_up_to_five_minutes(health: Health) -> None:
    """Each pause is longer, up to five minutes; after the first, one failure starts the next."""
    now, pauses = 0.0, []
    fail(health, 5)
    for _ in range(7):
        begun = now
        while not health.may_run(now):
            now += 1
        pauses.append(now - begun)
        health.fail(now, "again")

    assert pauses == [10, 20, 40, 80, 160, 300, 300]


def test_success_after_a_pause_resets_the_failure_count(health: Health) -> None:
    """After a success, it again takes five failures to be skipped."""
    fail(health, 5)
    health.succeed(10, 1)
    fail(health, 4, now=11)

    assert health.state == "failing"
    fail(health, 1, now=11)
    assert health.message.endswith("left out for 10 s")


def test_stuck_processor_is_skipped_at_once(health: Health) -> None:
    """A processor that did not return is skipped for a while, and its message says so."""
    health.fail(0, "has not returned for 5 s", stuck=True)

    assert health.state == "stuck"
    assert not health.may_run(1)


def test_reset_clears_failures(health: Health) -> None:
    """A processor runs again immediately when an operator starts the camera."""
    fail(health, 5)

    health.reset()

    assert health.may_run(0)
    assert (health.state, health.message) == ("ok", "")


def test_slowness_never_hides_an_error(health: Health) -> None:
    """A processor is called slow only while it is not failing."""
    health.keep_pace(True, "takes 200 ms")
    assert health.state == "slow"
    health.fail(0, "raised ValueError")
    health.keep_pace(True, "takes 200 ms")

    assert (health.state, health.message) == ("failing", "raised ValueError")


def test_control_characters_in_messages_are_replaced(health: Health) -> None:
    """Messages contain no escape codes or lone surrogates: they go to logs, pages and nodes."""
    health.fail(0.0, "a\x1b[31mred\ud800\u202eword\n")

    assert health.message == "a?[31mred??word?"
