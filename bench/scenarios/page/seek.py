"""Seek back 30 s in Chromium: how soon is the picture painted, and is it the right one?"""

import json
import time
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from bench.support.burned import MAKE_READER, ON_DRAWN
from bench.support.chromium import in_chromium
from bench.support.process import Server
from bench.support.stand import Stand
from bench.support.table import Table, quantile
from server.capture.sources.testpattern import read_time
from server.recording.memory import SAME_S
from tests.support.cameras.rtsp_server import RtspServer
from tests.support.clients.client import Viewer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Worker

__all__ = ["run"]

CAMERAS = ("c0", "c1", "c2", "c3")
AGO_S = 30.0

# Pause after each seek.
PAUSE_MS = 1500

PAINTED_WITHIN_S = 20.0

# In the painting worker: record the first requested moment, in Unix seconds, when each canvas first
# has a picture of about that moment, and the time burned into it, in Unix ms. The request is read
# from the WebSocket, because the bar has moved on since its span was read.
WATCH = f"""
(() => {{
  const read = {MAKE_READER};
  const {{ send }} = WebSocket.prototype;
  globalThis.benchPast = null;
  globalThis.benchAsked = null;
  globalThis.benchPainted = () => {{}};
  WebSocket.prototype.send = function (data) {{
    const seek = typeof data === 'string' ? data.match(/^42\\d*(\\["seek",.*)$/) : null;
    if (seek !== null) benchAsked ??= JSON.parse(seek[1])[1].at;
    send.call(this, data);
  }};
  {ON_DRAWN}((canvas) => {{
    if (benchPast === null || benchAsked === null) return;
    if (canvas.width < 128 || benchPast.has(canvas)) return;
    const now = performance.timeOrigin + performance.now();
    const burned = read(canvas);
    // An earlier request may be painted late.
    if (burned === null || Math.abs(burned - 1000 * benchAsked) >= 1200) return;
    benchPast.set(canvas, [now, burned]);
    benchPainted();
  }});
}})();
"""

# In the painting worker: resolves with all paintings once there are enough cameras. Polling would
# disturb the measurement.
PAINTED = """([cameras, withinMs]) => new Promise((resolve) => {
  benchPainted = () => benchPast.size >= cameras && resolve([...benchPast.values()]);
  setTimeout(() => resolve([]), withinMs);
  benchPainted();
})"""

# In the page: record when the bar is pressed.
WATCH_BAR = """() => addEventListener('pointerdown', ({ timeStamp }) => {
  globalThis.benchPressed = performance.timeOrigin + timeStamp;
}, true)"""

# The time span that the bar shows, in Unix seconds.
SPAN = """() => {
  const { ariaValueMin, ariaValueMax } = document.querySelector('[data-bar-track]');
  return [Number(ariaValueMin), Number(ariaValueMax)];
}"""

# A browser that is too slow for video asks for JPEG.
VIDEOS = "() => [...window.porthole.tiles].filter(([, one]) => one.codec !== null).length"


def run(stand: Stand) -> Iterator[Table]:
    """Measure one camera from live, and four together from another moment."""
    table = Table(
        f"A press on the time bar, {AGO_S:.0f} s ago, in Chromium: H.264 over RTSP, 720p30",
        (
            *("cameras", "as H.264", "painted after ms p50 / max"),
            *("wrong frames", "ms apart, max"),
        ),
    )
    rtsp = RtspServer()

    def measure(browser: "Browser") -> None:
        with stand.porthole(*(f"{name}={rtsp.url('720p30')}" for name in CAMERAS)) as server:
            _remember(stand, server)
            page = _open(browser, server)
            worker = page.workers[0]  # The painting one; it starts the decoding worker.
            worker.evaluate(WATCH)
            page.evaluate(WATCH_BAR)
            presses = Presses(stand, server, page, worker)
            table.add("1, from live", *presses.from_live())
            table.add("4, from another moment", *presses.together())

    try:
        if not in_chromium(stand.say, "seeking is", measure):
            return
    finally:
        rtsp.stop()
    table.notes = [
        "From the press, by the browser's timestamp, until the picture is on each camera's canvas "
        "in the painting worker; the last of four counts. All cameras show the same stream. A "
        "frame is right if its burned-in time equals that of the server's own picture of this "
        "moment and camera, to the millisecond. A group has 60 pictures; on average, a seek "
        "decodes half of them."
    ]
    yield table


def _remember(stand: Stand, server: Server) -> None:
    """Watch all cameras with a light client until the rewind memory goes back far enough."""
    stand.say(f"waiting until there are pictures of {AGO_S:.0f} s ago")
    viewer = Viewer("127.0.0.1", server.port, light=True, keep_events=False)
    viewer.connect()
    for name in CAMERAS:
        viewer.call("watch", {"camera": name, "video": ["h264"]}, timeout_s=30)
    until = time.monotonic() + AGO_S + 5
    viewer.pump(lambda: time.monotonic() > until, 2 * AGO_S)
    viewer.close()


