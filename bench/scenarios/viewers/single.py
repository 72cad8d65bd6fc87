"""One viewer of one network camera, passed through: what does a picture cost, whoever watches?"""

import time
from collections.abc import Iterator

from bench.support.process import rss_bytes, threads_cpu_s, tree
from bench.support.stand import Stand
from bench.support.table import Table, spread
from tests.support.clients.client import Viewer

__all__ = ["run"]

# The camera is opened, and the first picture is always read natively.
SETTLE_S = 2.0


def run(stand: Stand) -> Iterator[Table]:
    """Measure the server and the camera's process apart, before anybody came and with a viewer."""
    stand.say("single")
    table = Table(
        "One viewer, passed through, 1280x720 at 30 fps: each process",
        ("process", "% of a core", "ms of CPU a picture", "resident MB"),
    )
    with stand.camera() as url, stand.porthole(f"test={url}") as server:
        table.add("the server, before anybody came", None, None, _mb(server.pid))
        stand.quiet.wait(stand.say)
        viewer = Viewer("127.0.0.1", server.port, light=True, keep_events=False)
        viewer.connect()
        try:
            viewer.ask("watch", {"camera": "test"})
            _watch(viewer, SETTLE_S)
            processes = dict(
                zip(("the server", "the camera's process"), tree(server.pid), strict=True)
            )
            used: dict[str, list[tuple[float, float]]] = {name: [] for name in processes}
            for _ in range(stand.repeats):
                before = {name: threads_cpu_s(pid) for name, pid in processes.items()}
                pictures, took_s = _watch(viewer, stand.seconds)
                for name, pid in processes.items():
                    cpu_s = threads_cpu_s(pid) - before[name]
                    used[name].append((100 * cpu_s / took_s, 1000 * cpu_s / max(1, pictures)))
            for name, pid in processes.items():
                percents, costs = zip(*used[name], strict=True)
                table.add(name, spread(percents, 2), spread(costs, 2), _mb(pid))
        finally:
            viewer.close()
    yield table


def _watch(viewer: Viewer, seconds: float) -> tuple[int, float]:
    """Return how many pictures arrived, and in how many seconds."""
    before, since = len(viewer.arrivals), time.monotonic()
    viewer.pump(lambda: time.monotonic() - since >= seconds, seconds + 1)
    return len(viewer.arrivals) - before, time.monotonic() - since


def _mb(pid: int) -> str:
    return f"{rss_bytes(pid, alone=True) / 1e6:.0f}"
