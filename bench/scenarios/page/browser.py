"""Glass to glass: how old is the picture on the canvas when Chromium paints it?"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.support.burned import MAKE_READER, ON_DRAWN
from bench.support.chromium import in_chromium
from bench.support.stand import Stand, clock_times_ms, p50_p99
from bench.support.table import Table, quantile

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["run"]

WARM_UP_MS = 3000

# Counts each picture once.
LOOK = f"""
(() => {{
  const ages = [];
  globalThis.benchAges = ages;
  const read = {MAKE_READER};
  let newest = 0;
  globalThis.benchLook = (source) => {{
    const now = performance.timeOrigin + performance.now();
    const burned = read(source);
    if (burned === null || burned <= newest) return;
    newest = burned;
    ages.push(now - burned);
  }};
"""

# In the painting worker: right after each picture is on its canvas.
WATCH_PAINTING = (
    LOOK
    + f"""
  {ON_DRAWN}(benchLook);
}})();
"""
)

# In the page: in each animation frame, as soon as a script of the page can see the picture.
WATCH_PAGE = (
    LOOK
    + """
  const again = () => {
    benchLook(document.querySelector('.tile canvas'));
    requestAnimationFrame(again);
  };
  requestAnimationFrame(again);
})();
"""
)


def run(stand: Stand) -> Iterator[Table]:
    """Measure one tile, as seen by the painting worker and by the page."""
    table = Table(
        "Glass to glass in Chromium: test pattern 1280x720 at 30 fps, one tile",
        ("seen by", "ms p50 / p99", "ms max", "painted / s", "`clock` ms p50 / p99"),
    )
    stand.say("glass to glass")
    if not in_chromium(
        stand.say, "glass to glass is", lambda browser: _measure(stand, browser, table)
    ):
        return
    table.notes = [
        "Age by the time burned into the picture when it is drawn, read off the canvas: right "
        "after it was painted, and in the first animation frame in which the page sees it. The "
        "latter is late by up to a frame and a copy of the picture, but it is what a script on "
        "the page sees. The compositor's delay cannot be measured from inside."
    ]
    yield table


def _measure(stand: Stand, browser: "Browser", table: Table) -> None:
    with stand.porthole("test:?size=1280x720&fps=30") as server:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.wait_for_function(
            "() => window.porthole?.tiles.get('test')?.painted > 10", timeout=20_000
        )
        (worker,) = page.workers
        for name, place, script in (
            ("the worker that paints", worker, WATCH_PAINTING),
            ("a script of the page", page, WATCH_PAGE),
        ):
            # One after the other, because reading the canvas in the page slows everything down.
            place.evaluate(script)
            stand.quiet.wait(stand.say)
            page.wait_for_timeout(WARM_UP_MS)
            place.evaluate("() => { benchAges.length = 0; }")
            seconds = max(stand.all_seconds, 2.0)
            asked = clock_times_ms(server, seconds)
            ages = place.evaluate("() => benchAges.slice()")
            _add(table, name, ages, asked, seconds)


def _add(table: Table, name: str, ages: list[float], asked: list[float], seconds: float) -> None:
    table.add(
        name,
        p50_p99(ages),
        f"{quantile(ages, 1.0):.1f}",
        f"{len(ages) / seconds:.1f}",
        p50_p99(asked),
    )
