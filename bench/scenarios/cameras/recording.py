"""What does recording four H.264 cameras cost the server, and its viewers?"""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import isnan, nan
from pathlib import Path
from urllib.request import urlopen

from bench.support.process import Server, threads_cpu_s, tree
from bench.support.stand import Stand
from bench.support.table import Table, quantile, spread
from tests.support.cameras.rtsp_server import RtspServer
from tests.support.clients.client import Crowd, Viewer

__all__ = ["run"]

CAMERAS = 4
RECORD = ("off", "always")

# A process starts to read several pictures at a time after three seconds of its stream.
SETTLE_S = 9.0

# A fragment is written each second.
MIN_WINDOW_S = 4.0

# A film sent over RTSP ends; make it longer than the measurement.
FILM_S = 300

SEEKS = 10
SEEK_BACK_S = 4.0
CLIPS = 5
CLIP_S = 10.0


def run(stand: Stand) -> Iterator[Table]:
    """Measure two servers in parallel, one of which records, without viewers and with one each."""
    stand.say("recording")
    table = Table(
        f"Recording: {CAMERAS} cameras, H.264, 1280x720 at 30 fps, both servers at the same time",
        (
            *("source", "viewers of each", "recorded", "server, % of a core"),
            *("their processes, each", "in all", "fps", "age ms p50", "p99"),
        ),
    )
    past = Table(
        "The past of one camera while it is recorded",
        ("source", "seek to the frame on the wire, ms p50 / max", "clip of 10 s, ms p50 / max"),
    )
    with tempfile.TemporaryDirectory(prefix="porthole-bench-rtsp-") as name:
        long_film = _repeat(stand.content.film(), Path(name, "long.mp4"))
        for kind in ("RTSP", "film"):
            with _addresses(kind, stand.content.film(), long_film) as addresses:
                _measure(stand, kind, addresses, table, past)
    yield table
    yield past


def _measure(stand: Stand, kind: str, addresses: list[str], table: Table, past: Table) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="porthole-bench-")))
        servers = {
            record: stack.enter_context(
                _recording(stand, folder, addresses[at * CAMERAS :][:CAMERAS], record)
            )
            for at, record in enumerate(RECORD)
        }
        time.sleep(SETTLE_S)
        stand.quiet.wait(stand.say)
        _count(stand, kind, 0, servers, {}, table)
        viewers = {
            record: stack.enter_context(_watching(server)) for record, server in servers.items()
        }
        _count(stand, kind, 1, servers, viewers, table)
        seeks = _seek(viewers["always"])
        clips = _cut(servers["always"])
        past.add(kind, _p50_max(seeks), _p50_max(clips))


def _count(
    stand: Stand,
    kind: str,
    watching: int,
    servers: dict[str, Server],
    viewers: dict[str, Viewer],
    table: Table,
) -> None:
    """Add both servers' CPU use and their viewers' frames to a table."""
    crowd = Crowd()
    for viewer in viewers.values():
        crowd.add(viewer)
    crowd.run(SETTLE_S if viewers else 0.0)
    used: dict[str, list[tuple[float, float, float]]] = {record: [] for record in servers}
    fps: dict[str, list[float]] = {record: [] for record in servers}
    ages: dict[str, list[float]] = {record: [] for record in servers}
    for _ in range(stand.repeats):
        pids = {record: tree(server.pid) for record, server in servers.items()}
        before = {pid: _spent_s(pid) for one in pids.values() for pid in one}
        for viewer in viewers.values():
            viewer.arrivals.clear()
        began, seconds = time.monotonic(), max(MIN_WINDOW_S, stand.seconds)
        if viewers:
            crowd.run(seconds)
        else:
            time.sleep(seconds)
        took_s = time.monotonic() - began
        for record, one in pids.items():
            own, *others = (100 * (_spent_s(pid) - before[pid]) / took_s for pid in one)
            others = [percent for percent in others if not isnan(percent)]
            each = sum(others) / len(others) if others else 0.0
            used[record].append((own, each, own + sum(others)))
        for record, viewer in viewers.items():
            fps[record].append(len(viewer.arrivals) / took_s / CAMERAS)
            ages[record] += [arrival.age_s * 1000 for arrival in viewer.arrivals]
    for record in servers:
        cpu = [spread(column, 2) for column in zip(*used[record], strict=True)]
        seen: list[str | None] = [None] * 3
        if viewers:
            p50, p99 = (f"{quantile(ages[record], share):.1f}" for share in (0.5, 0.99))
            seen = [spread(fps[record]), p50, p99]
        table.add(kind, watching, record, *cpu, *seen)


