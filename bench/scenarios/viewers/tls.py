"""What does encryption cost per frame, for the same viewers over http and https?"""

from collections.abc import Iterator
from math import nan
from statistics import median

from bench.support.load import Group, lag_p99_max
from bench.support.stand import Stand
from bench.support.table import Table, spread

__all__ = ["run"]

VIEWERS = (20, 100)

COLUMNS = (
    "over",
    "kind",
    "viewers",
    "\u00b5s per frame",
    "\u00d7 http",
    "kB a frame",
    "fps min / median",
    "missing",
    "age ms p50 / p99",
    "hub lag ms p99 / max",
    "kB resident per viewer",
    "cores: server / client",
)


def run(stand: Stand) -> Iterator[Table]:
    """Measure one camera, passed through, with both kinds of viewer."""
    table = Table("TLS: one camera passed through, 1280x720 at 30 fps", COLUMNS)
    for kind in ("socket", "mjpeg"):
        for count in VIEWERS:
            plain_us = nan
            for scheme, flags in (("http", ()), ("https", ("--tls", "auto"))):
                stand.say(f"{scheme}, {count} viewers, {kind}")
                with stand.camera() as url, stand.porthole(f"test={url}", *flags) as server:
                    few = stand.measure(server, Group("all", 2, kind))
                    windows = stand.measure(
                        server, Group("all", count, kind, ack_every=stand.ack_every)
                    )
                crews = [window.groups["all"] for window in windows]
                cost_us = median(window.us_per_frame for window in windows)
                plain_us = cost_us if scheme == "http" else plain_us
                more = windows[-1].rss_bytes - few[-1].rss_bytes
                table.add(
                    scheme,
                    kind,
                    count,
                    spread([window.us_per_frame for window in windows]),
                    f"{cost_us / plain_us:.2f}",
                    f"{crews[-1].mean_bytes / 1000:.0f}",
                    f"{min(c.fps_min for c in crews):.1f} / "
                    f"{median(c.fps_median for c in crews):.1f}",
                    sum(crew.missing for crew in crews),
                    f"{median(c.age_p50_ms for c in crews):.1f} / "
                    f"{median(c.age_p99_ms for c in crews):.1f}",
                    lag_p99_max(windows),
                    f"{more / 1000 / (count - 2):.0f}",
                    f"{median(w.server_cores for w in windows):.2f} / "
                    f"{median(w.client_cores for w in windows):.2f}",
                )
    table.notes = [
        "The client decrypts what it receives over TLS, but discards plain bytes unread: its "
        "cores are not comparable."
    ]
    yield table
