"""How long does it take from the command to the address, and to the first picture?"""

import time
from collections.abc import Iterator

from bench.support.stand import Stand
from bench.support.table import Table, spread
from tests.support.clients.client import Viewer

__all__ = ["run"]

FIRST_FRAME_S = 10.0


def run(stand: Stand) -> Iterator[Table]:
    """Start a server once per repetition."""
    address, first, watch = [], [], []
    stand.say("start-up")
    for _ in range(stand.repeats):
        with stand.porthole("test:?size=1280x720&fps=30") as server:
            viewer = Viewer("127.0.0.1", server.port, light=True)
            viewer.connect()
            try:
                asked = time.monotonic()
                viewer.ask("watch", {"camera": "test"})
                viewer.pump(lambda viewer=viewer: bool(viewer.arrivals), FIRST_FRAME_S)
            finally:
                viewer.close()
            now = time.monotonic()
            address.append(server.address_s)
            first.append(now - server.started)
            watch.append((now - asked) * 1000)
    table = Table("Start-up, test pattern", ("from", "to", "median (least–most)"))
    table.add("command", "the address is printed", f"{spread(address, 2)} s")
    table.add("command", "first frame at a viewer who came at once", f"{spread(first, 2)} s")
    table.add("`watch`", "first frame, source closed before", f"{spread(watch, 0)} ms")
    yield table