@contextmanager
def _addresses(kind: str, film: Path, long_film: Path) -> Iterator[list[str]]:
    """Yield the addresses of all cameras, those of the first server first."""
    count = len(RECORD) * CAMERAS
    if kind == "film":
        yield [f"file:{film}"] * count
        return
    cameras = RtspServer(long_film)
    try:
        yield [cameras.url(f"film{number}") for number in range(count)]
    finally:
        cameras.stop()


@contextmanager
def _recording(stand: Stand, folder: Path, addresses: list[str], record: str) -> Iterator[Server]:
    config = folder / f"{record}.toml"
    config.write_text(
        "".join(
            f'[[camera]]\nname = "c{number}"\nsource = "{address}"\nrecord = "{record}"\n'
            for number, address in enumerate(addresses)
        )
    )
    with stand.porthole("--config", str(config)) as server:
        yield server


@contextmanager
def _watching(server: Server) -> Iterator[Viewer]:
    """Watch the video of all cameras."""
    viewer = Viewer("127.0.0.1", server.port, keep_events=False)
    viewer.connect()
    try:
        for number in range(CAMERAS):
            viewer.call("watch", {"camera": f"c{number}", "video": ["h264"]})
        yield viewer
    finally:
        viewer.close()


def _seek(viewer: Viewer) -> list[float]:
    """Return how long the frame of each seek took to arrive, in milliseconds."""
    took_ms = []
    frames: list[dict[str, object]] = []
    viewer.on_frame = lambda header, _: frames.append(header)
    for number in range(SEEKS):
        frames.clear()
        began = time.perf_counter()
        answer = viewer.call("seek", {"camera": "c0", "at": time.time() - SEEK_BACK_S - number})

        def found(seek: int = answer["seek"]) -> bool:
            return any(one.get("seek") == seek and not one.get("catch_up") for one in frames)

        viewer.pump(found, 5)
        took_ms.append((time.perf_counter() - began) * 1000)
    viewer.call("seek", {"camera": "c0", "at": None})
    viewer.on_frame = None
    return took_ms


def _cut(server: Server) -> list[float]:
    """Return how long each clip took to fetch, in milliseconds."""
    took_ms = []
    for number in range(CLIPS):
        to = time.time() - 2 - number
        url = f"http://127.0.0.1:{server.port}/clip/c1.mp4?from={to - CLIP_S}&to={to}"
        began = time.perf_counter()
        with urlopen(url, timeout=10) as clip:
            assert clip.read(8)[4:] == b"ftyp"
            clip.read()
        took_ms.append((time.perf_counter() - began) * 1000)
    return took_ms


def _spent_s(pid: int) -> float:
    """Return the CPU time of a process; NaN if it has ended, like one that checks a camera."""
    try:
        return threads_cpu_s(pid)
    except FileNotFoundError:
        return nan


def _p50_max(values: list[float]) -> str:
    return f"{quantile(values, 0.5):.0f} / {max(values):.0f}"


def _repeat(film: Path, longer: Path) -> Path:
    command = ["ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", str(film)]
    command += ["-c", "copy", "-t", str(FILM_S), str(longer)]
    subprocess.run(command, check=True, timeout=60)
    return longer
