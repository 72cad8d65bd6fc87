"""Measures what a day of recordings of four cameras costs; generates the day in seconds.

``python -m bench.day`` writes files of five minutes and an event every ten minutes, as a server
would, and measures rebuilding the index, the start of a server, its answers, pictures at both sides
of a file's border and in a gap, the library in Chromium, and deleting old files while somebody
watches. ``--days 30`` generates a month. ``--screenshot day.png`` saves what Chromium shows.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.support.chromium import in_chromium
from bench.support.process import ROOT, Server, cpu_s
from bench.support.table import quantile
from server.capture.frames.unit import Unit
from server.recording.disk.layout import recordings
from tests.support.cameras.films import make_film
from tests.support.cameras.units import make_units
from tests.support.clients.client import Viewer
from tests.support.recordings.day import DAY_S, Template, add_day

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["main"]

CAMERAS = ("door", "yard", "roof", "hall")
FILE_S = 300

SETTINGS = """
[server]
keep_days = {keep}
"""

CAMERA = """
[[camera]]
name = "{name}"
source = "test:?size=320x180"
fps = 5
"""

REQUESTS = 20


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.day", description=__doc__)
    parser.add_argument("--days", type=int, default=1, help="default: 1", metavar="N")
    parser.add_argument("--screenshot", type=Path, help="save the library's page", metavar="PNG")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="porthole-day-") as name:
        run(Path(name), arguments.days, arguments.screenshot)
    return 0


def run(folder: Path, days: int, screenshot: Path | None) -> None:
    """Make all measurements, one after the other."""
    media, config = folder / "state" / "media", folder / "porthole.toml"
    midnight = time.mktime((*time.localtime()[:3], 0, 0, 0, 0, 0, -1))
    began = time.monotonic()
    template = Template(units_of(folder), folder)
    picture = make_film(folder / "picture.jpg", "-frames:v", "1", "-update", "1").read_bytes()
    (folder / "state").mkdir(mode=0o700)
    files = sum(
        add_day(media, template, CAMERAS, midnight - day * DAY_S, events=144, jpeg=picture)
        for day in range(1, days + 1)
    )
    say(f"{files} files written", began)

    command = ["manage.py", "media", "check", "--state", str(folder / "state")]
    began, cpu = time.monotonic(), cpu_s_of_children()
    done = subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
    say(f"index rebuilt: {done.stdout.decode().splitlines()[0]}", began, cpu_s_of_children() - cpu)

    def settings(keep: float) -> None:
        each = "".join(CAMERA.format(name=one) for one in CAMERAS)
        config.write_text(SETTINGS.format(keep=keep) + each)

    settings(0)
    yesterday = f"since={midnight - DAY_S:.0f}&before={midnight:.0f}"
    with porthole(folder) as server, watched(server) as lags:
        say(f"server listens after {server.address_s:.2f} s")
        border = midnight - DAY_S / 2
        for path in (
            f"api/recordings?{yesterday}&limit=500",
            f"api/recordings?camera=yard&{yesterday}&limit=500",
            f"api/events?{yesterday}&limit=500",
            f"api/days?month={time.strftime('%Y-%m', time.localtime(border))}",
            f"api/cameras/door/picture?at={border - 0.4:.3f}&width=160",
            f"api/cameras/door/picture?at={border + 0.4:.3f}&width=160",
            f"api/cameras/door/picture?at={midnight + 60:.3f}&width=160",
            f"clip/yard.mp4?from={border - 30:.3f}&to={border + 30:.3f}",
        ):
            say(f"GET /{path}: {describe_requests(server, path)}")
        say(f"hub lag meanwhile: at most {max(lags):.1f} ms")
        open_library(server, time.strftime("%Y-%m-%d", time.localtime(border)), screenshot)

    for end in ("", "-wal", "-shm"):
        (media / f"index.sqlite{end}").unlink(missing_ok=True)
    with porthole(folder) as server, watched(server) as lags:
        began = server.started
        wait_for(lambda: len(listed(server, yesterday)) == 500)
        say(f"listens after {server.address_s:.2f} s without an index; yesterday is listed", began)
        say(f"hub lag meanwhile: at most {max(lags):.1f} ms")

    settings(0.25 if time.time() - midnight < DAY_S / 4 else 0.01)
    with porthole(folder) as server, watched(server) as lags:
        began, cpu, before = time.monotonic(), cpu_s(server.pid), len([*recordings(media)])
        wait_for(lambda: len([*recordings(media)]) < before)
        count = wait_until_still(lambda: len([*recordings(media)]))
        say(f"{before - count} of {before} files deleted", began, cpu_s(server.pid) - cpu)
        say(f"hub lag meanwhile: at most {max(lags):.1f} ms, median {quantile(lags, 0.5)} ms")


def units_of(folder: Path) -> list[Unit]:
    """Return five minutes of small pictures, one per second, every tenth a key frame."""
    options = ("-c:v", "libx264", "-crf", "40", "-pix_fmt", "yuv420p", "-g", "10", "-bf", "0")
    made = make_units(folder, FILE_S, *options, source="testsrc2=size=320x180:rate=1")
    return [
        Unit(one.data, one.key, one.seq, float(at), one.codec, one.width, one.height)
        for at, one in enumerate(made)
    ]


def say(what: str, since: float | None = None, cpu: float | None = None) -> None:
    """Print a line, with the time since a monotonic time, and CPU time."""
    took = "" if since is None else f": {time.monotonic() - since:.2f} s"
    spent = "" if cpu is None else f", {cpu:.2f} s of CPU time"
    print(f"{what}{took}{spent}", flush=True)


def cpu_s_of_children() -> float:
    """Return the CPU time of the child processes that have ended."""
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def porthole(folder: Path) -> Iterator[Server]:
    """Run a server with the configuration and state in a folder."""
    flags = ("--config", str(folder / "porthole.toml"), "--state", str(folder / "state"))
    with Server("manage.py", "run", "--port", "0", *flags) as server:
        yield server


@contextmanager
def watched(server: Server) -> Iterator[list[float]]:
    """Watch a camera; yield the hub's worst lag of each second, in ms."""
    lags, over = [0.0], threading.Event()
    viewer = Viewer("127.0.0.1", server.port)
    viewer.connect()
    viewer.call("watch", {"camera": "door"})

    def run() -> None:
        while not over.is_set():
            viewer.events.clear()
            viewer.pump(lambda: bool(viewer.events) or over.is_set(), 30)
            lags.extend(
                data["process"]["hub_lag_ms"] for name, data in viewer.events if name == "stats"
            )

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield lags
    finally:
        over.set()
        thread.join(30)
        viewer.close()


