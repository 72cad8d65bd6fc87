"""Checks that viewers who join at random moments or lose their chains never see a broken picture.

``python -m bench.joins --joins 1000 --breaks 200`` runs one server with four H.264 cameras: 720p
from a command, with a key frame every two seconds; one with B-frames; one with open groups, which
viewers join in the middle; and one whose size and parameter sets change. Whatever a viewer is sent
is decoded from the first unit on, as in a browser, and each picture that it would show is compared
with the film: bit by bit if it is the camera's own video, by PSNR if it is JPEG or the smaller
video encoded for viewers on slow links.

To break a chain, a viewer stops acknowledging for a while; it counts if JPEG came before the video
was back. At the end a hundred viewers join one after the other, while somebody already watches, and
the time to their first picture is measured. Exit code 1 means that a picture was wrong or missing.
"""

import argparse
import random
import shlex
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.support.film import Film, Screen, Shown
from bench.support.table import Table, quantile
from tests.support.cameras.films import make_film
from tests.support.clients.client import Viewer
from tests.support.servers.server import PortholeServer, wait_until

__all__ = ["Joins", "make_films", "source_of"]

THREADS = 6
STAY_S = (0.2, 1.2)
MUTE_S = (0.4, 1.2)
# A command takes seconds to start, many on a busy machine.
START_S = 90.0
PATIENCE_S = 15.0
# A video that does not fit a link, or seems not to on a busy machine, is retried within this time.
RETURN_S = 70.0

# JPEGs of these films at quality 80 had at least 27 dB. Broken pictures have 10 to 20.
MIN_DB = 24.0

# Stop after this many faults.
MAX_FAULTS = 40

X264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-threads", "1")
LIVE = (*X264, "-tune", "zerolatency", "-preset", "veryfast")
GROUP = ("-g", "50", "-sc_threshold", "0")

LATE_JOINS = 100


def make_films(
    folder: Path, seconds: float = 6.0, large: str = "1280x720", small: str = "640x360"
) -> dict[str, Film]:
    """Make the four films; return them by camera."""

    def make(name: str, size: str, *options: str) -> Path:
        source = f"testsrc2=size={size}:rate=25,hue=s=0,noise=alls=4:allf=t"
        return make_film(folder / name, "-t", f"{seconds}", *options, source=source)

    b_frames = (*X264, "-preset", "veryfast", "-bf", "2", *GROUP)
    parts = [make(f"{size}.ts", size, *LIVE, *GROUP) for size in (small, large)]
    sizes = folder / "sizes.ts"
    sizes.write_bytes(b"".join(part.read_bytes() for part in parts))
    paths = {
        "plain": make("plain.ts", large, *LIVE, "-b:v", "2500k", *GROUP),
        "b-frames": make("b-frames.mp4", small, *b_frames),
        "open": make("open.ts", small, *b_frames, "-x264-params", "open-gop=1"),
        "sizes": sizes,
    }
    return {name: Film(path) for name, path in paths.items()}


