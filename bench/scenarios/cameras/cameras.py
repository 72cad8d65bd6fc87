"""Several cameras at 720p15 with one viewer each, on one process."""

from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median

from bench.support.content import pattern_source
from bench.support.load import Group, lag_p99_max
from bench.support.stand import Stand
from bench.support.table import Table, spread

__all__ = ["run"]

CAMERAS = (1, 4, 16)
FPS = 15


def run(stand: Stand) -> Iterator[Table]:
    """Measure 1, 4 and 16 cameras, passing through and encoding."""
    table = Table(
        "Cameras: 1280x720 at 15 fps each, one viewer each",
        (
            "what",
            "cameras",
            "µs per frame",
            "server cores",
            "fps min / median",
            "missing",
            "age ms p50 / p99",
            "hub lag ms p99 / max",
        ),
    )
    for passing in (True, False):
        for count in CAMERAS:
            what = "passed through" if passing else "encoding"
            stand.say(f"{count} cameras, {what}")
            names = tuple(f"cam{number}" for number in range(count))
            with ExitStack() as stack:
                source = stack.enter_context(stand.camera(FPS)) if passing else pattern_source(FPS)
                server = stack.enter_context(stand.porthole(*(f"{n}={source}" for n in names)))
                # Opening sixteen sources takes a while.
                group = Group("all", count, cameras=names, ack_every=stand.ack_every)
                windows = stand.measure(server, group, settle_s=2 + count / 4)
            crews = [window.groups["all"] for window in windows]
            table.add(
                what,
                count,
                spread([window.us_per_frame for window in windows], 0),
                f"{median(window.server_cores for window in windows):.2f}",
                f"{min(c.fps_min for c in crews):.1f} / {median(c.fps_median for c in crews):.1f}",
                sum(crew.missing for crew in crews),
                f"{median(crew.age_p50_ms for crew in crews):.1f} / "
                f"{median(crew.age_p99_ms for crew in crews):.1f}",
                lag_p99_max(windows),
            )
    table.notes = [
        "With one viewer per camera, the work done once per picture (reading or drawing, and "
        "encoding) serves a single viewer. The network cameras' own cost is not counted."
    ]
    yield table
