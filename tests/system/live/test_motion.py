"""Looking for motion in a real server."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import requests

from tests.support.client import Viewer
from tests.support.films import make_film
from tests.support.server import PortholeServer
from tests.support.states import state_of

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

# A box crosses half of the picture, and then there is none for as long.
CROSSING = (
    "color=gray:size=640x360:rate=10,noise=alls=4:allf=t[back];"
    "color=white:size=90x90:rate=10[box];"
    "[back][box]overlay=x='if(lt(t\\,3)\\,-90\\,(t-3)*200)':y=120:shortest=1"
)


def test_motion_is_seen_while_nobody_watches(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """A film with a box that moves now and then: an operator turns it on, and STATE tells when
    something moves and when no longer, without a viewer; a zone elsewhere sees nothing. What moved
    is an event, with a picture.
    """
    film = make_film(
        tmp_path / "film.mp4", "-t", "9", "-g", "10", "-pix_fmt", "yuv420p", source=CROSSING
    )
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
    viewer.pump(lambda: moving()[-1:] == [("film", False)], 20)

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
    events = requests.get(f"{server.url}api/events?label=motion", timeout=5).json()["events"]
    event = next(one for one in events if one["to"] is not None)
    assert {one["camera"] for one in events} == {"film"}
    assert 1.0 < event["to"] - event["from"] < 4.5
    jpeg = requests.get(f"{server.url}event/{event['id']}.jpg", timeout=5).content
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    left, top, width, height = event["box"]
    inside = shown[round((top + height / 2) * 360), round((left + width / 2) * 640)]
    assert inside > 200 > 150 > shown[10, 10]
