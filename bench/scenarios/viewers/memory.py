"""How much memory does a viewer take?"""

from collections.abc import Iterator

from bench.support.load import Group
from bench.support.process import rss_bytes
from bench.support.stand import Stand
from bench.support.table import Table

__all__ = ["run"]

FEW = 10


def run(stand: Stand) -> Iterator[Table]:
    """Measure a server's memory without viewers, with few, with many, and with few again."""
    many = max(*stand.viewers, FEW + 1)
    table = Table(
        "Memory of one server, passed through, 1280x720 at 30 fps",
        ("viewers", "resident MB", "kB per additional viewer"),
    )
    stand.say(f"memory, {many} viewers")
    with stand.camera() as url, stand.porthole(f"test={url}") as server:
        table.add("none yet", f"{rss_bytes(server.pid) / 1e6:.1f}", None)
        few = 0
        for count in (FEW, many, FEW):
            windows = stand.measure(server, Group("all", count, ack_every=stand.ack_every))
            resident = windows[-1].rss_bytes
            per_viewer = f"{(resident - few) / (many - FEW) / 1000:.0f}" if count == many else None
            few = few or resident
            table.add(count, f"{resident / 1e6:.1f}", per_viewer)
    table.notes = [
        "Of the whole process tree, including the process that reads the camera. Bytes in flight "
        "are in the kernel's socket buffers, not in the server's resident memory."
    ]
    yield table
