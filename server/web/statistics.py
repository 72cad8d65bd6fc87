"""The server's statistics, once a second, for the ``stats`` event and for Prometheus."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from server.delivery.fanout import Fanout, Room
from server.delivery.video import Video
from server.loop.lag import LagMeter
from server.loop.watchdog import Watchdog
from server.metrics import CameraStats, Meter, ProcessMeter

__all__ = ["REFUSALS", "Statistics"]

REFUSALS = (
    *("400", "403", "408", "414", "421", "429"),
    *("bad_request", "forbidden", "rate_limited", "unauthorized", "unavailable", "unknown_camera"),
    *(
        "conflict",
        "evicted",
        "expired",
        "flood",
        "malformed",
        "unknown_account",
        "unknown_view",
        "wrong_password",
    ),
)
"""All reasons for a refusal. All are exported from the start, because Prometheus computes no rate
for the first increase of a new series."""


class Statistics:
    """Gathers the statistics of all cameras and of the process.

    Args:
        fanouts: By camera name.
        lag: Measures the delay of the hub.
        watchdog: Counts the hangs of the hub.
    """

    def __init__(
        self,
        fanouts: Mapping[str, Fanout],
        lag: LagMeter,
        watchdog: Watchdog,
    ) -> None:
        self._fanouts = fanouts
        self._lag = lag
        self._watchdog = watchdog
        self._cameras: dict[str, CameraStats] = {}
        self._counts: dict[Room | Video, tuple[float, int, int]] = {}
        self._follow()
        self._meter = ProcessMeter()
        self.refused: Counter[str] = Counter()
        """Events, requests and connections refused since the start, by reason."""
        self.process: dict[str, Any] = {}
        """The process's statistics at the last :meth:`take`."""

    def _follow(self) -> None:
        """Follow cameras that were added or removed."""
        self._cameras = {
            name: self._stats_of(name, fanout.camera.meter)
            for name, fanout in self._fanouts.items()
        }
        fresh = time.monotonic(), 0, 0
        counted: list[Room | Video] = []
        for fanout in self._fanouts.values():
            counted += (*fanout.rooms.values(), *fanout.videos.videos.values())
        self._counts = {one: self._counts.get(one, fresh) for one in counted}

    def _stats_of(self, name: str, meter: Meter) -> CameraStats:
        known = self._cameras.get(name)
        return known if known is not None and known.meter is meter else CameraStats(meter)

    def count_refusal(self, reason: str) -> None:
        """Count a refused event, request or connection."""
        self.refused[reason] += 1

    def lag_s(self, share: float) -> float:
        """Return a quantile of the recent event-loop delay, in seconds."""
        return self._lag.quantile(share)

    def take(self, connections: int) -> dict[str, Any]:
        """Return the ``stats`` payload for the time since the last call.

        Args:
            connections: Number of connected dashboards.
        """
        self.process = self._meter.take() | {
            "hub_lag_ms": round(self._lag.take() * 1000, 1),
            "hub_lag_p99_ms": round(self._lag.quantile(0.99) * 1000, 1),
            "hangs": self._watchdog.hangs,
            "connections": connections,
            "refused": dict(self.refused),
        }
        self._follow()
        cameras = {}
        for name, stats in self._cameras.items():
            fanout = self._fanouts[name]
            owner = fanout.camera.owner
            cameras[name] = stats.take() | {
                "viewers": len(fanout),
                "renditions": self._take(fanout.rooms),
                "videos": self._take(fanout.videos.videos),
            }
            if owner is not None:
                cameras[name] |= owner.figures
        return {"at": round(time.time(), 3), "cameras": cameras, "process": self.process}

    def _take(self, watched: Mapping[str, Room | Video]) -> dict[str, dict[str, float]]:
        """Return the figures since the last call for each watched rendition or video."""
        figures = {}
        for name, one in watched.items():
            before = self._counts[one]
            now = self._counts[one] = time.monotonic(), one.frames, one.sent_bytes
            seconds = max(now[0] - before[0], 1e-6)
            if one.viewers:
                figures[name] = {
                    "viewers": len(one.viewers),
                    "fps": round((now[1] - before[1]) / seconds, 1),
                    "kbps": round((now[2] - before[2]) * 8 / 1000 / seconds, 1),
                }
        return figures