def source_of(name: str, film: Film) -> str:
    """Return a source argument for a camera that loops a film."""
    if name != "plain":
        return f"{name}=file:{film.path}"
    play = ("ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(film.path))
    return f"{name}=exec:" + shlex.join((*play, "-c", "copy", "-f", "mpegts", "-"))


@dataclass
class Joins:
    """Viewers of one server, and what they were shown.

    Attributes:
        port: The server's port.
        films: By camera.
        seed: For the random choices.
        shown: What viewers were shown, by camera.
        joins: How many viewers joined, by camera.
        breaks: How many chains were broken, by camera.
        waits_s: How long viewers waited for their first picture, by camera.
    """

    port: int
    films: Mapping[str, Film]
    seed: int = 1
    shown: dict[str, Shown] = field(default_factory=dict)
    joins: Counter[str] = field(default_factory=Counter)
    breaks: Counter[str] = field(default_factory=Counter)
    waits_s: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shown = {name: Shown() for name in self.films}
        self.waits_s = {name: [] for name in self.films}
        self._rng = random.Random(self.seed)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._places: dict[str, dict[int, int]] = {name: {} for name in self.films}
        self._sent: dict[str, Counter[str]] = {name: Counter() for name in self.films}
        self._visits: list[tuple[str, Screen]] = []
        self._witnesses = [
            threading.Thread(target=self._try, args=(self._witness, name)) for name in self.films
        ]

    @property
    def faults(self) -> list[str]:
        """Everything that was wrong."""
        return [f"{name}: {one}" for name, shown in self.shown.items() for one in shown.faults]

    def run(self, joins: int, breaks: int, say: Callable[[str], None] = lambda text: None) -> None:
        """Let viewers join and break chains, and compare all pictures shown."""
        with self:
            self._repeat(joins, lambda: self.joins.total(), self._join, say)
            self._repeat(breaks, lambda: self.breaks.total(), self._break, say)
        self._judge()

    def __enter__(self) -> "Joins":
        for thread in self._witnesses:
            thread.start()
        try:
            wait_until(lambda: all(self._places.values()) or self.faults, START_S)
            assert not self.faults, self.faults
        except BaseException as error:
            self.__exit__()
            error.add_note(f"the witnesses were sent {self._sent}")
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._witnesses:
            thread.join(20)
        self._over.clear()

    def _repeat(
        self,
        count: int,
        done: Callable[[], int],
        act: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        """Act until ``done`` reaches ``count``, several at a time; compare in between."""
        names = list(self.films)
        with ThreadPoolExecutor(THREADS) as pool:
            while (missing := count - done()) > 0 and len(self.faults) < MAX_FAULTS:
                chosen = [names[number % len(names)] for number in range(min(missing, 48))]
                list(pool.map(partial(self._try, act), chosen))
                self._judge()
                say(f"{act.__name__.strip('_')}: {done()} of {count}; faults: {self.faults}")

    def _uniform(self, low: float, high: float) -> float:
        with self._lock:
            return self._rng.uniform(low, high)

    def _wish(self, name: str) -> dict[str, Any]:
        with self._lock:
            more = self._rng.choice(({}, {"rendition": "auto", "width": 1280}, {"acks": 4}))
        return {"camera": name, "video": ["h264"], **more}

    @contextmanager
    def _connected(self) -> Iterator[Viewer]:
        viewer = Viewer("127.0.0.1", self.port, keep_events=False)
        viewer.connect()
        with closing(viewer):
            yield viewer

    def _screen(self, name: str, viewer: Viewer) -> Screen:
        """Return a screen that records what a viewer is sent from now on."""
        screen = Screen(self.films[name])
        viewer.on_frame = screen.take
        return screen

    def _keep(self, name: str, screen: Screen) -> None:
        """Keep a screen for comparison."""
        with self._lock:
            self._places[name] |= screen.places()
            self._visits.append((name, screen))

    def _witness(self, name: str) -> None:
        """Watch permanently, to learn the numbers of all pictures; keep only those."""
        with self._connected() as viewer:
            screen = self._screen(name, viewer)
            wish = {"camera": name, "video": ["h264"], "acks": 4}
            viewer.call("watch", wish, timeout_s=START_S)
            while not self._over.is_set():
                pump_for(viewer, 0.2)
                with self._lock:
                    self._places[name] |= screen.places()
                self._sent[name].update(one.get("codec", "JPEG") for one, _ in screen.frames)
                screen.frames.clear()

    def _join(self, name: str) -> None:
        """Watch for a moment; half of the time, leave and come back on the same connection."""
        time.sleep(self._uniform(0, 1))
        with self._connected() as viewer:
            for _ in range(1 + (self._uniform(0, 1) < 0.5)):
                screen, began = self._screen(name, viewer), time.monotonic()
                viewer.call("watch", self._wish(name))
                viewer.pump(lambda screen=screen: screen.painted, PATIENCE_S)  # type: ignore[misc]
                waited_s = time.monotonic() - began
                pump_for(viewer, self._uniform(*STAY_S))
                viewer.call("unwatch", {"camera": name})
                self._keep(name, screen)
                with self._lock:
                    self.joins[name] += 1
                    self.waits_s[name].append(waited_s)

    def _break(self, name: str) -> None:
        """Stop acknowledging during video until JPEG comes, then wait for video again."""
        with self._connected() as viewer:
            screen = self._screen(name, viewer)
            viewer.call("watch", self._wish(name))
            viewer.pump(lambda: flows(screen), RETURN_S)
            viewer.ack = "none"
            pump_for(viewer, self._uniform(*MUTE_S))
            before = len(screen.frames)
            viewer.ack = "each"
            viewer.acknowledge()
            viewer.pump(lambda: len(screen.frames) > before, PATIENCE_S)
            broken = "codec" not in screen.frames[before][0]
            viewer.pump(lambda: flows(screen), RETURN_S)
        self._keep(name, screen)
        with self._lock:
            self.breaks[name] += broken

    def _try(self, act: Callable[[str], None], name: str) -> None:
        """Act as a viewer; count a timeout or a lost connection as a fault."""
        try:
            act(name)
        except (TimeoutError, ConnectionError) as error:
            with self._lock:
                self.shown[name].faults.append(f"{act.__name__.strip('_')}: {error!r}")

    def _judge(self) -> None:
        """Compare the pictures shown to viewers that have left."""
        visits, self._visits = self._visits, []
        for name, screen in visits:
            with self._lock:
                places = dict(self._places[name])
            screen.judge(self.shown[name], places, MIN_DB)


def pump_for(viewer: Viewer, seconds: float) -> None:
    """Let a viewer read for a while."""
    until = time.monotonic() + seconds
    viewer.pump(lambda: time.monotonic() > until, seconds + 5)


def flows(screen: Screen) -> bool:
    """Return whether the last few pictures came as video."""
    return len(screen.painted) > 5 and all("codec" in one for one in screen.painted[-5:])


def first_pictures(port: int, name: str, wish: Mapping[str, Any]) -> list[float]:
    """Let viewers join one after the other; return how long each waits for a picture."""
    waits_s = []
    for number in range(LATE_JOINS):
        viewer = Viewer("127.0.0.1", port, keep_events=False)
        viewer.connect()
        time.sleep(0.02 + number % 10 * 0.021)
        began = time.monotonic()
        viewer.emit("watch", {"camera": name, **wish})
        viewer.pump(lambda viewer=viewer: viewer.arrivals, PATIENCE_S)  # type: ignore[misc]
        waits_s.append(time.monotonic() - began)
        viewer.close()
    return waits_s


def shown_table(joins: Joins) -> Table:
    """Return a table of what viewers were shown."""
    columns = (
        *("camera", "joins", "broken chains", "video", "identical", "encoded", "JPEG"),
        *("PSNR", "faults"),
    )
    table = Table("What viewers were shown", columns)
    for name, shown in joins.shown.items():
        table.add(
            *(name, joins.joins[name], joins.breaks[name], shown.units, shown.identical),
            *(shown.encoded, shown.jpegs, f"≥ {shown.least_db:.1f} dB", len(shown.faults)),
        )
    return table


def waits_table(rows: Mapping[str, Sequence[float]]) -> Table:
    """Return a table of how long viewers waited."""
    table = Table("From `watch` to the first picture", ("viewers", "count", "ms p50", "p95", "max"))
    for name, waits_s in rows.items():
        cells = [f"{1000 * quantile(waits_s, share):.0f}" for share in (0.5, 0.95, 1)]
        table.add(name, len(waits_s), *cells)
    return table


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--joins", type=int, default=1000, help="number of joins; default: 1000")
    parser.add_argument("--breaks", type=int, default=200, help="broken chains; default: 200")
    parser.add_argument("--seed", type=int, default=1, help="for random choices; default: 1")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    say = lambda text: print(f"joins: {text}", file=sys.stderr, flush=True)  # noqa: E731
    with tempfile.TemporaryDirectory() as name:
        films = make_films(Path(name))
        sources = [source_of(camera, film) for camera, film in films.items()]
        state = Path(name, "state")
        server = PortholeServer("--port", "0", *sources, state=state, environment={})
        try:
            joins = Joins(server.port, films, arguments.seed)
            joins.run(arguments.joins, arguments.breaks, say)
            print(shown_table(joins))
            waits = {f"{name}, {THREADS} at a time": one for name, one in joins.waits_s.items()}
            with Joins(server.port, {"plain": films["plain"]}):
                time.sleep(5)
                auto = {"rendition": "auto", "width": 1280, "video": ["h264"]}
                for kind, wish in (("full", {"video": ["h264"]}), ("auto", auto)):
                    waits[f"plain, {kind}, one at a time"] = first_pictures(
                        server.port, "plain", wish
                    )
            print(waits_table(waits))
        finally:
            server.stop()
    print(*joins.faults, sep="\n")
    raise SystemExit(1 if joins.faults else 0)


if __name__ == "__main__":
    main()
