"""How late is the hub with many viewers of a small camera, and frequent messages to all?"""

import threading
import time
from collections.abc import Iterator
from statistics import median

from bench.support.load import RARE_ACKS, Group, lag_p99_max
from bench.support.process import Server
from bench.support.stand import Stand
from bench.support.table import Table
from tests.support.clients.client import Viewer

__all__ = ["run"]

SOURCE = "test:?size=320x180&fps=5"

# Joining takes a while and is not measured.
SETTLE_S = 3.0

CHANGE_PERIOD_S = 1.0


def run(stand: Stand) -> Iterator[Table]:
    """Measure the largest number of viewers; a client changes a setting every second."""
    count = max(stand.viewers)
    stand.say(f"crowd, {count} viewers")
    table = Table(
        "A crowd: 320x180 at 5 fps, and every second a change of the camera and a notice to all",
        ("viewers", "cores", "hub lag ms p99 / max", "fps min / median", "missing"),
    )
    with stand.porthole(SOURCE, "--max-connections", "2000", "--max-per-address", "2000") as server:
        group = Group("all", count, ack_every=RARE_ACKS)
        with stand.load(server, group, settle_s=SETTLE_S) as crew:
            over = threading.Event()
            changing = threading.Thread(target=_change, args=(server, over))
            changing.start()
            windows = crew.windows()
            over.set()
            changing.join()
    crews = [window.groups["all"] for window in windows]
    table.add(
        count,
        f"{median(window.server_cores for window in windows):.2f}",
        lag_p99_max(windows),
        f"{min(c.fps_min for c in crews):.1f} / {median(c.fps_median for c in crews):.1f}",
        sum(c.missing for c in crews),
    )
    yield table


def _change(server: Server, over: threading.Event) -> None:
    """Toggle the camera's quality until it is over."""
    viewer = Viewer("127.0.0.1", server.port, keep_events=False)
    viewer.connect()
    quality = 80
    while not over.is_set():
        quality = 79 if quality == 80 else 80
        viewer.call("quality", {"camera": "test", "quality": quality}, timeout_s=10)
        time.sleep(CHANGE_PERIOD_S)
    viewer.close()
