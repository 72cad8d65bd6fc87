"""Runs a long churn of viewers, cameras and faults against one server, and checks for leaks.

In ``python -m bench.soak --minutes 10`` viewers come and go, read slowly or not at all, send junk
and vanish in mid-frame, while cameras are stopped, started and changed, stall, freeze, send broken
pictures, and have their processes killed. Every ten seconds it prints the server's figures, and at
the end how much each grew per minute. Exit code 1 means that something leaks.

There are two checks. *Slopes*: a straight line through all samples after the warm-up. Every figure
is as noisy as the churn, so only the part of a slope above two standard errors counts. And *rest*:
when all viewers have left and the cameras are released, the server's figures must be the same as at
rest before; here noise is no excuse.
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import psutil

from bench.churn import Churn
from tests.support.cameras.bad_camera import BadCamera
from tests.support.cameras.films import make_film
from tests.support.servers.server import PortholeServer

__all__ = ["main"]

SAMPLE_S = 1.0
PRINT_S = 10.0

# The first part of the run is warm-up, in which caches, pools and the allocator fill.
WARM_UP = 0.25

# The video of one camera, with a key frame every two seconds.
FILM = ("-t", "8", "-c:v", "libx264", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "50")

# How long the server may take to come to rest: a client that reads nothing is noticed after 12 s,
# half a request after 15 s.
REST_S = 45.0


@dataclass(frozen=True)
class Limit:
    """How much a figure may grow.

    Attributes:
        a_minute: Growth per minute during the churn, in the unit shown.
        at_rest: Growth from the first rest to the last.
        unit: The figure is divided by this to be shown.
    """

    a_minute: float
    at_rest: float
    unit: float = 1.0


LIMITS = {
    # A leaked connection or frame takes 100 kB; there are about 200 connections and 4,000 frames a
    # minute, so the smallest real leak is tens of megabytes. The rest is allowed for the allocator,
    # whose arenas stay as long as they contain one small object.
    "rss_mb": Limit(a_minute=1.0, at_rest=30.0, unit=1e6),
    # A leak in one of a hundred connections would be two per minute.
    "descriptors": Limit(a_minute=1.0, at_rest=1.0),
    "threads": Limit(a_minute=0.2, at_rest=0.0),
    "greenlets": Limit(a_minute=1.0, at_rest=1.0),
    "children": Limit(a_minute=0.2, at_rest=0.0),
    # The worst of each second. It shows work that grows with time, such as walking a list that only
    # gets longer, but also everything else that runs on this machine.
    "lag_ms": Limit(a_minute=5.0, at_rest=math.inf),
}


@dataclass(frozen=True)
class Sample:
    """The server's figures at one moment."""

    at: float
    rss_mb: float
    descriptors: float
    threads: float
    greenlets: float
    children: float
    lag_ms: float


class Observer:
    """Reads the server's figures from the operating system and from ``/metrics``."""

    def __init__(self, server: PortholeServer) -> None:
        self.server = server
        self._process = psutil.Process(server.process.pid)

    def sample(self) -> Sample:
        """Return the current figures."""
        figures = self.metrics()
        with self._process.oneshot():
            rss = self._process.memory_info().rss
            threads = self._process.num_threads()
        return Sample(
            at=time.monotonic(),
            rss_mb=rss / LIMITS["rss_mb"].unit,
            descriptors=self._process.num_fds(),
            threads=threads,
            greenlets=self._greenlets(),
            children=len(self.children()),
            lag_ms=figures.get("porthole_hub_lag_milliseconds", 0.0),
        )

    def children(self) -> list[psutil.Process]:
        """Return the server's camera processes."""
        return self._process.children()

    def metrics(self) -> dict[str, float]:
        """Return the values of ``/metrics``, by name and labels as printed."""
        lines = self.get("metrics").decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def viewers(self) -> int:
        """Return the number of viewers of all cameras."""
        return sum(camera["viewers"] for camera in json.loads(self.get("api/cameras")))

    def get(self, path: str) -> bytes:
        """Return the response to a path."""
        with urllib.request.urlopen(self.server.url + path, timeout=20) as answer:
            body: bytes = answer.read()
            return body

    def _greenlets(self) -> int:
        log = self.server.log
        seen = len(log)
        self.server.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for line in log[seen:]:
                if line.startswith("greenlets "):
                    return int(line.split()[1])
            time.sleep(0.01)
        raise TimeoutError("the server does not answer a signal")


def slope_a_minute(samples: Sequence[Sample], name: str) -> tuple[float, float]:
    """Return a figure's slope per minute by least squares, and the slope's standard error."""
    times = [sample.at / 60 for sample in samples]
    values = [getattr(sample, name) for sample in samples]
    count = len(samples)
    middle, mean = sum(times) / count, sum(values) / count
    spread = sum((at - middle) ** 2 for at in times)
    slope = sum((at - middle) * (value - mean) for at, value in zip(times, values, strict=True))
    slope /= spread
    pairs = zip(times, values, strict=True)
    residues = [value - mean - slope * (at - middle) for at, value in pairs]
    # Samples a second apart are not independent: a change lasts for about five seconds.
    independent = max(3.0, count / 5)
    variance = sum(residue**2 for residue in residues) / count
    return slope, math.sqrt(variance * count / independent / spread) if variance else 0.0


