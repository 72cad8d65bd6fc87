"""H.264 at 720p on a link that is too narrow for it: one viewer alone, and one among many."""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from bench.support.load import Group, Window
from bench.support.stand import Stand
from bench.support.table import Table, quantile
from tests.support.clients.client import Viewer
from tests.support.network.poor_link import PoorLink

__all__ = ["run"]

BITS_PER_S = 500_000
ROUND_TRIP_S = 0.2
WIDTH = 1280

# Long enough to measure the link, and to try what does not fit.
LEARN_S = 15.0
MIN_S = 20.0
CLOCK_S = 2.0

OTHERS = 19
BYTES_PER_S = 50_000
SETTLE_S = 12.0


def run(stand: Stand) -> Iterator[Table]:
    """Measure a narrow link with and without video, then a slow reader beside others."""
    yield _alone(stand)
    yield _among_others(stand)


def _alone(stand: Stand) -> Table:
    table = Table(
        f"A 720p30 camera in H.264 over {BITS_PER_S // 1000} kbit/s with a round trip of "
        f"{ROUND_TRIP_S * 1000:.0f} ms",
        ("viewer asks for", "fps", "width", "age s p50 / p95 / max"),
    )
    for title, video in (("JPEG", []), ("video too", ["h264"])):
        stand.say(f"narrow link, {title}")
        with stand.porthole(f"test=file:{stand.content.film()}") as server:
            link = PoorLink(server.port, ROUND_TRIP_S / 2, 0.0, BITS_PER_S)
            viewer = Viewer("127.0.0.1", link.port, keep_events=False)
            widths: list[int] = []
            viewer.on_frame = lambda header, _, widths=widths: widths.append(header["width"])
            viewer.connect()
            asked: dict[str, Any] = {"camera": "test", "rendition": "auto", "width": WIDTH}
            viewer.emit("watch", asked | ({"video": video} if video else {}))
            _watch(viewer, LEARN_S)
            count, first = len(viewer.arrivals), len(widths)
            began = time.monotonic()
            _watch(viewer, max(MIN_S, stand.all_seconds))
            seconds = time.monotonic() - began
            viewer.close()
            link.close()
        ages = [arrival.age_s for arrival in viewer.arrivals[count:]]
        table.add(
            title,
            f"{len(ages) / seconds:.1f}",
            f"{median(widths[first:]):.0f}",
            " / ".join(f"{quantile(ages, share):.2f}" for share in (0.5, 0.95, 1)),
        )
    return table


def _watch(viewer: Viewer, seconds: float) -> None:
    """Read and acknowledge, and report the unloaded round trip like the dashboard."""
    ends_at = time.monotonic() + seconds
    while (now := time.monotonic()) < ends_at:
        viewer.emit("clock", {"t": time.time(), "round_trip": ROUND_TRIP_S})
        until = min(ends_at, now + CLOCK_S)
        viewer.pump(lambda until=until: time.monotonic() >= until, 2 * CLOCK_S)  # type: ignore[misc]


def _among_others(stand: Stand) -> Table:
    table = Table(
        f"One viewer that reads {BYTES_PER_S // 1000} kB/s among {OTHERS} others of the same H.264",
        (
            "viewers",
            "others: fps min / median",
            "others: age ms p50 / p99",
            "slow: fps",
            "slow: age s p50 / max",
            "server memory MB, first / last",
        ),
    )
    others = Group("others", OTHERS, video=("h264",), ack_every=4)
    slow = Group("slow", 1, rendition="auto", bytes_per_s=BYTES_PER_S, video=("h264",))
    for title, groups in (("others alone", (others,)), ("with the slow one", (others, slow))):
        stand.say(f"a slow reader of video, {title}")
        with stand.porthole(f"test=file:{stand.content.film()}") as server:
            windows = stand.measure(server, *groups, settle_s=SETTLE_S)
        table.add(title, *_cells(windows))
    return table


def _cells(windows: list[Window]) -> list[str]:
    quick = [window.groups["others"] for window in windows]
    late = [window.groups["slow"] for window in windows if "slow" in window.groups]
    return [
        f"{min(c.fps_min for c in quick):.1f} / {median(c.fps_median for c in quick):.1f}",
        f"{median(c.age_p50_ms for c in quick):.1f} / {median(c.age_p99_ms for c in quick):.1f}",
        f"{median(c.fps_median for c in late):.1f}" if late else "–",
        f"{median(c.age_p50_ms for c in late) / 1000:.2f} / "
        f"{max(c.age_max_ms for c in late) / 1000:.2f}"
        if late
        else "–",
        f"{windows[0].rss_bytes / 1e6:.0f} / {windows[-1].rss_bytes / 1e6:.0f}",
    ]
