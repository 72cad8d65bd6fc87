"""A recording server's disk fills up while a viewer watches, and is freed again."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from server.recording.disk.index import Index
from tests.support.cameras.films import make_film
from tests.support.clients.client import Viewer
from tests.support.recordings.small_disk import SmallDisk, assert_plays, rebuilt, rows_of
from tests.support.servers.server import PortholeServer, wait_until

FILM = (
    *("-t", "10", "-c:v", "libx264", "-preset", "ultrafast", "-b:v", "1500k", "-bf", "0"),
    *("-g", "25", "-pix_fmt", "yuv420p"),
)

MEGABYTES = 6

SETTINGS = """
[[camera]]
name = "door"
source = "file:{film}"
record = "always"
"""

# How long the disk is full: many fragments, each of which is attempted or dropped.
FULL_FRAMES = 100


def ask(server: PortholeServer, path: str, body: object = None, method: str = "GET") -> Any:
    """Return a response's status and JSON."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(server.url + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def recordings(server: PortholeServer) -> tuple[list[dict[str, Any]], str]:
    """Return the recordings, oldest first, and why none is being written."""
    _, told = ask(server, "api/recordings")
    return told["recordings"][::-1], told["paused"]


def open_bytes(server: PortholeServer, number: int = 1) -> int:
    """Return the size of recording ``number`` if it is the newest and still being written."""
    found, _ = recordings(server)
    return found[-1]["bytes"] if len(found) >= number and found[-1]["open"] else 0


def watch(viewer: Viewer, frames: int) -> list[float]:
    """Watch for this many frames; return their ages in seconds."""
    first = len(viewer.arrivals)
    viewer.pump(lambda: len(viewer.arrivals) >= first + frames, 60)
    return [one.age_s for one in viewer.arrivals[first:]]


def told(viewer: Viewer, event: str) -> list[dict[str, Any]]:
    """Return the payloads of an event that a viewer received."""
    return [data for name, data in viewer.events if name == event]


def wait_for_notice(viewer: Viewer, text: str) -> None:
    """Watch until a notice contains a text."""
    viewer.pump(lambda: any(text in one["message"] for one in told(viewer, "notice")), 60)


def watch_until_ended(viewer: Viewer, server: PortholeServer, job: dict[str, Any]) -> Any:
    """Watch until a job has ended; return its last state."""
    viewer.pump(lambda: ended(job_of(server, job)), 60)
    return job_of(server, job)


def ended(state: dict[str, Any]) -> bool:
    return bool(state["done"] or state["error"])


def counts_of(viewer: Viewer) -> dict[str, Any]:
    """Watch until new statistics arrive; return the camera's counts."""
    known = len(told(viewer, "stats"))
    viewer.pump(lambda: len(told(viewer, "stats")) > known, 20)
    counts: dict[str, Any] = told(viewer, "stats")[-1]["cameras"]["door"]
    return counts


def test_full_disk_pauses_recording_but_not_live_video(
    small_disk: Callable[[Path, int], SmallDisk], tmp_path: Path
) -> None:
    """Viewers are unaffected; the oldest recording is deleted, then recording pauses with a notice.

    Clips fail with a reason, and when there is room everything resumes; every file plays.
    """
    state = tmp_path / "state"
    disk = small_disk(state, MEGABYTES)
    config = tmp_path / "porthole.toml"
    config.write_text(SETTINGS.format(film=make_film(tmp_path / "film.mp4", *FILM)))
    server = PortholeServer("--config", str(config), "--port", "0", state=state, environment={})
    viewer = Viewer("127.0.0.1", server.port)
    try:
        viewer.connect()
        for count in (1, 2):
            wait_until(lambda count=count: open_bytes(server, count) > 100_000, every_s=0.1)
            for mode in ("off", "always"):  # This starts a new file.
                viewer.call("record", {"camera": "door", "mode": mode})
        oldest = recordings(server)[0][0]["id"]
        viewer.call("watch", {"camera": "door", "video": ["h264"]})
        watch(viewer, 25)
        before = counts_of(viewer)  # First, so that every drop below is counted.
        seqs: list[int] = []
        viewer.on_frame = lambda header, unit: seqs.append(header["seq"])

        disk.keep_full()
        wait_for_notice(viewer, "Recording is paused: the disk is full")
        _, failing = ask(server, "api/clips", last_minute(), "POST")
        ages = watch(viewer, FULL_FRAMES)
        kept, paused = recordings(server)
        failed = watch_until_ended(viewer, server, failing)
        after = counts_of(viewer)
        viewer.on_frame = None
        disk.empty()

        wait_for_notice(viewer, "Recording has resumed")
        _, making = ask(server, "api/clips", last_minute(), "POST")
        viewer.pump(lambda: told(viewer, "camera")[-1]["recording"], 60)
        made = watch_until_ended(viewer, server, making)
        states = [one["recording"] for one in told(viewer, "camera")]
    finally:
        viewer.close()
        server.end()

    assert paused == "the disk is full"
    assert oldest not in [one["id"] for one in kept]
    assert any("oldest" in one["message"] for one in told(viewer, "notice"))
    assert states[-2:] == [False, True]
    assert (failed["done"], failed["error"]) == (False, "No space left on device")
    assert (made["done"], made["error"]) == (True, None)
    # Each frame reached the viewer, even if only for decoding, or is counted as dropped.
    missed = max(seqs) - min(seqs) + 1 - len(set(seqs))
    dropped = sum(after["drops"].values()) - after["drops"]["unrecorded"]
    assert missed <= dropped - sum(before["drops"].values())
    assert after["lost"] == before["lost"] == 0
    assert after["drops"]["unrecorded"] > 0
    assert median(ages) < 0.5
    files = sorted(state.glob("media/door/*/*.mp4"))
    assert files
    for path in files:
        assert_plays(path)
    index = Index(state / "media")
    assert rows_of(index) == rebuilt(state / "media", tmp_path / "aside")
    index.close()


def job_of(server: PortholeServer, job: dict[str, Any]) -> dict[str, Any]:
    """Return a clip job's status."""
    _, told = ask(server, f"api/clips/{job['id']}")
    return dict(told)


def last_minute() -> dict[str, Any]:
    """Return the clip of the last minute."""
    return {"camera": "door", "from": time.time() - 60, "to": time.time()}
