"""Ten viewers on slow links among ten on fast ones."""

from collections.abc import Iterator
from statistics import median

from bench.support.load import Group
from bench.support.process import Server
from bench.support.stand import Stand
from bench.support.table import Table

__all__ = ["run"]

COUNT = 10
BYTES_PER_S = 50_000

# Long enough for a server that queues to fall visibly behind.
SETTLE_S = 8.0


def run(stand: Stand) -> Iterator[Table]:
    """Measure Porthole over WebSocket and MJPEG, the classic recipe and stock Flask-SocketIO."""
    table = Table(
        f"{COUNT} slow viewers ({BYTES_PER_S // 1000} kB/s) among {COUNT} fast ones, "
        f"after {SETTLE_S:.0f} s",
        (
            "server",
            "fast: fps min / median",
            "fast: age ms p50 / p99",
            "slow: fps median",
            "slow: age s p50 / max",
            "server memory MB, first / last",
        ),
    )

    def pair(values: list[float], others: list[float]) -> str:
        return f"{median(values):.1f} / {median(others):.1f}"

    def measure(name: str, server: Server, kind: str) -> None:
        stand.say(f"slow viewers, {name}")
        fast = Group("fast", COUNT, kind, ack_every=stand.ack_every)
        slow = Group("slow", COUNT, kind, bytes_per_s=BYTES_PER_S)
        windows = stand.measure(server, fast, slow, settle_s=SETTLE_S)
        quick = [window.groups["fast"] for window in windows]
        late = [window.groups["slow"] for window in windows if window.groups["slow"].frames]
        table.add(
            name,
            f"{min(c.fps_min for c in quick):.1f} / {median(c.fps_median for c in quick):.1f}",
            pair([c.age_p50_ms for c in quick], [c.age_p99_ms for c in quick]),
            f"{median(c.fps_median for c in late):.1f}" if late else "0",
            f"{late[-1].age_p50_ms / 1000:.1f} / {max(c.age_max_ms for c in late) / 1000:.1f}"
            if late
            else "nothing arrived",
            f"{windows[0].rss_bytes / 1e6:.0f} / {windows[-1].rss_bytes / 1e6:.0f}",
        )

    with stand.porthole(stand.content.source) as server:
        measure("Porthole", server, "socket")
    with stand.porthole(stand.content.source) as server:
        measure("Porthole, MJPEG", server, "mjpeg")
    with stand.reference("classic") as server:
        measure("classic recipe", server, "mjpeg")
    with stand.reference("stock") as server:
        measure("stock Flask-SocketIO", server, "socket")
    yield table
