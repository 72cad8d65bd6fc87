"""What a link carries, by what is acknowledged."""

import pytest

from server.delivery.link import Link


def test_unknown_link_is_taken_for_a_wide_one() -> None:
    """Whoever joins over a good link should not have to wait for a measurement."""
    link = Link()

    assert not link.measured
    assert link.send_s(1_250_000) == pytest.approx(0.25)


def test_rate_counts_what_was_in_flight_before_a_frame() -> None:
    """A frame behind others takes as long as all of them."""
    link = Link()
    link.take(10_000, 0.26, 0.1)
    link.take(50_000, 0.9, 0.1)

    assert link.rate_bps == pytest.approx(500_000)
    assert link.bare_s == 0.1


def test_rate_follows_a_link_that_chokes_at_once() -> None:
    """What a frame says that took longer than noise is believed, whatever was seen before."""
    link = Link()
    for _ in range(4):
        link.take(10_000, 0.002, 0.001)
    assert link.rate_bps > 40e6

    link.take(10_000, 0.161, 0.001)

    assert link.rate_bps == pytest.approx(500_000)
    assert link.max_bytes == pytest.approx(500_000 / 8 / 4)


def test_noise_is_not_taken_for_a_narrow_link() -> None:
    """On a busy machine a few frames are late by some milliseconds."""
    link = Link()
    link.take(10_000, 0.002, 0.001)
    for _ in range(3):
        link.take(10_000, 0.081, 0.001)

    assert link.rate_bps > 40e6


def test_a_long_link_is_not_a_narrow_one() -> None:
    """Nobody said how long it is, but the shortest round trip so far tells."""
    link = Link()
    for _ in range(5):
        link.take(10_000, 0.2, 0.0)

    assert link.rate_bps > 40e6
    assert link.bare_s == 0.2
