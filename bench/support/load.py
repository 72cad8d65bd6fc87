"""The load client: a process with all viewers, which counts frames and the server's CPU time.

Run as ``python -m bench.support.load`` with a :class:`Load` as JSON on standard input; it prints
the windows as JSON. It also reads the server's CPU time, at the same moments as its frame counts.
"""

import gc
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import nan
from typing import Any

from bench.support.process import ROOT, busy_s, cpu_s, rss_bytes
from bench.support.table import quantile
from tests.support.clients.client import Crowd, MjpegViewer, Viewer
from tests.support.clients.connection import Arrival

__all__ = ["RARE_ACKS", "Crew", "CrewWindow", "Group", "Load", "Window", "lag_p99_max"]

RARE_ACKS = 4
"""How many pictures a page covers with one acknowledgement, if the frame rate allows it."""


@dataclass(frozen=True)
class Group:
    """Viewers of one kind.

    Attributes:
        name: Its name in the results.
        count: The number of viewers.
        kind: ``socket`` or ``mjpeg``.
        cameras: The cameras to watch: viewer i watches camera i modulo their number.
        bytes_per_s: The speed of a slow link; None for no limit.
        ack_every: How many frames one acknowledgement may cover.
        rendition: The rendition to watch over a socket.
        video: The codecs that it decodes; empty for JPEG.
    """

    name: str
    count: int
    kind: str = "socket"
    cameras: tuple[str, ...] = ("test",)
    bytes_per_s: float | None = None
    ack_every: int = 1
    rendition: str = "full"
    video: tuple[str, ...] = ()


@dataclass(frozen=True)
class Load:
    """The load on one server.

    Attributes:
        port: The server's port, on loopback.
        pid: The root of the process tree to measure.
        groups: The viewers.
        settle_s: How long they watch before the first window.
        windows: The number of windows.
        seconds: The length of each window.
        certificate: Path of the certificate to trust, in PEM, for a server with TLS.
    """

    port: int
    pid: int
    groups: tuple[Group, ...]
    settle_s: float
    windows: int
    seconds: float
    certificate: str | None = None


@dataclass(frozen=True)
class CrewWindow:
    """What one group received in one window.

    Attributes:
        frames: Frames that arrived, over all viewers.
        fps_min: The slowest viewer's frames per second.
        fps_median: The median viewer's frames per second.
        distinct_median: The median viewer's different frames per second.
        repeated: Frames that arrived again, or after a newer one.
        missing: Frames that a viewer did not get, by their numbers.
        mean_bytes: Mean size of a picture.
        age_p50_ms: Median age of a picture when its last byte arrived.
        age_p99_ms: The 99th percentile of that age.
        age_max_ms: The largest age.
        ended: Connections that have ended.
    """

    frames: int
    fps_min: float
    fps_median: float
    distinct_median: float
    repeated: int
    missing: int
    mean_bytes: float
    age_p50_ms: float
    age_p99_ms: float
    age_max_ms: float
    ended: int


@dataclass(frozen=True)
class Window:
    """The figures of one window.

    Attributes:
        seconds: Its length.
        server_cpu_s: CPU time of the server's process tree.
        client_cpu_s: CPU time of this process.
        other_cores: Cores kept busy by other processes.
        rss_bytes: Resident memory of the server's process tree, at the end.
        lags_ms: The worst event-loop delay of each second, from ``stats``.
        stats: The last ``stats`` event, or None.
        groups: By name.
    """

    seconds: float
    server_cpu_s: float
    client_cpu_s: float
    other_cores: float
    rss_bytes: int
    lags_ms: list[float]
    stats: dict[str, Any] | None
    groups: dict[str, CrewWindow]

    @property
    def frames(self) -> int:
        """Frames that arrived, over all groups."""
        return sum(group.frames for group in self.groups.values())

    @property
    def us_per_frame(self) -> float:
        """The server's CPU time per delivered frame in microseconds; NaN if nothing arrived."""
        return self.server_cpu_s / self.frames * 1e6 if self.frames else nan

    @property
    def server_cores(self) -> float:
        """Cores that the server kept busy."""
        return self.server_cpu_s / self.seconds

    @property
    def client_cores(self) -> float:
        """Cores that the load client kept busy; near 1 it is the bottleneck."""
        return self.client_cpu_s / self.seconds


def lag_p99_max(windows: Sequence[Window]) -> str | None:
    """Return the event loop's lag over all windows as text, in milliseconds; None if unknown.

    The p99 is over the server's last five seconds, which cover three windows of 1.5 s.
    """
    stats = next((window.stats for window in reversed(windows) if window.stats), None)
    lags = [lag for window in windows for lag in window.lags_ms]
    if not lags or stats is None or "hub_lag_p99_ms" not in stats["process"]:
        return None
    return f"{stats['process']['hub_lag_p99_ms']:.1f} / {max(lags):.1f}"


class Crew:
    """The load client's process; a context manager that ends it."""

    def __init__(self, load: Load) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.support.load"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(load)) + "\n")
        self._process.stdin.flush()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def wait_until_watching(self) -> None:
        """Wait until all viewers are connected and the first window is about to begin."""
        self._read_line()

    def windows(self) -> list[Window]:
        """Wait for the results and return them."""
        windows = json.loads(self._read_line())
        return [
            Window(
                **{
                    **window,
                    "groups": {name: CrewWindow(**one) for name, one in window["groups"].items()},
                }
            )
            for window in windows
        ]

    def _read_line(self) -> str:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line.startswith("load: "):
                return line.removeprefix("load: ")
        raise SystemExit("bench: the load client ended too early")


