"""What does a picture cost with one viewer of one network camera, passed through?"""

import time
from collections.abc import Iterator

from bench.support.load import RARE_ACKS
from bench.support.process import rss_bytes, threads_cpu_s, tree
from bench.support.stand import Stand
from bench.support.table import Table, spread
from tests.support.clients.client import Crowd, Viewer

__all__ = ["run"]

# Time to open the camera; the first picture is always read natively.
SETTLE_S = 2.0


def run(stand: Stand) -> Iterator[Table]:
    """Measure the server and the camera's process separately, before and with a viewer."""
    stand.say("single")
    table = Table(
        "One viewer, passed through, 1280x720 at 30 fps: each process",
        ("process", "frames per ack", "% of a core", "ms of CPU per picture", "resident MB"),
    )
    with stand.camera() as url, stand.porthole(f"test={url}") as server:
        table.add("the server, before the first viewer", None, None, None, _mb(server.pid))
        for ack_every in (1, RARE_ACKS):
            crowd = Crowd()
            viewer = Viewer(
                "127.0.0.1", server.port, light=True, keep_events=False, ack_every=ack_every
            )
            viewer.connect()
            crowd.add(viewer)
            try:
                viewer.ask("watch", {"camera": "test"})
                _measure(stand, server.pid, crowd, viewer, table)
            finally:
                crowd.close()
    yield table


def _measure(stand: Stand, server: int, crowd: Crowd, viewer: Viewer, table: Table) -> None:
    stand.quiet.wait(stand.say)
    crowd.run(SETTLE_S)
    processes = dict(zip(("the server", "the camera's process"), tree(server), strict=True))
    used: dict[str, list[tuple[float, float]]] = {name: [] for name in processes}
    for _ in range(stand.repeats):
        before = {name: threads_cpu_s(pid) for name, pid in processes.items()}
        seen, since = len(viewer.arrivals), time.monotonic()
        crowd.run(stand.seconds)
        pictures, took_s = len(viewer.arrivals) - seen, time.monotonic() - since
        for name, pid in processes.items():
            cpu_s = threads_cpu_s(pid) - before[name]
            used[name].append((100 * cpu_s / took_s, 1000 * cpu_s / max(1, pictures)))
    for name, pid in processes.items():
        percents, costs = zip(*used[name], strict=True)
        table.add(name, viewer.ack_every, spread(percents, 2), spread(costs, 2), _mb(pid))


def _mb(pid: int) -> str:
    return f"{rss_bytes(pid, alone=True) / 1e6:.0f}"
