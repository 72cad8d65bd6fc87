"""Nobody watches: what does it cost to be there?"""

import time
from collections.abc import Iterator

from bench.client import Viewer
from bench.process import Server, cpu_s
from bench.stand import Stand
from bench.table import Table

__all__ = ["run"]

FIRST_FRAME_S = 10.0


def run(stand: Stand) -> Iterator[Table]:
    """Measure a server that was never watched, and one whose source is still open."""
    table = Table(
        "Idle: one camera, 1280x720 at 30 fps, nobody watches", ("source", "state", "% of a core")
    )
    with stand.camera() as url:
        for what, source in (
            ("test pattern", stand.content.source),
            ("network camera, MJPEG", f"test={url}"),
        ):
            stand.say(f"idle, {what}")
            # Kept open for the whole measurement: its default would close it in the middle.
            with stand.porthole(source, "--release-after", "600") as server:
                stand.quiet.wait(stand.say)
                time.sleep(0.5)
                table.add(what, "never watched, source closed", _percent(server, stand))
                _watch_once(server)
                time.sleep(0.5)
                table.add(what, "live, unwatched, source open", _percent(server, stand))
    yield table


def _percent(server: Server, stand: Stand) -> str:
    before, since = cpu_s(server.pid), time.monotonic()
    time.sleep(stand.all_seconds)
    return f"{100 * (cpu_s(server.pid) - before) / (time.monotonic() - since):.2f}"


def _watch_once(server: Server) -> None:
    """Watch until a frame has come, and go."""
    viewer = Viewer("127.0.0.1", server.port, light=True)
    viewer.connect()
    try:
        viewer.call("watch", {"camera": "test"})
        viewer.pump(lambda: bool(viewer.arrivals), FIRST_FRAME_S)
    finally:
        viewer.close()
