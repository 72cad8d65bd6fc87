"""Until when an event went on that a killed process left open, as far as is known. No I/O."""

from collections.abc import Iterable

from server.recording.disk.index import Event, Recorded

__all__ = ["last_sign"]

# Recordings with a shorter gap between them are of one run: the next file waits for a key picture.
GAP_S = 10.0


def last_sign(
    event: Event, recordings: Iterable[Recorded], alive_unix: float, latest_unix: float
) -> float:
    """Return when an event ended at the earliest, in Unix seconds.

    That is when its camera was recorded last without a gap, or its node last left a sign of life.
    Where the clock was set back, all that may lie before its beginning: then it took no time.

    Args:
        event: What went on.
        recordings: Those of its camera, in any order.
        alive_unix: The last sign of life.
        latest_unix: It cannot have gone on for longer.
    """
    recorded_unix = event.begin
    for one in sorted(recordings, key=lambda one: one.begin):
        if one.begin <= recorded_unix + GAP_S:
            recorded_unix = max(recorded_unix, one.end)
    return max(event.begin, min(latest_unix, max(recorded_unix, alive_unix)))
