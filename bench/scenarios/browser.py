"""Glass to glass: how old is the picture on the canvas when Chromium paints it?"""

from collections.abc import Iterator

from bench.stand import Stand, clock_times_ms, p50_p99
from bench.table import Table, quantile

__all__ = ["run"]

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]

WARM_UP_MS = 3000

# Reads the time that server/capture/sources/testpattern.py burns in; a picture counts once.
LOOK = """
(() => {
  const ages = [];
  globalThis.benchAges = ages;
  const strip = new OffscreenCanvas(56, 1);
  const context = strip.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  let newest = 0;
  globalThis.benchLook = (source) => {
    const now = performance.timeOrigin + performance.now();
    if (!source || source.width < 128) return;
    const side = Math.floor(source.width / 64);
    const top = 4 * side + Math.floor(side / 2);
    draw.call(context, source, 4 * side, top, 56 * side, 1, 0, 0, 56, 1);
    const { data } = context.getImageData(0, 0, 56, 1);
    const bytes = [0, 0, 0, 0, 0, 0, 0];
    for (let cell = 0; cell < 56; cell += 1) {
      bytes[cell >> 3] = bytes[cell >> 3] * 2 + (data[cell * 4] > 127 ? 1 : 0);
    }
    const checksum = bytes.pop();
    if (bytes.reduce((all, byte) => all ^ byte, 0) !== checksum) return;
    const burned = bytes.reduce((all, byte) => all * 256 + byte, 0);
    if (burned <= newest) return;
    newest = burned;
    ages.push(now - burned);
  };
  const draw = OffscreenCanvasRenderingContext2D.prototype.drawImage;
"""

# In the worker that paints: right after each picture is on its canvas.
WATCH_PAINTING = (
    LOOK
    + """
  OffscreenCanvasRenderingContext2D.prototype.drawImage = function (...what) {
    draw.apply(this, what);
    benchLook(this.canvas);
  };
})();
"""
)

# In the page: in each of its animation frames, as soon as a script of the page can see it.
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
    """Measure one tile, alone and beside twenty other viewers."""
    table = Table(
        "Glass to glass in Chromium: test pattern 1280x720 at 30 fps, one tile",
        ("seen by", "ms p50 / p99", "ms max", "painted / s", "`clock` ms p50 / p99"),
    )
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        stand.say("no Playwright here: glass to glass is left out")
        return
    stand.say("glass to glass")
    try:
        with (
            stand.porthole("test:?size=1280x720&fps=30") as server,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            try:
                context = browser.new_context(
                    viewport={"width": 1280, "height": 800}, bypass_csp=True
                )
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
                    # One after the other, because reading the canvas in the page slows everything.
                    place.evaluate(script)
                    stand.quiet.wait(stand.say)
                    page.wait_for_timeout(WARM_UP_MS)
                    place.evaluate("() => { benchAges.length = 0; }")
                    seconds = max(stand.all_seconds, 2.0)
                    asked = clock_times_ms(server, seconds)
                    ages = place.evaluate("() => benchAges.slice()")
                    _add(table, name, ages, asked, seconds)
            finally:
                browser.close()
    except Error as error:
        stand.say(f"glass to glass is left out: {str(error).splitlines()[0]}")
        return
    table.notes = [
        "From the time burned into the picture when it is drawn, read off the canvas: right after "
        "it was painted there, and in the animation frame in which the page first has it. The "
        "latter is up to a frame and a copy of the picture late, but it is what a script of one's "
        "own would see. What the compositor adds cannot be seen from inside."
    ]
    yield table


def _add(table: Table, name: str, ages: list[float], asked: list[float], seconds: float) -> None:
    table.add(
        name,
        p50_p99(ages),
        f"{quantile(ages, 1.0):.1f}",
        f"{len(ages) / seconds:.1f}",
        p50_p99(asked),
    )
