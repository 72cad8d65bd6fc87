"""Rewinding in a real server: the picture of a moment, and back to live."""

import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import cv2
import numpy as np
import pytest

from tests.support.cameras.films import make_film
from tests.support.clients.client import Viewer
from tests.support.clients.states import state_of
from tests.support.servers.server import PortholeServer

Share = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25")
VIDEO = (*X264, "-tune", "zerolatency")
REORDERED = (*X264, "-bf", "2")
NAMES = ("video", "pixels", "jpeg", "slow")

Seen = tuple[dict[str, Any], bytes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films in which all pictures differ."""
    films = tmp_path_factory.mktemp("films")
    make_film(films / "video.mp4", "-t", "4", *VIDEO)
    make_film(films / "reordered.mp4", "-t", "4", *REORDERED)
    make_film(films / "jpeg.avi", "-t", "4", "-c:v", "mjpeg", "-q:v", "5")
    return films


@pytest.fixture
def server(share_server: Share, folder: Path) -> PortholeServer:
    """A server with four kinds of cameras."""
    return share_server(
        f"video=file:{folder}/video.mp4",
        "pixels=test:?size=320x180&fps=25",
        f"jpeg=file:{folder}/jpeg.avi",
        "slow=test:?size=320x180&fps=10",
        f"reordered=file:{folder}/reordered.mp4",
    )


# Prints a checksum of each picture that a decoder has returned after the given units; with ``all``,
# also of those that it still holds then.
DECODE = """
import av, json, pickle, sys, zlib
context = av.CodecContext.create("h264", "r")
context.thread_count = 1
units = [av.Packet(unit) for unit in pickle.load(sys.stdin.buffer)]
units += [None] if sys.argv[1] == "all" else []
pictures = [picture for unit in units for picture in context.decode(unit)]
print(json.dumps([zlib.crc32(one.to_ndarray().tobytes()) for one in pictures]))
"""


def decode(frames: Sequence[Seen], how: str = "") -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", DECODE, how],
        input=pickle.dumps([data for _, data in frames]),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    sums: list[int] = json.loads(done.stdout)
    return sums


class Watcher:
    """A viewer that keeps every frame, and acknowledges the painted ones."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.frames: list[Seen] = []
        viewer.on_frame = lambda header, data: self.frames.append((header, data))

    def watch(self, *names: str) -> None:
        """Watch for about a second."""
        for name in names:
            self.viewer.call("watch", {"camera": name, "video": ["h264"]})
        self.viewer.pump(lambda: all(len(self.live(name)) >= 30 for name in names), 30)

    def live(self, name: str) -> list[Seen]:
        return [one for one in self.frames if is_painted(one, name) and "live" not in one[0]]

    def past(self, name: str, number: int) -> list[Seen]:
        return [one for one in self.frames if is_painted(one, name) and seek_of(one) == number]

    def sent(self, number: int) -> list[Seen]:
        return [one for one in self.frames if seek_of(one) == number]

    def seek(self, name: str, at: float | None) -> dict[str, Any]:
        """Seek to a moment; return the reply once the picture has come."""
        reply: dict[str, Any] = self.viewer.call("seek", {"camera": name, "at": at})
        assert reply["ok"], reply
        if reply["at"] is not None:
            self.viewer.pump(lambda: bool(self.past(name, reply["seek"])), 5)
        return reply


def difference(one: bytes, other: bytes) -> float:
    """Return the difference of two JPEGs, in levels of brightness."""
    pixels = [
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) for data in (one, other)
    ]
    assert pixels[0] is not None
    assert pixels[1] is not None
    return float(np.abs(pixels[0].astype(float) - pixels[1].astype(float)).mean())


def is_painted(one: Seen, name: str) -> bool:
    return one[0]["camera"] == name and "catch_up" not in one[0]


def seek_of(one: Seen) -> int | None:
    number: int | None = one[0].get("seek")
    return number


