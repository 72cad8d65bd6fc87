"""Renditions from a real server: each encoded once, and chosen by what the link carries."""

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from server.capture.frames.jpeg import inspect_jpeg
from tests.support.cameras.bad_camera import BadCamera
from tests.support.clients.client import Crowd, Viewer
from tests.support.servers.server import PortholeServer, expect_frames, last_event

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

LARGE = "door=test:?size=1280x720&fps=15"


@pytest.fixture
def camera() -> Iterator[BadCamera]:
    """A network camera that sends JPEG, 1280 pixels wide."""
    camera = BadCamera(fps=15, size=(1280, 720))
    yield camera
    camera.close()


def watch(viewer: Viewer, rendition: str, **more: object) -> Any:
    """Watch the door in a rendition; return the reply."""
    reply = viewer.call("watch", {"camera": "door", "rendition": rendition, **more})
    assert reply["ok"], reply
    return reply


def figure(viewer: Viewer, name: str) -> int:
    """Return a figure of the newest stats; 0 before the first."""
    stats = last_event(viewer, "stats")
    return int(stats["cameras"]["door"][name]) if stats else 0


def width_of(viewer: Viewer) -> int:
    """Return the width in pixels of the newest picture."""
    return inspect_jpeg(viewer.last_jpeg)[0].width


def test_each_rendition_is_encoded_once_for_all_viewers(
    start_server: Start, connect: Connect
) -> None:
    """However many watch, a frame is encoded once for each rendition, and the stats agree."""
    server = start_server(LARGE)
    crowd = Crowd()
    for rendition in ("full", "640", "320") * 10:
        viewer = connect(server)
        watch(viewer, rendition)
        crowd.add(viewer)
    crowd.run(10, lambda: figure(viewer, "sent") > 300)

    stats = last_event(viewer, "stats")["cameras"]["door"]
    crowd.run(10, lambda: figure(viewer, "captured") > stats["captured"] + 20)
    after = last_event(viewer, "stats")["cameras"]["door"]

    captured, encoded = (after[key] - stats[key] for key in ("captured", "encoded"))
    # At most three for each frame, one more in progress, and fewer where no viewer had credit.
    assert 2 * captured < encoded <= 3 * captured + 6
    assert {name: each["viewers"] for name, each in after["renditions"].items()} == {
        "full": 10,
        "640": 10,
        "320": 10,
    }
    assert after["renditions"]["320"]["kbps"] < after["renditions"]["full"]["kbps"] / 4


def test_state_offers_only_smaller_renditions(start_server: Start, connect: Connect) -> None:
    """STATE lists the renditions; once the size is known, only smaller ones."""
    server = start_server("door=test:?size=800x600")
    viewer = connect(server)
    watch(viewer, "960")
    expect_frames(viewer, 2)

    state = viewer.call("watch", {"camera": "door"})["camera"]
    refused = viewer.call("watch", {"camera": "door", "rendition": "huge"})

    assert state["renditions"] == ["full", "640", "320"]
    assert refused["error"] == "bad_request"
    assert "'huge'" in refused["message"]
    assert "accepted: auto, full, 960, 640, 320" in refused["message"]


def test_passed_through_jpeg_has_small_renditions_too(
    start_server: Start, connect: Connect, camera: BadCamera
) -> None:
    """The full size passes through, beside a small one encoded from the decoded frame."""
    server = start_server(f"door={camera.url()}")
    full, small = connect(server), connect(server)
    watch(full, "full")
    watch(small, "320")
    crowd = Crowd()
    crowd.add(full)
    crowd.add(small)
    crowd.run(10, lambda: figure(full, "encoded") > 5 and bool(small.last_jpeg))

    stats = last_event(full, "stats")["cameras"]["door"]
    assert (width_of(full), width_of(small)) == (1280, 320)
    assert stats["passed"] > 5


def test_auto_rendition_fits_the_tile(start_server: Start, connect: Connect) -> None:
    """A tile of 500 pixels gets 640, and the full size when it grows; no frame comes twice."""
    server = start_server(LARGE)
    viewer = connect(server)

    watch(viewer, "auto", width=500)
    viewer.pump(lambda: bool(viewer.arrivals) and width_of(viewer) == 640, 10)
    expect_frames(viewer, 5)
    reply = watch(viewer, "auto", width=1280)
    viewer.pump(lambda: width_of(viewer) == 1280, 10)

    assert reply["reason"] == "tile"
    seqs = [arrival.seq for arrival in viewer.arrivals]
    assert all(earlier < later for earlier, later in pairwise(seqs))


def test_auto_rendition_follows_the_bandwidth(start_server: Start, connect: Connect) -> None:
    """At 62 kB/s frames are small, fresh and several a second; ten seconds later, full size."""
    server = start_server("door=test:?size=1280x720&fps=30")
    viewer = connect(server)
    viewer.bytes_per_s = 62_500
    watch(viewer, "auto", width=1280)

    crowd = Crowd()
    crowd.add(viewer)
    crowd.run(4)
    begin = len(viewer.arrivals)
    crowd.run(5)
    slow = viewer.arrivals[begin:]
    narrow = width_of(viewer)
    viewer.bytes_per_s = None
    viewer.pump(lambda: width_of(viewer) == 1280, 10)

    ages = sorted(arrival.received_unix - arrival.at_unix for arrival in slow)
    assert narrow == 320
    assert len(slow) / 5 >= 5
    assert ages[int(0.95 * len(ages))] < 1
    assert last_event(viewer, "rendition") == {
        "camera": "door",
        "rendition": "full",
        "reason": "tile",
    }


def test_mjpeg_and_snapshots_accept_a_rendition(start_server: Start) -> None:
    """A feed and a snapshot use the rendition in their URL; an unknown one is an error."""

    server = start_server(LARGE)

    with urllib.request.urlopen(server.url + "snapshot/door.jpg?rendition=320", timeout=10) as file:
        shown, _ = inspect_jpeg(file.read())
    with (
        pytest.raises(urllib.error.HTTPError) as refused,
        urllib.request.urlopen(server.url + "video_feed/door?rendition=huge", timeout=10),
    ):
        pass
    refused.value.close()

    assert shown.width == 320
    assert refused.value.code == 404