def _open(browser: "Browser", server: Server) -> "Page":
    """Open the page with one camera in focus; wait until all cameras are painted."""
    context = browser.new_context(viewport={"width": 1600, "height": 900}, bypass_csp=True)
    sizes = json.dumps(dict.fromkeys(CAMERAS, "full"))
    kept = {"porthole.sizes": sizes, "porthole.video": "true"}
    context.add_init_script(f"Object.assign(localStorage, {json.dumps(kept)})")
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.port}/?camera={CAMERAS[0]}")
    page.wait_for_function(
        "(all) => [...window.porthole?.tiles ?? []].filter(([, one]) => one.painted).length === all"
        " && document.querySelector('[data-bar-track]').ariaValueMin > 0",
        arg=len(CAMERAS),
        timeout=60_000,
    )
    return page


class Presses:
    """Presses the time bar, and measures the results."""

    def __init__(self, stand: Stand, server: Server, page: "Page", worker: "Worker") -> None:
        self._stand, self._server = stand, server
        self._page, self._worker = page, worker
        self._count = max(5, 3 * stand.repeats)

    def from_live(self) -> list[str]:
        """Press from live, and go back to live each time; return a row's cells."""
        return self._row(1, live_before=True)

    def together(self) -> list[str]:
        """Press while all cameras show the same past moment; return a row's cells."""
        self._press(AGO_S / 2, 1)
        self._page.get_by_role("button", name="All cameras", exact=True).click()
        self._page.wait_for_timeout(PAUSE_MS)
        return self._row(len(CAMERAS), live_before=False)

    def _row(self, cameras: int, live_before: bool) -> list[str]:
        took_ms, wrong, apart_ms = [], 0, []
        videos: int = self._page.evaluate(VIDEOS)
        self._stand.quiet.wait(self._stand.say)
        for number in range(self._count):
            # Each time at another place in the group of two seconds.
            asked, painted = self._press(AGO_S - 0.37 * number % 2, cameras)
            if not painted:
                self._stand.say(f"not painted within {PAINTED_WITHIN_S:.0f} s")
                took_ms.append(1000 * PAINTED_WITHIN_S)
                wrong += 1
                continue
            pressed: float = self._page.evaluate("() => benchPressed")
            took_ms.append(max(now for now, _ in painted) - pressed)
            burned = [one for _, one in painted]
            apart_ms.append(max(burned) - min(burned))
            own = [_burned_in(self._server, name, asked) or 0 for name in CAMERAS[:cameras]]
            if sorted(burned) != sorted(own):
                self._stand.say(f"painted {burned}, but at {asked} there is {own}")
                wrong += 1
            self._stand.say(f"{cameras} painted after {took_ms[-1]:.0f} ms")
            if live_before:
                self._bar.press("End")
            self._page.wait_for_timeout(PAUSE_MS)
        return [
            f"{videos} of {len(CAMERAS)}",
            f"{quantile(took_ms, 0.5):.0f} / {max(took_ms):.0f}",
            f"{wrong} of {len(took_ms)}",
            "–" if cameras == 1 else f"{max(apart_ms, default=0):.0f}",
        ]

    @property
    def _bar(self) -> "Locator":
        return self._page.locator("[data-bar-track]")

    def _press(self, ago_s: float, cameras: int) -> tuple[float, list[list[float]]]:
        """Press; return the moment that the page requested, in Unix seconds, and for each camera
        when its picture was painted and its burned-in time; an empty list after a timeout.
        """
        begin, end = self._page.evaluate(SPAN)
        self._worker.evaluate("() => { benchAsked = null; benchPast = new Map(); }")
        box = self._bar.bounding_box()
        assert box is not None
        share = (end - ago_s - begin) / (end - begin)
        self._page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        painted = self._worker.evaluate(PAINTED, [cameras, 1000 * PAINTED_WITHIN_S])
        asked = self._worker.evaluate("() => { benchPast = null; return benchAsked; }")
        return float(asked), painted


def _burned_in(server: Server, camera: str, at_unix: float) -> int | None:
    """Return the burned-in time of the server's own picture of a moment, in Unix ms."""
    url = f"http://127.0.0.1:{server.port}/api/cameras/{camera}/picture?at={at_unix + SAME_S}"
    with urllib.request.urlopen(url, timeout=20) as answer:
        data: Any = np.frombuffer(answer.read(), np.uint8)
    picture: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)
    found = read_time(picture)
    return None if found is None else round(found * 1000)
