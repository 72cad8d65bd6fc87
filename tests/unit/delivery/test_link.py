"""A link's rate, measured from acknowledgements."""

import pytest

from server.delivery.link import Delivery, Link


def test_unknown_link_is_assumed_wide() -> None:
    """A viewer with a good link should not have to wait for a measurement."""
    link = Link()

    assert link.send_s(1_250_000) == pytest.approx(0.25)


def deliver(link: Link, size: int, transit_s: float, bare_s: float, at: float = 0.0) -> None:
    """Acknowledge one frame that was sent at this time."""
    link.take(Delivery(size, size, at, at), transit_s, bare_s)


def test_rate_excludes_the_links_delay() -> None:
    """The rate is a frame's size divided by its transit time without the link's own delay."""
    link = Link()
    deliver(link, 10_000, 0.26, 0.1)

    assert link.rate_bps == pytest.approx(500_000)
    assert link.bare_s == 0.1
    assert link.max_bytes == pytest.approx(0.35 * 500_000 / 8)


def test_rate_is_right_when_frames_queue_up() -> None:
    """Each frame is late because of those before it; together they give the link's rate."""
    link = Link()
    for number in range(10):
        deliver(link, 2_500, 0.3 + 0.007 * number, 0.2, 0.033 * number)

    assert link.rate_bps == pytest.approx(500_000, rel=0.01)


def test_rate_is_right_for_cumulative_acknowledgements() -> None:
    """One acknowledgement covers four frames, on a link that is always busy."""
    link = Link()
    for number in range(10):
        at = 0.16 * number
        link.take(Delivery(2_500, 10_000, at - 0.12, at), 0.4, 0.2)

    assert link.rate_bps == pytest.approx(500_000, rel=0.01)


def test_rate_drops_at_once_on_a_congested_link() -> None:
    """A frame that took longer than noise explains is trusted, whatever was measured before."""
    link = Link()
    for number in range(4):
        deliver(link, 10_000, 0.002, 0.001, number)
    assert link.rate_bps == pytest.approx(8e6)

    deliver(link, 10_000, 0.161, 0.001, 4)

    assert link.rate_bps == pytest.approx(500_000)


def test_noise_does_not_lower_the_rate() -> None:
    """On a busy machine a few frames are late by some milliseconds."""
    link = Link()
    deliver(link, 10_000, 0.002, 0.001, 0)
    for number in (1, 2, 3):
        deliver(link, 10_000, 0.081, 0.001, number)

    assert link.rate_bps == pytest.approx(8e6)


def test_smallest_frames_do_not_raise_the_rate() -> None:
    """Their time is mostly noise, and may be below the link's measured delay."""
    link = Link()
    for number in range(20):
        deliver(link, 1_000, 0.19 + 0.001 * number, 0.2, number)

    assert link.rate_bps < 1e6


def test_long_link_is_not_taken_for_a_narrow_one() -> None:
    """Even if its delay was not measured, the shortest round trip so far is an upper bound."""
    link = Link()
    for number in range(5):
        deliver(link, 10_000, 0.2, 0.0, number)

    assert link.rate_bps == pytest.approx(8e6)
    assert link.bare_s == 0.2
