"""How long does a control event take while many watch?"""

from collections.abc import Iterator

from bench.support.load import Group, lag_p99_max
from bench.support.process import Server
from bench.support.stand import Stand, clock_times_ms, p50_p99
from bench.support.table import Table

__all__ = ["run"]

FEW = 20


def run(stand: Stand) -> Iterator[Table]:
    """Measure ``clock`` with twenty viewers, and with the largest number of viewers."""
    table = Table(
        "Control latency: 40 `clock` requests per second while others watch 720p30",
        (
            "server",
            "viewers",
            "ms p50 / p99",
            "ms max",
            "requests",
            "hub lag ms p99 / max",
        ),
    )

    def measure(name: str, server: Server, count: int) -> None:
        stand.say(f"control, {name}, {count} viewers")
        with stand.load(server, Group("all", count, ack_every=stand.ack_every)) as crew:
            times = clock_times_ms(server, stand.all_seconds)
            windows = crew.windows()
        table.add(
            name,
            count,
            p50_p99(times),
            f"{max(times, default=0.0):.1f}",
            len(times),
            lag_p99_max(windows),
        )

    for count in sorted({FEW, max(stand.viewers)}):
        with stand.camera() as url, stand.porthole(f"test={url}") as server:
            measure("Porthole, passed through", server, count)
        with stand.porthole(stand.content.source) as server:
            measure("Porthole, encoding", server, count)
    with stand.reference("stock") as server:
        measure("stock Flask-SocketIO", server, FEW)
    yield table
