"""Motion detection in a real server."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import requests

from tests.support.cameras.films import make_film
from tests.support.clients.client import Viewer
from tests.support.clients.states import state_of
from tests.support.servers.server import PortholeServer, wait_until

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

# A box crosses the picture for about 2 s, then there is none for as long.
CROSSING = (
    "color=gray:size=640x360:rate=10,noise=alls=4:allf=t[back];"
    "color=white:size=90x90:rate=10[box];"
    "[back][box]overlay=x='if(lt(t\\,2)\\,-90\\,(t-2)*300)':y=120:shortest=1"
)


def test_motion_is_detected_without_viewers(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """An operator enables detection; STATE says when motion begins and ends, without a viewer.

    The film has a box that moves now and then. A zone elsewhere sees nothing. The motion is an
    event, with a picture.
    """
    options = ("-preset", "ultrafast", "-t", "7", "-g", "10", "-pix_fmt", "yuv420p")
    film = make_film(tmp_path / "film.mp4", *options, source=CROSSING)
    server = start_server(f"film=file:{film}", f"zoned=file:{film}")
    viewer = connect(server)
    told: list[tuple[str, bool]] = []

    def moving() -> list[tuple[str, bool]]:
        for camera in ("film", "zoned"):
            motion = (state_of(viewer, camera) or {}).get("motion")
            if motion is not None:
                one = camera, motion["moving"]
                if one not in told[-1:] and (one[1] or (camera, True) in told):
                    told.append(one)
        return told

    top = [[[0.0, 0.0], [1.0, 0.0], [1.0, 0.2], [0.0, 0.2]]]
    assert viewer.call("motion", {"camera": "zoned", "on": True, "zones": top})["ok"]
    assert viewer.call("motion", {"camera": "film", "on": True})["ok"]
    viewer.pump(lambda: moving()[-1:] == [("film", False)], 40)

    assert told == [("film", True), ("film", False)]
    state = state_of(viewer, "film")
    assert state["viewers"] == 0
    assert state["motion"] | {"moving": False} == {
        "sensitivity": 50,
        "min_size": 0.5,
        "min_s": 0.4,
        "zones": [],
        "moving": False,
    }

    def listed() -> list[dict[str, Any]] | None:
        """Return the events once the writer thread has recorded the end of the first."""
        found = requests.get(f"{server.url}api/events?label=motion", timeout=5).json()["events"]
        return found if any(one["to"] is not None for one in found) else None

    events = wait_until(listed)
    event = next(one for one in events if one["to"] is not None)
    assert {one["camera"] for one in events} == {"film"}
    assert 1.0 < event["to"] - event["from"] < 4.5
    jpeg = requests.get(f"{server.url}event/{event['id']}.jpg", timeout=5).content
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    left, top, width, height = event["box"]
    inside = shown[round((top + height / 2) * 360), round((left + width / 2) * 640)]
    assert inside > 200 > 150 > shown[10, 10]


SETTINGS = """
[[camera]]
name = "crossing"
source = "file:{film}"
record = "motion"
record_before = 2
record_after = 1
"""


def test_jpeg_camera_records_from_before_the_motion(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """A JPEG camera without viewers: the recording starts with the empty picture 2 s earlier."""
    film = make_film(
        tmp_path / "film.avi", "-c:v", "mjpeg", "-q:v", "4", "-t", "7", source=CROSSING
    )
    settings = tmp_path / "porthole.toml"
    settings.write_text(SETTINGS.format(film=film))
    server = start_server("--config", str(settings))
    viewer = connect(server)

    def ask(path: str, **more: str) -> list[dict[str, Any]]:
        found = requests.get(f"{server.url}api/{path}?camera=crossing", more, timeout=5)
        return found.json()[path]  # type: ignore[no-any-return]

    def closed() -> dict[str, Any] | None:
        return next((one for one in ask("recordings") if not one["open"]), None)

    viewer.pump(lambda: closed() is not None, 60)
    recording = closed()
    assert recording is not None
    event = min(ask("events", label="motion"), key=lambda one: one["from"])
    assert recording["to"] > event["from"] + 1
    path = tmp_path / "recording.mp4"
    path.write_bytes(
        requests.get(f"{server.url}recording/{recording['id']}.mp4", timeout=5).content
    )
    entries = "format=duration:packet=pts_time"
    command = ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "json"]
    told = subprocess.run([*command, str(path)], capture_output=True, check=True, timeout=20)
    probed = json.loads(told.stdout)
    length_s = float(probed["format"]["duration"])
    assert length_s == pytest.approx(recording["to"] - recording["from"], abs=0.05)
    # It starts with the picture shown at that time, which may be old if the machine was busy.
    times = sorted(float(packet["pts_time"]) for packet in probed["packets"])
    off_s = max(0.25, times[1] - times[0])
    assert recording["from"] == pytest.approx(event["from"] - 2, abs=off_s)
    shown = cv2.VideoCapture(str(path))
    brightest = [int(picture.max()) for _ in range(15) if (picture := shown.read()[1]) is not None]
    assert max(brightest) < 200, "nothing moves yet"
