"""Decides which recordings and events are to go."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from server.recording.disk.index import Event, Recorded

__all__ = ["Limits", "Policy", "overdue", "overdue_events"]

DAY_S = 86400.0
GB = 1e9


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


def overdue(recordings: Sequence[Recorded], policy: Policy, now_unix: float) -> list[Recorded]:
    """Return which recordings are to be deleted, of all that there are, the oldest first.

    Locked ones and those that are being written stay, but count for what all take.
    """
    total = 0.0
    each: defaultdict[str, float] = defaultdict(float)
    for one in recordings:
        total += one.bytes
        each[one.camera] += one.bytes
    gone = []
    for one in recordings:
        limits = policy.of(one.camera)
        old = limits.days and one.end < now_unix - limits.days * DAY_S
        large = limits.gb and each[one.camera] > limits.gb * GB
        if not (old or large or (policy.gb and total > policy.gb * GB)):
            continue
        if one.locked or one.open:
            continue
        gone.append(one)
        total -= one.bytes
        each[one.camera] -= one.bytes
    return gone


def overdue_events(events: Iterable[Event], policy: Policy, now_unix: float) -> list[Event]:
    """Return which events are to be deleted: those that are over, old and not locked."""
    return [
        one
        for one in events
        if (days := policy.of(one.camera).days)
        and not one.locked
        and one.end is not None
        and one.end < now_unix - days * DAY_S
    ]
