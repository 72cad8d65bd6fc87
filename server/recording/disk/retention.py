"""Select the recordings and events in the index that are due for deletion.

Only candidates are loaded: six cameras make fifty thousand recordings and as many events in a
month, and filtering those in Python every minute would hold up all other threads.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from server.recording.disk.age_clock import DAY_S, MAX_FUTURE_S, ClockState
from server.recording.disk.index import Index, Recorded

__all__ = ["Limits", "Policy", "newest_unix", "overdue", "overdue_events"]

GB = 1e9

# Too old: ended too early, or dated in the future by a wrong clock (see _bounds).
OLD = "(end < ? OR end IS NOT NULL AND begin > ?)"
NEVER_UNIX = 1e15

# Rows of a query for the oldest recordings.
PAGE = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept of one camera.

    Attributes:
        days: Age at which its recordings and events are deleted; 0 for never.
        gb: The most gigabytes that its recordings may take; None or 0 for no limit of its own.
    """

    days: float = 0.0
    gb: float | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """How much is kept.

    Attributes:
        gb: The most gigabytes that all recordings together may take; 0 for no limit.
        others: Limits of cameras that no longer exist.
        cameras: Limits of each camera, by name.
    """

    gb: float = 0.0
    others: Limits = Limits()
    cameras: Mapping[str, Limits] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, camera: str) -> Limits:
        """Return the limits of a camera."""
        return self.cameras.get(camera, self.others)


def overdue(
    index: Index, policy: Policy, clock: ClockState, now_of: Callable[[Recorded], Recorded]
) -> list[str]:
    """Return the recordings to delete, oldest first: expired ones, and the oldest over a limit.

    Locked ones and those being written stay, but count towards the limits.

    Args:
        index: The index.
        policy: How much is kept.
        clock: Provides the time that ages are computed from.
        now_of: Returns the current state of a recording that is being written.
    """
    taken: defaultdict[str, float] = defaultdict(float)
    taken.update(index.rows("SELECT camera, sum(bytes) FROM recordings GROUP BY camera"))
    for one in index.recordings_where("WHERE open", ()):
        taken[one.camera] += now_of(one).bytes - one.bytes  # The index has its size at the start.
    gone: dict[str, Recorded] = {}
    for camera in taken:
        if days := policy.of(camera).days:
            old = f"WHERE camera = ? AND {OLD} AND NOT locked AND NOT open"
            found = index.recordings_where(old, (camera, *_bounds(clock, days)))
            gone |= {one.id: one for one in found}
    for one in gone.values():
        taken[one.camera] -= one.bytes
    page = _oldest(index, _too_large(taken, policy))
    while page and (cameras := _too_large(taken, policy)):
        for one in page:
            if one.id not in gone and one.camera in cameras:
                gone[one.id] = one
                taken[one.camera] -= one.bytes
                cameras = _too_large(taken, policy)
        page = _oldest(index, cameras, page[-1])
    return sorted(gone, key=lambda key: gone[key].begin)


def overdue_events(index: Index, policy: Policy, clock: ClockState) -> list[str]:
    """Return the ids of the events to delete: ended, expired and not locked."""
    gone: list[str] = []
    for (camera,) in index.rows("SELECT DISTINCT camera FROM events"):
        if days := policy.of(camera).days:
            old = f"SELECT id FROM events WHERE camera = ? AND {OLD} AND NOT locked"
            gone += [key for (key,) in index.rows(old, (camera, *_bounds(clock, days)))]
    return gone


def newest_unix(index: Index) -> float | None:
    """Return when the newest recording or event began, by the clock at that time, or None."""
    newest = "SELECT max(begin) AS begin FROM"
    query = f"SELECT max(begin) FROM ({newest} recordings UNION ALL {newest} events)"
    return next((unix for (unix,) in index.rows(query)), None)


def _bounds(clock: ClockState, days: float) -> tuple[float, float]:
    """Return two times: whatever ended before the first or began after the second has expired.

    Entries from the future were made while the clock was wrong; their age counts from the time
    they were first seen.
    """
    earliest_unix, since_unix = clock.reference_unix - days * DAY_S, clock.beyond_since_unix
    if since_unix is None or since_unix > earliest_unix:
        return earliest_unix, NEVER_UNIX
    return earliest_unix, clock.at.unix + MAX_FUTURE_S


def _too_large(taken: Mapping[str, float], policy: Policy) -> Collection[str]:
    """Return the cameras that must give up recordings."""
    if policy.gb and sum(taken.values()) > policy.gb * GB:
        return taken.keys()
    return {
        name for name, nbytes in taken.items() if (gb := policy.of(name).gb) and nbytes > gb * GB
    }


def _oldest(
    index: Index, cameras: Collection[str], after: Recorded | None = None
) -> list[Recorded]:
    """Return the oldest deletable recordings of some cameras, a page at a time."""
    names = ", ".join("?" * len(cameras))
    where = f"WHERE camera IN ({names}) AND NOT locked AND NOT open AND (begin, id) > (?, ?)"
    begin = (float("-inf"), "") if after is None else (after.begin, after.id)
    return index.recordings_where(f"{where} ORDER BY begin, id LIMIT {PAGE}", (*cameras, *begin))
