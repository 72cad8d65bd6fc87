"""Estimate when an event ended that a killed process left open. No I/O."""

from collections.abc import Iterable

from server.recording.disk.index import Event, Recorded

__all__ = ["estimate_end"]

# Recordings with a shorter gap are continuous: each file waits for a key frame to begin.
GAP_S = 10.0


def estimate_end(
    event: Event, recordings: Iterable[Recorded], alive_unix: float, latest_unix: float
) -> float:
    """Return the earliest time at which an event can have ended, in Unix seconds.

    That is the later of the end of its camera's continuous recordings and the node's last sign of
    life. If the clock was set back, both may precede the event; its duration is then 0.

    Args:
        event: The event.
        recordings: Its camera's, in any order.
        alive_unix: The node's last sign of life.
        latest_unix: Upper bound of the result.
    """
    recorded_unix = event.begin
    for one in sorted(recordings, key=lambda one: one.begin):
        if one.begin <= recorded_unix + GAP_S:
            recorded_unix = max(recorded_unix, one.end)
    return max(event.begin, min(latest_unix, max(recorded_unix, alive_unix)))
