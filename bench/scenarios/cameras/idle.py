"""What does an idle server cost while nobody watches?"""

import time
from collections.abc import Iterator

from bench.support.process import Server, cpu_s
from bench.support.stand import Stand
from bench.support.table import Table
from tests.support.clients.client import Viewer

__all__ = ["run"]

FIRST_FRAME_S = 10.0

# Time to finish work left by the start or by the last viewer.
SETTLE_S = 0.5

# Kept open for the whole measurement: the default would close the source in the middle.
KEEP_OPEN = ("--release-after", "600")


def run(stand: Stand) -> Iterator[Table]:
    """Measure servers that were never watched, then with their source still open.

    One has the test pattern and one a network camera. Both run at the same time, because they use
    too little CPU time to affect each other.
    """
    stand.say("idle")
    table = Table(
        "Idle: one camera, 1280x720 at 30 fps, nobody watches", ("source", "state", "% of a core")
    )
    with (
        stand.camera() as url,
        stand.porthole(stand.content.source, *KEEP_OPEN) as drawn,
        stand.porthole(f"test={url}", *KEEP_OPEN) as network,
    ):
        servers = {"test pattern": drawn, "network camera, MJPEG": network}
        stand.quiet.wait(stand.say)
        for state in ("never watched, source closed", "live, unwatched, source open"):
            if state.startswith("live"):
                for server in servers.values():
                    _watch_once(server)
            time.sleep(SETTLE_S)
            for source, percent in _percents(servers, stand.all_seconds).items():
                table.add(source, state, f"{percent:.2f}")
    yield table


def _percents(servers: dict[str, Server], seconds: float) -> dict[str, float]:
    """Return how much of a core each server uses, in percent."""
    before, since = {name: cpu_s(one.pid) for name, one in servers.items()}, time.monotonic()
    time.sleep(seconds)
    took_s = time.monotonic() - since
    return {name: 100 * (cpu_s(one.pid) - before[name]) / took_s for name, one in servers.items()}


def _watch_once(server: Server) -> None:
    """Watch until a frame has arrived, then leave."""
    viewer = Viewer("127.0.0.1", server.port, light=True)
    viewer.connect()
    try:
        viewer.call("watch", {"camera": "test"})
        viewer.pump(lambda: bool(viewer.arrivals), FIRST_FRAME_S)
    finally:
        viewer.close()
