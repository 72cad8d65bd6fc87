"""Recordings of a real server, which is killed while it writes; checked with FFmpeg."""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.cameras.films import make_film
from tests.support.clients.client import Viewer
from tests.support.clients.states import state_of
from tests.support.recordings.kills import KILLED, kill_once
from tests.support.recordings.small_disk import assert_plays
from tests.support.servers.server import FORK_SERVER, PortholeServer, last_event, wait_until

FILM = (
    *("-t", "10", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "25"),
    *("-pix_fmt", "yuv420p"),
)

KILLED_AFTER = 60, 110
"""Kill after this many frames; ``python -m bench.kills`` runs more of these."""

MAX_LOST_S = 2.0

SETTINGS = """
[[camera]]
name = "door"
source = "file:{film}"
record = "always"

[[camera]]
name = "pattern"
source = "test:?size=320x180"
fps = 5
record = "always"
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of two cameras that always record; the second has no video."""
    folder = tmp_path_factory.mktemp("config")
    film = make_film(folder / "film.mp4", *FILM)
    file = folder / "porthole.toml"
    file.write_text(SETTINGS.format(film=film))
    return file


def start(config: Path, state: Path) -> PortholeServer:
    """Start a server on the state folder of the one before it."""
    return PortholeServer("--config", str(config), "--port", "0", state=state, environment={})


def ask(server: PortholeServer, path: str) -> Any:
    """Return a response's JSON."""
    with urllib.request.urlopen(server.url + path, timeout=30) as answer:
        return json.load(answer)


def open_recording(
    server: PortholeServer, seconds: float, camera: str = "door"
) -> dict[str, Any] | None:
    """Return a camera's open recording once it is this long."""
    found = ask(server, f"api/recordings?camera={camera}")["recordings"]
    return next((one for one in found if one["open"] and one["to"] - one["from"] > seconds), None)


def test_killed_server_leaves_playable_files(tmp_path: Path) -> None:
    """At most 2 s of what a viewer had seen are missing, and every file plays as it is.

    The index equals one rebuilt from the files: recordings, films, events.
    """
    config = tmp_path / "porthole.toml"
    config.write_text(KILLED.format(film=make_film(tmp_path / "film.mp4", *FILM)))
    losses = [kill_once(config, tmp_path / "state", frames) for frames in KILLED_AFTER]

    assert max(one.lost_s["door"] for one in losses) <= MAX_LOST_S
    kept, events = losses[-1].rows
    assert {one.reason for one in kept} == {"always", "timelapse"}
    assert {one.label for one in events} == {"motion", "timelapse"}
    command = (*("media", "check", "--json"), "--state", str(tmp_path / "state"))
    report = json.loads(FORK_SERVER.run(command, {}).stdout)
    assert (report["recordings"], report["events"]) == (len(kept), len(events))
    assert (report["repaired"], report["unusable"], report["open"]) == ([], [], 0)
    assert (report["added"], report["dropped"]) == (0, 0)


def test_operator_can_turn_recording_off(config: Path, tmp_path: Path) -> None:
    """Turning it off takes effect immediately, reaches all clients, and survives a restart."""
    server = start(config, tmp_path / "state")
    viewer = Viewer("127.0.0.1", server.port)
    viewer.connect()
    wait_until(lambda: open_recording(server, 1.0), every_s=0.1)
    wait_until(lambda: ask(server, "api/cameras")[0]["recording"], every_s=0.1)

    reply = viewer.call("record", {"camera": "door", "mode": "off"})
    assert reply["camera"]["record"] == "off"
    wait_until(lambda: not ask(server, "api/cameras")[0]["recording"], every_s=0.1)
    viewer.pump(lambda: (state_of(viewer, "door") or {}).get("recording") is False, 20)
    (ended,) = ask(server, "api/recordings?camera=door")["recordings"]
    assert not ended["open"]
    path = next((tmp_path / "state").glob("media/door/*/*.mp4"))
    assert assert_plays(path) == pytest.approx(ended["to"] - ended["from"], abs=0.1)
    viewer.close()
    assert server.stop() == 0

    server = start(config, tmp_path / "state")
    try:
        state, _ = ask(server, "api/cameras")
        assert (state["record"], state["recording"], state["state"]) == ("off", False, "idle")
    finally:
        assert server.stop() == 0


def test_camera_without_video_is_recorded(config: Path, tmp_path: Path) -> None:
    """Frames of the test pattern are encoded as H.264, without a viewer."""
    server = start(config, tmp_path / "state")
    try:
        wait_until(lambda: open_recording(server, 1.5, "pattern"), every_s=0.1)
        wait_until(lambda: ask(server, "api/cameras")[1]["recording"], every_s=0.1)
        assert ask(server, "api/cameras")[1]["viewers"] == 0
    finally:
        assert server.stop() == 0
    (path,) = (tmp_path / "state").glob("media/pattern/*/*.mp4")
    assert assert_plays(path) > 1.5


def test_camera_outage_becomes_an_event(tmp_path: Path) -> None:
    """The socket's event and the list say when a camera was lost and when it was back."""
    film = make_film(tmp_path / "film.mp4", *FILM[2:], "-t", "1")
    aside = film.rename(tmp_path / "aside.mp4")
    server = PortholeServer(
        f"door=file:{film}", "--port", "0", state=tmp_path / "state", environment={}
    )
    viewer = Viewer("127.0.0.1", server.port)
    try:
        viewer.connect()
        viewer.call("watch", {"camera": "door"})
        viewer.pump(lambda: last_event(viewer, "event") is not None, 20)
        begun = last_event(viewer, "event")
        aside.rename(film)
        viewer.call("start", {"camera": "door"})
        viewer.pump(lambda: last_event(viewer, "event")["label"] == "online", 20)
        wait_until(lambda: len(ask(server, "api/events")["events"]) == 2, every_s=0.1)
        online, offline = ask(server, "api/events")["events"]
        assert (begun["label"], begun["to"]) == ("offline", None)
        assert (offline["id"], online["label"]) == (begun["id"], "online")
        assert begun["from"] <= offline["to"] <= time.time()
    finally:
        viewer.close()
        assert server.stop() == 0
