"""Sixteen tiles in Chromium, as H.264 and as JPEG: CPU use of browser and server."""

import json
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.support.chromium import in_chromium
from bench.support.process import Server, cpu_s
from bench.support.stand import Stand
from bench.support.table import Table

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["run"]

TILES = 16
FPS = 15
WARM_UP_MS = 8000

# Figures of each tile; an unknown latency is NaN.
READ = """() => [...window.porthole.tiles].map(([name, tile]) => ({
  live: document.querySelector(`[data-camera="${name}"]`)?.dataset.state === 'live',
  painted: tile.painted, latencyMs: tile.latencyMs, video: tile.codec !== null,
}))"""


def run(stand: Stand) -> Iterator[Table]:
    """Measure the same cameras with and without video."""
    table = Table(
        f"{TILES} tiles of 640x360 at {FPS} fps in Chromium",
        (
            *("as", "live", "painted / s a tile", "latency ms p50", "browser % of a core"),
            *("ms a painted frame", "server %"),
        ),
    )
    with tempfile.TemporaryDirectory(prefix="porthole-bench-tiles-") as folder:
        film = _film(Path(folder) / "film.mp4")
        sources = [f"c{number}=file:{film}" for number in range(TILES)]

        def measure(browser: "Browser") -> None:
            with stand.porthole(*sources) as server:
                for name, video in (("H.264", True), ("JPEG", False)):
                    stand.say(f"{TILES} tiles as {name}")
                    table.add(name, *_measure(stand, server, browser, video))

        in_chromium(stand.say, "the tiles are", measure)
    if not table.rows:
        return
    table.notes = [
        "Each camera plays a film of FFmpeg's test picture at 0.9 Mbit/s. Chromium has no GPU "
        "here: it decodes and draws on the same cores."
    ]
    yield table


def _measure(stand: Stand, server: Server, browser: "Browser", video: bool) -> list[str]:
    """Measure a new page; return a row's cells."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
    try:
        # Fix the size of all tiles, so that a busy machine does not choose others.
        sizes = json.dumps({f"c{number}": "full" for number in range(TILES)})
        kept = {"porthole.sizes": sizes, "porthole.video": json.dumps(video)}
        context.add_init_script(f"Object.assign(localStorage, {json.dumps(kept)})")
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.wait_for_function(
            "(tiles) => window.porthole?.tiles.size === tiles"
            " && [...window.porthole.tiles].every(([, one]) => one.painted > 0)",
            arg=TILES,
            timeout=120_000,
        )
        stand.quiet.wait(stand.say)
        page.wait_for_timeout(WARM_UP_MS)
        began, before = time.monotonic(), page.evaluate(READ)
        all_before, server_before = cpu_s(os.getpid()), cpu_s(server.pid)
        page.wait_for_timeout(stand.all_seconds * 1000)
        all_after, server_after = cpu_s(os.getpid()), cpu_s(server.pid)
        seconds, after = time.monotonic() - began, page.evaluate(READ)
    finally:
        context.close()
    server_s = server_after - server_before
    browser_s = all_after - all_before - server_s
    painted = [
        (now["painted"] - then["painted"]) / seconds
        for now, then in zip(after, before, strict=True)
    ]
    latencies = [tile["latencyMs"] for tile in after if not math.isnan(tile["latencyMs"])]
    return [
        str(sum(tile["live"] and tile["video"] == video for tile in after)),
        f"{median(painted):.1f} (least {min(painted):.1f})",
        f"{median(latencies):.0f}",
        f"{100 * browser_s / seconds:.0f}",
        f"{1000 * browser_s / max(sum(painted) * seconds, 1):.1f}",
        f"{100 * server_s / seconds:.0f}",
    ]


def _film(path: Path) -> Path:
    command = [
        *("ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size=640x360:rate={FPS}"),
        *("-t", "20", "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency"),
        *("-pix_fmt", "yuv420p", "-g", str(2 * FPS), "-b:v", "900k", str(path)),
    ]
    subprocess.run(command, check=True, timeout=120)
    return path