AnyViewer = Viewer | MjpegViewer


def main() -> None:
    """Run the load that standard input describes."""
    fields = json.loads(sys.stdin.readline())
    groups = tuple(Group(**group) for group in fields.pop("groups"))
    load = Load(**fields, groups=groups)
    # The lists of a million small objects only grow: collecting garbage would find none.
    gc.disable()
    crowd = Crowd()
    tls = ssl.create_default_context(cafile=load.certificate) if load.certificate else None
    crews = {group.name: _connect(group, load.port, tls, crowd) for group in groups}
    try:
        crowd.run(load.settle_s)
        print("load: watching", flush=True)
        windows = [_measure(load, crowd, crews) for _ in range(load.windows)]
        print("load: " + json.dumps([asdict(window) for window in windows]), flush=True)
    finally:
        crowd.close()


def _connect(group: Group, port: int, tls: ssl.SSLContext | None, crowd: Crowd) -> list[AnyViewer]:
    viewers: list[AnyViewer] = []
    paced = group.bytes_per_s is not None
    for number in range(group.count):
        viewer: AnyViewer
        options: dict[str, Any] = {
            "bytes_per_s": group.bytes_per_s,
            # As small as a phone's, because a large one hides a slow link for a while.
            "receive_buffer": 32768 if paced else None,
            "light": not paced,
            "tls": tls,
        }
        if group.kind == "mjpeg":
            viewer = MjpegViewer("127.0.0.1", port, **options)
        else:
            viewer = Viewer(
                "127.0.0.1", port, ack_every=group.ack_every, keep_events=number == 0, **options
            )
        viewer.connect()
        viewers.append(viewer)
        crowd.add(viewer)
        # Read from all connected viewers, so that no server waits for its first client.
        crowd.run(0)
    for number, viewer in enumerate(viewers):
        if isinstance(viewer, Viewer):
            camera = group.cameras[number % len(group.cameras)]
            asked: dict[str, Any] = {"camera": camera, "rendition": group.rendition}
            if group.video:
                asked["video"] = group.video
            if group.ack_every > 2:
                asked["acks"] = group.ack_every
            viewer.ask("watch", asked)
            crowd.run(0)
    return viewers


def _measure(load: Load, crowd: Crowd, crews: dict[str, list[AnyViewer]]) -> Window:
    listener = next(
        (viewer for crew in crews.values() for viewer in crew if isinstance(viewer, Viewer)), None
    )
    for crew in crews.values():
        for viewer in crew:
            # Keep the last arrival, to detect a repetition across two windows.
            del viewer.arrivals[:-1]
    before = {name: [len(viewer.arrivals) for viewer in crew] for name, crew in crews.items()}
    if listener is not None:
        listener.events.clear()
    started, cpu, own, busy = time.monotonic(), cpu_s(load.pid), time.process_time(), busy_s()
    crowd.run(load.seconds)
    seconds = time.monotonic() - started
    server_s, client_s = cpu_s(load.pid) - cpu, time.process_time() - own
    others_s = busy_s() - busy - server_s - client_s
    stats = [data for name, data in listener.events if name == "stats"] if listener else []
    lags = [one["process"]["hub_lag_ms"] for one in stats if "hub_lag_ms" in one["process"]]
    return Window(
        seconds,
        server_s,
        client_s,
        max(0.0, others_s / seconds),
        rss_bytes(load.pid),
        lags,
        stats[-1] if stats else None,
        {name: _summarize(crew, before[name], seconds) for name, crew in crews.items()},
    )


def _summarize(crew: Sequence[AnyViewer], before: Sequence[int], seconds: float) -> CrewWindow:
    counts, distinct, ages, sizes = [], [], [], 0
    repeated = missing = 0
    for viewer, start in zip(crew, before, strict=True):
        arrivals = viewer.arrivals
        fresh = arrivals[start:]
        counts.append(len(fresh) / seconds)
        distinct.append(len({arrival.at_unix for arrival in fresh}) / seconds)
        ages += [arrival.age_s * 1000 for arrival in fresh]
        sizes += sum(arrival.size for arrival in fresh)
        for earlier, later in pairwise(arrivals):
            repeated += not _is_newer(viewer, earlier, later)
            if isinstance(viewer, Viewer):
                missing += max(0, later.seq - earlier.seq - 1)
    return CrewWindow(
        frames=len(ages),
        fps_min=min(counts),
        fps_median=quantile(counts, 0.5),
        distinct_median=quantile(distinct, 0.5),
        repeated=repeated,
        missing=missing,
        mean_bytes=sizes / max(1, len(ages)),
        age_p50_ms=quantile(ages, 0.5),
        age_p99_ms=quantile(ages, 0.99),
        age_max_ms=max(ages, default=0.0),
        ended=sum(viewer.closed for viewer in crew),
    )


def _is_newer(viewer: AnyViewer, earlier: Arrival, later: Arrival) -> bool:
    # A multipart stream has timestamps instead of sequence numbers.
    if isinstance(viewer, MjpegViewer):
        return later.at_unix > earlier.at_unix
    return later.seq > earlier.seq


if __name__ == "__main__":
    main()
