"""The test stand: starts servers and loads for every scenario."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.support.content import FPS, Content
from bench.support.load import Crew, Group, Load, Window
from bench.support.process import Server
from bench.support.quiet import Quiet
from bench.support.table import quantile
from tests.support.clients.client import Viewer

__all__ = ["SETTLE_S", "Stand", "clock_times_ms", "p50_p99"]

SETTLE_S = 1.5
"""How long viewers usually watch before the first window."""

# Below the limit of 60 events a second per connection.
CLOCKS_PER_S = 40


@dataclass(frozen=True)
class Stand:
    """One run of the bench.

    Attributes:
        content: The pictures.
        seconds: The length of each window.
        repeats: The number of windows.
        viewers: Numbers of viewers, for scenarios with a growing number.
        ack_every: How many frames a viewer's acknowledgement may cover.
        quiet: Delays each measurement until the machine is quiet.
    """

    content: Content
    seconds: float
    repeats: int
    viewers: tuple[int, ...]
    ack_every: int
    quiet: Quiet

    @property
    def all_seconds(self) -> float:
        """The total length of one measurement's windows."""
        return self.seconds * self.repeats

    def say(self, text: str) -> None:
        """Print progress."""
        print(f"bench: {text}", file=sys.stderr, flush=True)

    @contextmanager
    def porthole(self, *arguments: str, command: str = "run") -> Iterator[Server]:
        """Run Porthole with these sources and flags."""
        with (
            tempfile.TemporaryDirectory(prefix="porthole-bench-state-") as state,
            Server(
                "manage.py",
                command,
                *("--port", "0", "--state", state, "--log-level", "error"),
                *arguments,
            ) as server,
        ):
            certificate = Path(state, "tls-cert.pem")
            server.certificate = str(certificate) if certificate.exists() else None
            yield server

    def reference(self, name: str, *flags: str) -> Server:
        """Run a server of :mod:`bench.references`."""
        return Server("-m", f"bench.references.{name}", str(self.content.folder), *flags)

    @contextmanager
    def camera(self, fps: int = FPS) -> Iterator[str]:
        """Run an MJPEG camera and yield its URL."""
        with self.reference("camera", "--fps", str(fps)) as server:
            yield f"http://127.0.0.1:{server.port}/"

    @contextmanager
    def load(self, server: Server, *groups: Group, settle_s: float = SETTLE_S) -> Iterator[Crew]:
        """Start viewers; yield their process when the first window is about to begin."""
        self.quiet.wait(self.say)
        load = Load(
            *(server.port, server.pid, groups, settle_s, self.repeats, self.seconds),
            certificate=server.certificate,
        )
        with Crew(load) as crew:
            crew.wait_until_watching()
            yield crew

    def measure(self, server: Server, *groups: Group, settle_s: float = SETTLE_S) -> list[Window]:
        """Start viewers, and return the windows."""
        with self.load(server, *groups, settle_s=settle_s) as crew:
            return crew.windows()


def clock_times_ms(server: Server, seconds: float) -> list[float]:
    """Return how long each ``clock`` took for a client that watches nothing."""
    viewer = Viewer("127.0.0.1", server.port, keep_events=False)
    viewer.connect()
    times = []
    deadline = time.monotonic() + seconds
    try:
        while (started := time.monotonic()) < deadline:
            viewer.call("clock", {"t": time.time()}, timeout_s=10)
            times.append((time.monotonic() - started) * 1000)
            time.sleep(max(0.0, started + 1 / CLOCKS_PER_S - time.monotonic()))
    finally:
        viewer.close()
    return times


def p50_p99(values: list[float]) -> str:
    """Return both quantiles as text."""
    return f"{quantile(values, 0.5):.1f} / {quantile(values, 0.99):.1f}"