def rest(observer: Observer) -> Sample:
    """Wait until the server has released all viewers, and return its figures.

    Takes the minimum of several samples: at rest, only requests such as this one hold anything
    temporarily.
    """
    deadline = time.monotonic() + REST_S
    while time.monotonic() < deadline:
        figures = observer.metrics()
        quiet = figures["porthole_connections"] == 0 and observer.viewers() == 0
        if quiet and not observer.children():
            break
        time.sleep(0.25)
    samples: list[Sample] = []
    while time.monotonic() < deadline:
        samples.append(observer.sample())
        time.sleep(0.5)
        if len(samples) > 6 and len({sample.greenlets for sample in samples[-6:]}) == 1:
            break
    names = [field.name for field in fields(Sample)]
    if not samples:
        samples = [observer.sample()]
    return Sample(*(min(getattr(sample, name) for sample in samples) for name in names))


def show(label: str, sample: Sample, churn: Churn) -> None:
    print(
        f"{label:>8}  rss {sample.rss_mb:6.1f} MB  fds {sample.descriptors:3.0f}  "
        f"threads {sample.threads:2.0f}  greenlets {sample.greenlets:3.0f}  "
        f"children {sample.children:1.0f}  lag {sample.lag_ms:5.1f} ms  "
        f"visits {churn.visits:5d}  frames {churn.frames:6d}",
        flush=True,
    )


def run(minutes: float, seed: int, state: Path) -> bool:
    """Run the churn for some minutes; return whether nothing leaks."""
    cameras = [BadCamera(fps=15) for _ in range(3)]
    film = make_film(state.with_name("film.mp4"), *FILM)
    server = PortholeServer(
        *("--port", "0", "--read-timeout", "2", "--release-after", "2", "--frozen-after", "3"),
        *("--check-every", "0"),  # Checks keep their process, but at rest there must be none.
        "test=test:?size=640x360&fps=15",
        "noise=test:?size=320x180&noise=0.05",
        f"film=file:{film}",
        *(f"net{number}={camera.url()}" for number, camera in enumerate(cameras)),
        state=state,
        environment={},
        program=("-m", "tests.support.servers.observed"),
    )
    observer = Observer(server)
    churn = Churn(server, cameras, seed, observer.children)
    try:
        # Before the first rest, run a little of everything, to fill pools and load modules.
        warm = Churn(server, cameras, seed + 1, observer.children)
        warm.start()
        time.sleep(min(30.0, minutes * 15))
        warm.stop()
        before = rest(observer)
        show("at rest", before, warm)

        samples = churn_for(minutes * 60, churn, observer)
        after = rest(observer)
        show("at rest", after, churn)
        return report(samples, before, after, churn, server)
    except Exception:
        print("\n".join(server.log[-200:]))
        raise
    finally:
        churn.stopped.set()
        code: int | str
        try:
            code = server.stop()
        except subprocess.TimeoutExpired:
            server.kill()
            code = "none: it had to be killed"
        for camera in cameras:
            camera.close()
        print(f"the server exited with code {code}")


def churn_for(seconds: float, churn: Churn, observer: Observer) -> list[Sample]:
    """Run the churn for this long; return a sample per second."""
    samples: list[Sample] = []
    started = printed = time.monotonic()
    churn.start()
    while time.monotonic() - started < seconds:
        samples.append(observer.sample())
        if time.monotonic() - printed >= PRINT_S:
            printed += PRINT_S
            show(f"{printed - started:.0f} s", samples[-1], churn)
        time.sleep(SAMPLE_S)
    churn.stop()
    return samples


def report(
    samples: list[Sample], before: Sample, after: Sample, churn: Churn, server: PortholeServer
) -> bool:
    """Print the verdict; return whether it is good."""
    steady = samples[int(len(samples) * WARM_UP) :]
    good = True
    print(f"\n{'figure':12}  {'mean':>8}  {'slope/min':>10}  {'+-':>6}  {'rest':>8}  {'rest':>8}")
    for name, limit in LIMITS.items():
        slope, error = slope_a_minute(steady, name)
        grew = getattr(after, name) - getattr(before, name)
        leaks = slope - 2 * error > limit.a_minute or grew > limit.at_rest
        good = good and not leaks
        mean = sum(getattr(sample, name) for sample in steady) / len(steady)
        print(
            f"{name:12}  {mean:8.1f}  {slope:+10.2f}  {2 * error:6.2f}  "
            f"{getattr(before, name):8.1f}  {getattr(after, name):8.1f}  "
            f"{'LEAKS' if leaks else 'holds'}"
        )
    tracebacks = sum("Traceback" in line for line in server.log)
    print(
        f"{churn.visits} visits, {churn.frames} frames seen, {tracebacks} tracebacks logged, "
        f"worst lag {max(sample.lag_ms for sample in steady):.0f} ms"
    )
    for mishap in sorted(set(churn.mishaps))[:10]:
        print(f"mishap: {mishap}")
    return good and not tracebacks


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="how long; default: 10")
    parser.add_argument("--seed", type=int, default=1, help="for random choices; default: 1")
    options = parser.parse_args()
    # Stop the server even when this is ended from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.chdir(Path(__file__).resolve().parent.parent)
    with tempfile.TemporaryDirectory() as state:
        good = run(options.minutes, options.seed, Path(state) / "state")
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
