"""Decides which recordings and events are to go, of those that the index has.

Only those are loaded that may have to go: a month of six cameras has fifty thousand of each, and to
look through these in Python every minute holds up all other threads.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from server.recording.disk.age_clock import BEYOND_S, DAY_S, Sight
from server.recording.disk.index import Index, Recorded

__all__ = ["Limits", "Policy", "newest_unix", "overdue", "overdue_events"]

GB = 1e9

# Too old, by two times.
OLD = "(end < ? OR end IS NOT NULL AND begin > ?)"
NEVER_UNIX = 1e15

# So many of the oldest are looked at together.
PAGE = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept of one camera.

    Attributes:
        days: After how many it is deleted; 0 for never.
        gb: What its recordings take at most; None or 0 for no limit of its own.
    """

    days: float = 0.0
    gb: float | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """How much is kept.

    Attributes:
        gb: What all recordings take at most; 0 for no limit.
        others: For cameras that are no longer there.
        cameras: For each camera, by name.
    """

    gb: float = 0.0
    others: Limits = Limits()
    cameras: Mapping[str, Limits] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, camera: str) -> Limits:
        """Return the limits of a camera."""
        return self.cameras.get(camera, self.others)


def overdue(
    index: Index, policy: Policy, clock: Sight, now_of: Callable[[Recorded], Recorded]
) -> list[str]:
    """Return which recordings are to be deleted: too old ones, and the oldest of what is too much.

    Locked ones and those that are being written stay, but count for what all take.

    Args:
        index: Has them.
        policy: How much is kept.
        clock: Tells how old they are.
        now_of: Returns a recording as it is now, if it is being written.
    """
    taken: defaultdict[str, float] = defaultdict(float)
    taken.update(index.rows("SELECT camera, sum(bytes) FROM recordings GROUP BY camera"))
    for one in index.recordings_where("WHERE open", ()):
        taken[one.camera] += now_of(one).bytes - one.bytes  # The index has its beginning.
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


def overdue_events(index: Index, policy: Policy, clock: Sight) -> list[str]:
    """Return which events are to be deleted: those that are over, old and not locked."""
    gone: list[str] = []
    for (camera,) in index.rows("SELECT DISTINCT camera FROM events"):
        if days := policy.of(camera).days:
            old = f"SELECT id FROM events WHERE camera = ? AND {OLD} AND NOT locked"
            gone += [key for (key,) in index.rows(old, (camera, *_bounds(clock, days)))]
    return gone


def newest_unix(index: Index) -> float | None:
    """Return when the newest recording or event began, by the clock of that time; None without."""
    newest = "SELECT max(begin) AS begin FROM"
    query = f"SELECT max(begin) FROM ({newest} recordings UNION ALL {newest} events)"
    return next((unix for (unix,) in index.rows(query)), None)


def _bounds(clock: Sight, days: float) -> tuple[float, float]:
    """Return what is too old: what ended before the first time, or began after the second.

    That lies in the future, because the clock was wrong: it is as old as that is known.
    """
    earliest_unix, since_unix = clock.age_unix - days * DAY_S, clock.beyond_since_unix
    if since_unix is None or since_unix > earliest_unix:
        return earliest_unix, NEVER_UNIX
    return earliest_unix, clock.at.unix + BEYOND_S


def _too_large(taken: Mapping[str, float], policy: Policy) -> Collection[str]:
    """Return the cameras of which recordings have to go."""
    if policy.gb and sum(taken.values()) > policy.gb * GB:
        return taken.keys()
    return {
        name for name, nbytes in taken.items() if (gb := policy.of(name).gb) and nbytes > gb * GB
    }


def _oldest(
    index: Index, cameras: Collection[str], after: Recorded | None = None
) -> list[Recorded]:
    """Return the oldest of some cameras that may be deleted, those after one."""
    names = ", ".join("?" * len(cameras))
    where = f"WHERE camera IN ({names}) AND NOT locked AND NOT open AND (begin, id) > (?, ?)"
    begin = (float("-inf"), "") if after is None else (after.begin, after.id)
    return index.recordings_where(f"{where} ORDER BY begin, id LIMIT {PAGE}", (*cameras, *begin))
