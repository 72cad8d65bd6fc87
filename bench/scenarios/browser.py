"""Glass to glass: how old is the picture on the canvas when Chromium paints it?"""

from collections.abc import Iterator

from bench.process import Server
from bench.stand import Stand, clock_times_ms, p50_p99
from bench.table import Table, quantile

__all__ = ["run"]

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]

WARM_UP_MS = 3000

# Looks at the canvas after every animation callback of the page, which is where it paints, and in
# one of its own, for a page that paints elsewhere. A picture counts once, when it is first seen.
# The strip of the burned-in time is told in server/capture/testpattern.py.
WATCH_CANVAS = """
(() => {
  const ages = [];
  window.benchAges = ages;
  const strip = document.createElement('canvas');
  strip.width = 56;
  strip.height = 1;
  const context = strip.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  let newest = 0;
  const look = () => {
    const now = performance.timeOrigin + performance.now();
    const source = document.querySelector('.tile canvas');
    if (!source || source.width < 128) return;
    const side = Math.floor(source.width / 64);
    const top = 4 * side + Math.floor(side / 2);
    context.drawImage(source, 4 * side, top, 56 * side, 1, 0, 0, 56, 1);
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
  const request = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (callback) => request((time) => { callback(time); look(); });
  const again = () => { look(); request(again); };
  request(again);
})();
"""


def run(stand: Stand) -> Iterator[Table]:
    """Measure one tile, alone and beside twenty other viewers."""
    table = Table(
        "Glass to glass in Chromium: test pattern 1280x720 at 30 fps, one tile",
        ("what", "ms p50 / p99", "ms max", "painted / s", "`clock` ms p50 / p99"),
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
                page.add_init_script(WATCH_CANVAS)
                page.goto(f"http://127.0.0.1:{server.port}/")
                page.wait_for_function("() => window.benchAges.length > 10", timeout=20_000)
                stand.quiet.wait(stand.say)
                page.wait_for_timeout(WARM_UP_MS)
                page.evaluate("() => { window.benchAges.length = 0; }")
                seconds = max(stand.all_seconds, 2.0)
                asked = clock_times_ms(server, seconds)
                ages = page.evaluate("() => window.benchAges.slice()")
                _add(table, server, ages, asked, seconds)
            finally:
                browser.close()
    except Error as error:
        stand.say(f"glass to glass is left out: {str(error).splitlines()[0]}")
        return
    table.notes = [
        "From the time burned into the picture when it is drawn to the animation frame that puts "
        "it on the canvas; what the compositor adds after that cannot be seen from a page."
    ]
    yield table


def _add(
    table: Table, server: Server, ages: list[float], asked: list[float], seconds: float
) -> None:
    table.add(
        "Porthole, encoding",
        p50_p99(ages),
        f"{quantile(ages, 1.0):.1f}",
        f"{len(ages) / seconds:.1f}",
        p50_p99(asked),
    )