@pytest.mark.parametrize("name", ["video", "pixels", "jpeg"])
def test_seek_shows_the_frame_of_that_moment(
    server: PortholeServer, connect: Connect, name: str
) -> None:
    """The frame that was live then is sent again, marked as past.

    No live frame follows until live is requested; then newer frames come.
    """
    watcher = Watcher(connect(server))
    watcher.watch(name)
    (header, data), newest = watcher.live(name)[-12], watcher.live(name)[-1]

    reply = watcher.seek(name, header["at"])
    count = len(watcher.live(name))
    with pytest.raises(TimeoutError):
        watcher.viewer.pump(lambda: len(watcher.live(name)) > count, 0.3)
    [(past, again)] = watcher.past(name, reply["seek"])

    assert (past["seq"], again) == (header["seq"], data)
    assert past["live"] is False
    assert reply["at"] == past["at"]
    assert reply["from"] <= past["at"] <= reply["to"]
    assert reply["before"] < reply["at"] < reply["after"]
    assert watcher.sent(reply["seek"])[0][0].get("key", True)
    assert state_of(watcher.viewer, name)["viewers"] >= 1

    live = watcher.seek(name, None)
    watcher.viewer.pump(lambda: len(watcher.live(name)) >= count + 5, 10)

    assert live["at"] is None
    assert live["to"] > reply["to"]
    following = watcher.live(name)[count:]
    assert all(one[0]["seq"] > newest[0]["seq"] for one in following)
    assert following[0][0].get("key", True) or "codec" in following[0][0]


def test_neighbouring_frames_are_one_seek_away(server: PortholeServer, connect: Connect) -> None:
    """A step to the frame before or after is a seek to the time in the reply."""
    watcher = Watcher(connect(server))
    watcher.watch("video")
    # On a busy machine frames may be skipped.
    header = next(
        header
        for (header, _), (following, _) in pairwise(watcher.live("video")[-12:])
        if following["seq"] == header["seq"] + 1
    )

    here = watcher.seek("video", header["at"])
    after = watcher.seek("video", here["after"])
    before = watcher.seek("video", after["before"])

    [(past, _)] = watcher.past("video", after["seek"])
    assert past["seq"] == header["seq"] + 1
    assert before["at"] == here["at"]


def test_all_cameras_seek_to_the_same_moment(server: PortholeServer, connect: Connect) -> None:
    """Four cameras of three kinds show the same moment, within a frame interval."""
    watcher = Watcher(connect(server))
    watcher.watch(*NAMES)
    moment = time.time() - 0.8

    asked = {name: watcher.viewer.ask("seek", {"camera": name, "at": moment}) for name in NAMES}
    watcher.viewer.pump(lambda: all(map(watcher.viewer.reply, asked.values())), 5)
    replies = {name: watcher.viewer.reply(one) for name, one in asked.items()}
    watcher.viewer.pump(lambda: all(watcher.past(n, r["seek"]) for n, r in replies.items()), 5)

    for name, reply in replies.items():
        [(past, _)] = watcher.past(name, reply["seek"])
        assert past["at"] <= moment + 0.001 < reply["after"]


def test_playback_shows_every_frame_and_reaches_live(
    server: PortholeServer, connect: Connect
) -> None:
    """Played at eight times the speed, the past soon catches up with live, without a gap."""
    watcher = Watcher(connect(server))
    watcher.watch("video")
    header, _ = watcher.live("video")[-25]

    reply = watcher.seek("video", header["at"])
    slowly = watcher.viewer.call("play", {"camera": "video", "speed": 1})
    watcher.viewer.pump(lambda: len(watcher.past("video", reply["seek"])) > 5, 5)
    units = [one[0]["seq"] for one in watcher.frames if seek_of(one) == reply["seek"]]
    count = len(watcher.live("video"))
    watcher.viewer.call("play", {"camera": "video", "speed": 8})
    watcher.viewer.pump(lambda: len(watcher.live("video")) > count, 10)

    assert slowly["speed"] == 1
    assert units == list(range(units[0], units[-1] + 1)), "a chain without a gap"


