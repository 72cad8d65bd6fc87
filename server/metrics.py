"""Counters and rates of cameras, and figures of the process.

Each camera has one :class:`Meter`, which code on the hub increments and the ``stats`` event reads
once a second. Counters only grow; rates are differences.
"""

import os
import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["DROPS", "CameraStats", "Meter", "ProcessMeter"]

DROPS = (
    # At the source.
    "broken",
    "damaged",
    "encode",
    "error",
    "replaced",
    "unread",
    # By processors.
    "processing",
    "unprocessed",
    # For viewers.
    "chain",
    "credit",
    "gone",
    "unsent",
    # For recordings.
    "unrecorded",
    # On the bus.
    "behind",
    "bus",
    "junk",
)
"""Why frames are dropped. Prometheus gets all of them from the start, because it misses the first
count of a counter that appears later."""


@dataclass(slots=True)
class Meter:
    """One camera's counters since the start."""

    captured: int = 0
    """Frames captured: numbered, and decoded or passed on as video."""

    encoded: int = 0
    """Frames encoded to JPEG."""

    passed: int = 0
    """Frames passed through as the camera encoded them."""

    sent: int = 0
    """Frames sent, counted once per viewer."""

    sent_bytes: int = 0
    """Picture bytes sent, JPEG and video, counted once per viewer."""

    ready: int = 0
    """Frames put into the slot: captured, and processed if the camera has processors."""

    capture_s: float = 0.0
    """Time from capture until the frame was in the slot, in seconds, summed over ``ready``."""

    encode_s: float = 0.0
    """Time spent encoding, in seconds."""

    sent_age_s: float = 0.0
    """Age of frames when they were sent, in seconds, summed over ``sent``."""

    opened: int = 0
    """How many times the source was opened."""

    lost: int = 0
    """How many times the source failed while open, or could not be opened."""

    drops: Counter[str] = field(default_factory=Counter)
    """Frames skipped on purpose, by reason."""


class CameraStats:
    """Turns one camera's :class:`Meter` into the rates of the ``stats`` event."""

    def __init__(self, meter: Meter, clock: Callable[[], float] = time.monotonic) -> None:
        self.meter = meter
        self._clock = clock
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        meter = self.meter
        return {
            "seconds": self._clock(),
            "captured": meter.captured,
            "encoded": meter.encoded,
            "passed": meter.passed,
            "sent": meter.sent,
            "sent_bytes": meter.sent_bytes,
            "ready": meter.ready,
            "capture_s": meter.capture_s,
            "encode_s": meter.encode_s,
            "sent_age_s": meter.sent_age_s,
        }

    def take(self) -> dict[str, Any]:
        """Return the rates since the last call and the drops since the start."""
        before, self._before = self._before, self._now()
        since = {key: now - before[key] for key, now in self._before.items()}
        seconds = max(since["seconds"], 1e-6)
        capture_ms = _mean_ms(since["capture_s"], since["ready"])
        encode_ms = _mean_ms(since["encode_s"], since["encoded"])
        sent_age_ms = _mean_ms(since["sent_age_s"], since["sent"])
        # The rest of a frame's age when sent: waiting for the encoder, the pump or credit.
        wait_ms = None
        if sent_age_ms is not None:
            wait_ms = round(max(0.0, sent_age_ms - (capture_ms or 0) - (encode_ms or 0)), 2)
        return {
            "captured_fps": round(since["captured"] / seconds, 1),
            "encoded_fps": round(since["encoded"] / seconds, 1),
            "passed_fps": round(since["passed"] / seconds, 1),
            "sent_fps": round(since["sent"] / seconds, 1),
            "sent_kbps": round(since["sent_bytes"] * 8 / 1000 / seconds, 1),
            "capture_ms": capture_ms,
            "encode_ms": encode_ms,
            "wait_ms": wait_ms,
            "drops": dict(self.meter.drops),
            "captured": self.meter.captured,
            "encoded": self.meter.encoded,
            "passed": self.meter.passed,
            "sent": self.meter.sent,
            "lost": self.meter.lost,
        }


def _mean_ms(total_s: float, count: float) -> float | None:
    return round(total_s / count * 1000, 2) if count else None


class ProcessMeter:
    """The process's CPU time, memory and age."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = self._at = clock()
        self._cpu_s = time.process_time()

    def take(self) -> dict[str, Any]:
        """Return the CPU use since the last call, in percent of one core, and the memory."""
        at, cpu_s = self._clock(), time.process_time()
        percent = 100 * (cpu_s - self._cpu_s) / max(at - self._at, 1e-6)
        self._at, self._cpu_s = at, cpu_s
        return {
            "cpu_percent": round(percent, 1),
            "cpu_s": round(cpu_s, 3),
            "rss_bytes": _resident_bytes(),
            "descriptors": _descriptors(),
            "uptime_s": round(at - self._started, 1),
        }


def _resident_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # No /proc: the peak is the best available.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _descriptors() -> int:
    """Return how many files, sockets and pipes are open."""
    try:
        # The size is the count since Linux 6.2, 0 before. Listing thousands takes a millisecond.
        return os.stat("/proc/self/fd").st_size or len(os.listdir("/proc/self/fd"))
    except OSError:  # No /proc.
        return 0
