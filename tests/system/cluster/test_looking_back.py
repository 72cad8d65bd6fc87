"""Rewinding a camera of another node: real nodes and a real Redis."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.cameras.films import make_film
from tests.support.clients.client import Viewer
from tests.support.servers.cluster import cameras_of, expect_cameras
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

VIDEO = ("-t", "4", "-c:v", "libx264", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "25")


def test_another_nodes_camera_can_be_rewound(
    start_node: Start, connect: Connect, tmp_path: Path
) -> None:
    """Rewinding another node's camera shows its original frames, JPEG or video, then live again."""
    film = make_film(tmp_path / "film.mp4", *VIDEO)
    start_node("camera", f"door=file:{film}", "yard=test:?size=320x180&fps=25")
    web = start_node("web")
    expect_cameras(web, "door", "yard")
    viewer = connect(web)
    frames: list[tuple[dict[str, Any], bytes]] = []
    viewer.on_frame = lambda header, data: frames.append((header, data))

    def painted(name: str, number: int | None) -> list[tuple[dict[str, Any], bytes]]:
        shown = [one for one in frames if "catch_up" not in one[0] and one[0]["camera"] == name]
        return [one for one in shown if one[0].get("seek") == number]

    for name in ("door", "yard"):
        viewer.call("watch", {"camera": name, "video": ["h264"]})
    viewer.pump(lambda: all(len(painted(name, None)) > 60 for name in ("door", "yard")), 30)
    assert cameras_of(web)["door"]["rewind"] == 60

    for name in ("door", "yard"):
        header, data = painted(name, None)[-40]
        reply = viewer.call("seek", {"camera": name, "at": header["at"]})
        viewer.pump(lambda name=name, n=reply["seek"]: bool(painted(name, n)), 5)
        past, again = painted(name, reply["seek"])[0]
        assert (past["at"], again, past["live"]) == (header["at"], data, False)
        assert past["seq"] == header["seq"]
        assert reply["from"] < reply["before"] < reply["at"] < reply["after"] < reply["to"]

        viewer.call("play", {"camera": name, "speed": 2})
        viewer.pump(lambda name=name, n=reply["seek"]: len(painted(name, n)) > 20, 5)
        seqs = [one[0]["seq"] for one in painted(name, reply["seek"])]
        assert seqs == sorted(set(seqs))

        live, newest = len(painted(name, None)), max(one[0]["seq"] for one in painted(name, None))
        viewer.call("seek", {"camera": name, "at": None})
        viewer.pump(lambda name=name, live=live: len(painted(name, None)) > live, 5)
        assert painted(name, None)[live][0]["seq"] > newest

    with urllib.request.urlopen(f"{web.url}api/cameras/door/past", timeout=5) as answer:
        past = json.load(answer)
    assert past["from"] < past["to"]
    header, _ = painted("door", None)[-20]
    picture = f"{web.url}api/cameras/door/picture?at={header['at']}"
    with urllib.request.urlopen(picture, timeout=20) as answer:
        assert float(answer.headers["X-Timestamp"]) == pytest.approx(header["at"], abs=1e-5)
        assert answer.read()[:2] == b"\xff\xd8"
    clip = f"{web.url}clip/door.mp4?from={header['at'] - 0.5}&to={header['at']}"
    with urllib.request.urlopen(clip, timeout=20) as answer:
        assert answer.read()[4:8] == b"ftyp"


@pytest.mark.parametrize("name", ["door"])
def test_seek_fails_when_the_cameras_node_is_gone(
    start_node: Start, connect: Connect, name: str
) -> None:
    """Seeking is unavailable while the camera's node is down: no other node has its past frames."""
    owner = start_node("camera", f"{name}=test:?size=320x180&fps=25")
    web = start_node("web")
    expect_cameras(web, name)
    viewer = connect(web)
    viewer.call("watch", {"camera": name})
    viewer.pump(lambda: len(viewer.arrivals) > 3, 30)

    owner.stop()
    viewer.pump(lambda: cameras_of(web)[name]["state"] == "retrying", 10)
    reply = viewer.call("seek", {"camera": name, "at": viewer.arrivals[0].at_unix})

    assert reply["error"] == "unavailable"
    assert "node" in reply["message"]