def test_seek_with_b_frames_shows_the_right_picture(
    server: PortholeServer, connect: Connect
) -> None:
    """A decoder keeps a picture until it has received two more units.

    Without them nothing would be painted, and the first output would be another picture.
    """
    watcher = Watcher(connect(server))
    watcher.watch("reordered")
    units = [one for one in watcher.frames if "key" in one[0]]
    units = units[next(at for at, one in enumerate(units) if one[0]["key"]) :]
    wanted = len(units) - 8

    reply = watcher.seek("reordered", units[wanted][0]["at"])
    watcher.viewer.pump(lambda: "catch_up" in watcher.sent(reply["seek"])[-1][0], 5)

    sent = watcher.sent(reply["seek"])
    place = next(at for at, one in enumerate(sent) if "catch_up" not in one[0])
    assert sent[place][0]["seq"] == units[wanted][0]["seq"]
    assert decode(sent)[place] == decode(units, "all")[wanted]


def test_client_without_video_gets_the_past_as_jpeg(
    server: PortholeServer, connect: Connect
) -> None:
    """A seek sends the same picture as JPEG, made from the kept video."""
    watcher = Watcher(connect(server))
    watcher.viewer.call("watch", {"camera": "video"})
    watcher.viewer.pump(lambda: len(watcher.live("video")) >= 40, 30)
    shown = watcher.live("video")[-25:-20]
    header, _ = shown[2]

    reply = watcher.seek("video", header["at"])

    [(past, jpeg)] = watcher.past("video", reply["seek"])
    assert past["seq"] == header["seq"]
    assert "codec" not in past
    differences = [difference(jpeg, live) for _, live in shown]
    assert min(differences) == differences[2]


def test_stopped_camera_can_be_rewound(server: PortholeServer, connect: Connect) -> None:
    """The frames from before it was stopped are the ones people look for."""
    watcher = Watcher(connect(server))
    watcher.watch("slow")
    header, data = watcher.live("slow")[-12]

    watcher.viewer.call("stop", {"camera": "slow"})
    reply = watcher.seek("slow", header["at"])
    watcher.viewer.call("play", {"camera": "slow", "speed": 1})
    watcher.viewer.pump(lambda: len(watcher.past("slow", reply["seek"])) > 4, 10)
    count = len(watcher.live("slow"))
    watcher.viewer.call("start", {"camera": "slow"})
    watcher.seek("slow", None)
    watcher.viewer.pump(lambda: len(watcher.live("slow")) > count, 30)

    assert watcher.past("slow", reply["seek"])[0][1] == data


def test_unacknowledged_past_frames_are_limited(server: PortholeServer, connect: Connect) -> None:
    """Past frames need credit like any others."""
    viewer = connect(server)
    watcher = Watcher(viewer)
    watcher.watch("video")
    viewer.ack = "none"

    reply = viewer.call("seek", {"camera": "video", "at": watcher.live("video")[-25][0]["at"]})
    viewer.call("play", {"camera": "video", "speed": 1})
    with pytest.raises(TimeoutError):
        viewer.pump(lambda: len(watcher.past("video", reply["seek"])) > 2, 0.5)

    assert len(watcher.past("video", reply["seek"])) == 2
    viewer.emit("ack", "video", watcher.past("video", reply["seek"])[-1][0]["seq"])
    viewer.pump(lambda: len(watcher.past("video", reply["seek"])) == 4, 5)


def test_rewindable_span_is_reported(server: PortholeServer, connect: Connect) -> None:
    """A page can query how far back a viewer can go."""
    watcher = Watcher(connect(server))
    watcher.watch("video")

    with urlopen(f"{server.url}api/cameras/video/past", timeout=5) as answer:
        past = json.load(answer)

    header, _ = watcher.live("video")[0]
    assert past["from"] <= header["at"] < past["to"]
    assert past["marks"] == []
    assert state_of(watcher.viewer, "video")["rewind"] == 60


def test_seek_requires_a_watched_camera(server: PortholeServer, connect: Connect) -> None:
    """A seek moves a viewer; without one, it is an error."""
    viewer = connect(server)

    assert viewer.call("seek", {"camera": "video", "at": 1})["error"] == "bad_request"
    assert viewer.call("seek", {"camera": "attic", "at": 1})["error"] == "unknown_camera"
    assert viewer.call("play", {"camera": "video", "speed": 0.1})["error"] == "bad_request"
