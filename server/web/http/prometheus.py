"""The metrics in Prometheus's format.

The numbers equal those in the ``stats`` event: both come from the meters.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from server.delivery.fanout import Fanout
from server.metrics import DROPS
from server.web.statistics import REFUSALS, Statistics

__all__ = ["Exposition"]

STATES = ("idle", "starting", "live", "stalled", "retrying", "ended", "stopped")


class Exposition(Collector):
    """Collects all metrics when they are requested.

    Args:
        fanouts: By camera name.
        statistics: Has the process's statistics and the refusals.
    """

    CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, fanouts: Mapping[str, Fanout], statistics: Statistics) -> None:
        self._fanouts = fanouts
        self._statistics = statistics
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that the registry does not collect just to learn the names."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Yield every metric, labelled by camera."""
        meters = {name: fanout.camera.meter for name, fanout in self._fanouts.items()}
        counters: list[tuple[str, str, Callable[[Any], float]]] = [
            ("captured_frames", "Frames captured.", lambda meter: meter.captured),
            ("encoded_frames", "Frames encoded to JPEG.", lambda meter: meter.encoded),
            (
                "passed_frames",
                "Frames passed through without being encoded again.",
                lambda meter: meter.passed,
            ),
            ("encode_seconds", "Time spent encoding.", lambda meter: meter.encode_s),
            ("sent_frames", "Frames sent, once per viewer.", lambda meter: meter.sent),
            ("sent_bytes", "Picture bytes sent, once per viewer.", lambda meter: meter.sent_bytes),
            ("source_opened", "How many times the source was opened.", lambda meter: meter.opened),
            ("source_lost", "How many times the source was lost.", lambda meter: meter.lost),
        ]
        for name, text, read in counters:
            family = CounterMetricFamily(f"porthole_{name}", text, labels=["camera"])
            for camera, meter in meters.items():
                family.add_metric([camera], read(meter))
            yield family

        drops = CounterMetricFamily(
            "porthole_dropped_frames", "Frames skipped on purpose.", labels=["camera", "reason"]
        )
        viewers = GaugeMetricFamily("porthole_viewers", "Viewers now.", labels=["camera"])
        states = GaugeMetricFamily(
            "porthole_camera_state", "1 for the camera's current state.", labels=["camera", "state"]
        )
        for camera, fanout in self._fanouts.items():
            counted = dict.fromkeys(DROPS, 0) | fanout.camera.meter.drops
            for reason, count in counted.items():
                drops.add_metric([camera, reason], count)
            viewers.add_metric([camera], len(fanout))
            for state in STATES:
                states.add_metric([camera, state], fanout.camera.state == state)
        yield from (drops, viewers, states)

        refused = CounterMetricFamily(
            "porthole_refused", "Events, requests and connections refused.", labels=["reason"]
        )
        for reason, count in (dict.fromkeys(REFUSALS, 0) | self._statistics.refused).items():
            refused.add_metric([reason], count)
        yield refused

        process = self._statistics.process
        for key, name, text in (
            (
                "hub_lag_ms",
                "hub_lag_milliseconds",
                "Worst event loop lag of the last second, in milliseconds.",
            ),
            (
                "hub_lag_p99_ms",
                "hub_lag_p99_milliseconds",
                "99th percentile of event loop lag over five seconds, in milliseconds.",
            ),
            ("rss_bytes", "resident_memory_bytes", "Memory in use."),
            ("descriptors", "open_descriptors", "Files, sockets and pipes that are open."),
            ("connections", "connections", "Open Socket.IO connections."),
            ("uptime_s", "uptime_seconds", "Time since the start."),
            ("hangs", "hub_hangs", "How many times the event loop was blocked for too long."),
        ):
            yield GaugeMetricFamily(f"porthole_{name}", text, value=process.get(key, 0))
        cpu = CounterMetricFamily("porthole_cpu_seconds", "CPU time of this process.")
        cpu.add_metric([], process.get("cpu_s", 0))
        yield cpu
