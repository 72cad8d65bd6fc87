"""What the server tells of itself once a second, for the ``stats`` event and for Prometheus."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from server import hub
from server.delivery.fanout import Fanout
from server.metrics import CameraStats, ProcessMeter
from server.watchdog import Watchdog

__all__ = ["Statistics"]


class Statistics:
    """Gathers the figures of all cameras and of the process.

    Args:
        fanouts: By camera name.
        lag: Measures the hub.
        watchdog: Counts its hangs.
        connections: Returns how many dashboards are connected.
    """

    def __init__(
        self,
        fanouts: Mapping[str, Fanout],
        lag: hub.LagMeter,
        watchdog: Watchdog,
        connections: Callable[[], int],
    ) -> None:
        self._fanouts = fanouts
        self._lag = lag
        self._watchdog = watchdog
        self._connections = connections
        self._cameras: dict[str, CameraStats] = {}
        self._follow()
        self._meter = ProcessMeter()
        self.refused: Counter[str] = Counter()
        """Events, requests and connections refused since the start, by reason."""
        self.process: dict[str, Any] = {}
        """The process's figures as of the last :meth:`take`."""

    def _follow(self) -> None:
        """Have figures of exactly those cameras that are there; other nodes' come and go."""
        self._cameras = {
            name: self._cameras.get(name) or CameraStats(fanout.camera.meter)
            for name, fanout in self._fanouts.items()
        }

    def count_refusal(self, reason: str) -> None:
        """Count an event, request or connection that was refused."""
        self.refused[reason] += 1

    def take(self) -> dict[str, Any]:
        """Return the ``stats`` payload for the time since the last call."""
        self.process = self._meter.take() | {
            "hub_lag_ms": round(self._lag.take() * 1000, 1),
            "hub_lag_p99_ms": round(self._lag.quantile(0.99) * 1000, 1),
            "hangs": self._watchdog.hangs,
            "connections": self._connections(),
            "refused": dict(self.refused),
        }
        self._follow()
        cameras = {}
        for name, stats in self._cameras.items():
            fanout = self._fanouts[name]
            elsewhere = fanout.camera.elsewhere
            cameras[name] = stats.take() | {"viewers": len(fanout)}
            if elsewhere is not None:
                cameras[name] |= elsewhere.figures
        return {"at": round(time.time(), 3), "cameras": cameras, "process": self.process}
