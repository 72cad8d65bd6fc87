"""Measures recovery from a camera that drops out every 20 s, in a different way each time.

``python -m bench.dropouts --minutes 30`` puts a proxy in front of its own HTTP camera, or of the
one at ``--camera``, such as ``rtsp://127.0.0.1:8554/live``. The proxy closes or resets connections,
stalls, refuses, sends nothing, garbage, half a picture or an error status, is suspended or killed.
One viewer watches, and STATE is read ten times a second.

For each dropout it prints how long after the camera's return the picture came back, and how often
STATE was "live" although no picture had come for longer than ``stall_after``. At the end it prints
the slowest recovery for each kind of dropout, the most simultaneous clients of the camera, and how
memory and descriptors grew. Exit code 1 means that a recovery was late, STATE was wrong, or the
camera had more than one client.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit, urlunsplit

import psutil

from tests.support.cameras.bad_camera import BadCamera
from tests.support.cameras.dropping_proxy import DroppingProxy, Way
from tests.support.clients.client import Viewer
from tests.support.servers.server import PortholeServer

__all__ = ["main"]

PERIOD_S = 20.0
OUTAGE_S = (1.0, 12.0)

STALL_AFTER_S = 2.0
# For a picture to arrive here, and a state to be read.
SLACK_S = 0.5

SAMPLE_S = 0.1
BACK_WITHIN_S = 2.0

# "good" is no dropout; and after a refused login the server retries rarely, so not within seconds.
EXCEPTIONS = ("good", "401")


@dataclass
class Watch:
    """Observes pictures as a viewer, and STATE."""

    server: PortholeServer
    over: threading.Event = field(default_factory=threading.Event)
    pictures: int = 0
    last_at: float = 0.0
    """When the last picture was captured, in Unix seconds."""
    lost_at: float = float("inf")
    """When the camera dropped out, in Unix seconds; pictures shown later are old ones."""
    lies: int = 0
    samples: int = 0
    state: str = ""

    def view(self) -> None:
        """Watch the camera until it is over."""
        viewer = Viewer("127.0.0.1", self.server.port)
        viewer.on_frame = self._see
        viewer.connect()
        viewer.call("watch", {"camera": "field"})
        viewer.pump(self.over.is_set, 1e6)
        viewer.close()

    def _see(self, header: dict[str, object], _jpeg: bytes) -> None:
        at_unix = header["at"]
        assert isinstance(at_unix, float)
        self.pictures, self.last_at = self.pictures + 1, at_unix

    def read(self) -> None:
        """Read STATE until it is over."""
        while not self.over.wait(SAMPLE_S):
            asked_at = time.time()
            with urllib.request.urlopen(self.server.url + "api/cameras", timeout=20) as answer:
                (camera,) = json.load(answer)
            self.state = camera["state"]
            self.samples += 1
            silent_s = asked_at - min(self.last_at, self.lost_at)
            self.lies += self.state == "live" and silent_s > STALL_AFTER_S + SLACK_S


def run(arguments: argparse.Namespace, state: Path) -> bool:
    """Make a camera drop out for some minutes; return whether all went well."""
    camera = None
    url = arguments.camera
    if not url:
        camera = BadCamera(fps=15)
        url = camera.url()
    parts = urlsplit(url)
    assert parts.port, "the camera's address needs a port"
    proxy = DroppingProxy(parts.port)
    proxied = urlunsplit(parts._replace(netloc=f"127.0.0.1:{proxy.port}"))
    server = PortholeServer(
        "--port", "0", f"field={proxied}", state=state, environment={}, own_children=True
    )
    watch = Watch(server)
    threads = [threading.Thread(target=act, daemon=True) for act in (watch.view, watch.read)]
    try:
        for thread in threads:
            thread.start()
        return drop_out(arguments, proxy, watch)
    finally:
        watch.over.set()
        for thread in threads:
            thread.join(5)
        print(f"the server ended with exit code {server.stop()}")
        proxy.close()
        if camera is not None:
            camera.close()


def drop_out(arguments: argparse.Namespace, proxy: DroppingProxy, watch: Watch) -> bool:
    """Cause dropouts repeatedly; print the results, and return whether all went well."""
    rng = random.Random(arguments.seed)
    ways: list[Way] = [way for way in get_args(Way) if way not in EXCEPTIONS]
    worst: dict[Way, float] = {}
    figures = [measure(watch.server)]
    wait_for_picture(watch, time.time(), 20)
    ends_at = time.monotonic() + arguments.minutes * 60
    number = 0
    while time.monotonic() < ends_at:
        if number % len(ways) == 0:
            rng.shuffle(ways)
        way = ways[number % len(ways)]
        number += 1
        outage_s = rng.uniform(*OUTAGE_S)
        time.sleep(PERIOD_S - outage_s)
        lies, lost = watch.lies, time.time()
        proxy.behave(way)
        watch.lost_at = time.time()
        time.sleep(outage_s)
        seen, watch.lost_at = watch.state, float("inf")
        proxy.behave("good")
        back_s = wait_for_picture(watch, time.time(), PERIOD_S)
        worst[way] = max(worst.get(way, 0.0), back_s)
        figures.append(measure(watch.server))
        rss, descriptors, children = figures[-1]
        print(
            f"{time.strftime('%H:%M:%S', time.localtime(lost))}  {way:15} {outage_s:5.1f} s  "
            f"{seen:9} back after {back_s:5.2f} s  wrong {watch.lies - lies:2d}  "
            f"rss {rss:6.1f} MB  fds {descriptors:3d}  children {children}",
            flush=True,
        )
    return report(worst, figures, proxy, watch)


def wait_for_picture(watch: Watch, since_unix: float, timeout_s: float) -> float:
    """Wait for a picture captured after a Unix time; return how long that took."""
    began = time.monotonic()
    while watch.last_at < since_unix and time.monotonic() - began < timeout_s:
        time.sleep(0.005)
    return time.monotonic() - began


def measure(server: PortholeServer) -> tuple[float, int, int]:
    """Return the server's memory in MB with its children's, its descriptors and its children."""
    process = psutil.Process(server.process.pid)
    rss, children = process.memory_info().rss, process.children()
    for child in children:
        try:
            rss += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue  # It has just ended.
    return rss / 1e6, process.num_fds(), len(children)


def report(
    worst: dict[Way, float],
    figures: list[tuple[float, int, int]],
    proxy: DroppingProxy,
    watch: Watch,
) -> bool:
    """Print the result; return whether it is good."""
    print()
    for way, back_s in sorted(worst.items(), key=lambda one: -one[1]):
        print(f"{way:15} back after {back_s:5.2f} s at worst")
    middle = len(figures) // 2
    for name, at in (("rss in MB", 0), ("descriptors", 1)):
        values = [figure[at] for figure in figures]
        first = sum(values[1:middle]) / max(1, middle - 1)
        second = sum(values[middle:]) / (len(values) - middle)
        print(f"{name}: {first:.1f} in the first half, {second:.1f} in the second")
    print(
        f"{watch.lies} of {watch.samples} states were wrong; at most {proxy.most} client at a "
        f"time; {watch.pictures} pictures"
    )
    return max(worst.values()) <= BACK_WITHIN_S and not watch.lies and proxy.most == 1


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30, help="how long; default: 30")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices; default: 1")
    parser.add_argument("--camera", help="address with a port of a camera on loopback")
    arguments = parser.parse_args()
    # Stop the server even when this is ended from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as state:
        good = run(arguments, Path(state))
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