def get(server: Server, path: str) -> bytes:
    """Return the response to a path."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/{path}", timeout=60) as answer:
        body: bytes = answer.read()
        return body


def listed(server: Server, span: str) -> list[Any]:
    """Return the recordings listed for a time span."""
    import json

    found: list[Any] = json.loads(get(server, f"api/recordings?{span}&limit=500"))["recordings"]
    return found


def describe_requests(server: Server, path: str) -> str:
    """Request a path several times; describe how long that took, and the answer's size."""
    times = []
    for _ in range(REQUESTS):
        began = time.monotonic()
        body = get(server, path)
        times.append(1000 * (time.monotonic() - began))
    return f"first {times[0]:.1f} ms, then {quantile(times[1:], 0.5):.1f} ms, {len(body)} bytes"


def open_library(server: Server, day: str, screenshot: Path | None) -> None:
    """Open the library on a day in Chromium, if that can be driven here."""

    def measure(browser: "Browser") -> None:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        began = time.monotonic()
        page.goto(f"http://127.0.0.1:{server.port}/?library={day}")
        page.wait_for_selector("[data-card-open]", timeout=60_000)
        say("library opened in Chromium, with its first event", began)
        page.wait_for_timeout(3000)
        if screenshot is not None:
            page.screenshot(path=screenshot)

    in_chromium(say, "the library is", measure)


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, at most two minutes."""
    deadline = time.monotonic() + 120
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def wait_until_still(number: Callable[[], int]) -> int:
    """Wait until a number has not changed for two seconds; return it."""
    last, since = number(), time.monotonic()
    while time.monotonic() - since < 2:
        time.sleep(0.2)
        if (now := number()) != last:
            last, since = now, time.monotonic()
    return last


if __name__ == "__main__":
    sys.exit(main())
