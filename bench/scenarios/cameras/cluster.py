"""Cameras on one node and viewers on another, with Redis between them."""

import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from bench.support.load import Group, Window
from bench.support.process import cpu_s
from bench.support.stand import Stand
from bench.support.table import Table, spread

__all__ = ["run"]

REDIS = "redis-server"

VIEWERS = (10, 100)

START_DEADLINE_S = 5.0


def run(stand: Stand) -> Iterator[Table]:
    """Measure viewers on the camera's own node and on another one, and Redis between them."""
    table = Table(
        "One camera passed through at 1280x720 and 30 fps, over the bus and without",
        (
            "viewers at",
            "viewers",
            "µs per frame, the node they are at",
            "× alone",
            "fps min / median",
            "missing",
            "age ms p50 / p99",
            "cores: camera's node / Redis",
        ),
    )
    if shutil.which(REDIS) is None:
        stand.say("no redis-server here: skipping nodes on a bus")
        return
    counts = [count for count in VIEWERS if count <= max(stand.viewers)]
    alone: dict[int, float] = {}
    for count in counts:
        stand.say(f"cluster: one process, {count} viewers")
        with stand.camera() as url, stand.porthole(f"test={url}") as server:
            windows = stand.measure(server, Group("all", count, ack_every=stand.ack_every))
        alone[count] = median(window.us_per_frame for window in windows)
        table.add(*_cells("one process", count, windows, 1.0), None)
    for count in counts:
        stand.say(f"cluster: a web node, {count} viewers")
        with (
            _redis() as (redis, bus),
            stand.camera() as url,
            stand.porthole(f"test={url}", "--bus", bus) as owner,
            stand.porthole("--bus", bus, command="web") as web,
        ):
            _wait_until(lambda: _shows_camera(web.port))
            with stand.load(web, Group("all", count, ack_every=stand.ack_every)) as crew:
                started = time.monotonic()
                before = cpu_s(owner.pid), cpu_s(redis)
                windows = crew.windows()
                took_s = time.monotonic() - started
                cores = [
                    (cpu_s(pid) - cpu) / took_s
                    for pid, cpu in zip((owner.pid, redis), before, strict=True)
                ]
        cost = median(window.us_per_frame for window in windows)
        between = f"{cores[0]:.2f} / {cores[1]:.2f}"
        table.add(*_cells("a web node", count, windows, cost / alone[count]), between)
    table.notes = [
        "The camera's node is a `run --bus` whose only viewer is the bus. It does the camera's "
        "part of the work of one process; the web node receives frames from Redis."
    ]
    yield table


def _cells(where: str, count: int, windows: list[Window], ratio: float) -> list[object]:
    crews = [window.groups["all"] for window in windows]
    return [
        where,
        count,
        spread([window.us_per_frame for window in windows]),
        f"{ratio:.2f}",
        f"{min(crew.fps_min for crew in crews):.1f} / {median(c.fps_median for c in crews):.1f}",
        sum(crew.missing for crew in crews),
        f"{median(c.age_p50_ms for c in crews):.1f} / {median(c.age_p99_ms for c in crews):.1f}",
    ]


@contextmanager
def _redis() -> Iterator[tuple[int, str]]:
    """Run a Redis without persistence; yield its process and its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="porthole-bench-redis-") as folder:
        process = subprocess.Popen(
            [REDIS, "--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_until(lambda: _listens(port))
            yield process.pid, f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("bench: the nodes did not connect in time")
        time.sleep(0.02)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _shows_camera(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/cameras", timeout=5) as answer:
        return bool(json.load(answer))
