"""Frames from a real server to real connections: once, in order, and only with credit."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import socketio

from server.capture.sources.testpattern import read_time
from tests.support.clients.client import Crowd, MjpegViewer, Viewer
from tests.support.servers.server import (
    PATIENCE_S,
    PortholeServer,
    expect_frames,
    last_event,
)

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]


def crowd_of(*viewers: Viewer | MjpegViewer) -> Crowd:
    crowd = Crowd()
    for viewer in viewers:
        crowd.add(viewer)
    return crowd


def stats_of(viewer: Viewer, camera: str) -> dict[str, object]:
    viewer.events.clear()
    viewer.pump(lambda: bool(last_event(viewer, "stats")), 5)
    stats: dict[str, object] = last_event(viewer, "stats")["cameras"][camera]
    return stats


def test_ten_viewers_get_every_frame_once_and_in_order(
    start_server: Start, connect: Connect
) -> None:
    """Ten viewers see the same rising numbers, and each frame was encoded once for all."""
    server = start_server("test:?size=640x360")
    viewers = [connect(server) for _ in range(10)]
    for viewer in viewers:
        assert viewer.call("watch", {"camera": "test"})["ok"]

    crowd_of(*viewers).run(20, until=lambda: all(len(v.arrivals) >= 90 for v in viewers))

    for viewer in viewers:
        seqs = [arrival.seq for arrival in viewer.arrivals]
        assert len(seqs) >= 90
        assert seqs == sorted(set(seqs))
    stats = stats_of(viewers[0], "test")
    assert stats["encoded"] <= stats["captured"]
    assert stats["sent"] > 9 * stats["encoded"] * 0.8


def test_pictures_are_fresh_and_complete(start_server: Start, connect: Connect) -> None:
    """The burned-in time, the header's time and the clock agree."""
    server = start_server("test:")
    viewer = connect(server)
    viewer.call("watch", {"camera": "test"})

    viewer.pump(lambda: len(viewer.arrivals) >= 10, 10)

    image = cv2.imdecode(np.frombuffer(viewer.last_jpeg, np.uint8), cv2.IMREAD_COLOR)
    newest = viewer.arrivals[-1]
    assert image.shape == (720, 1280, 3)
    assert read_time(image) == pytest.approx(newest.at_unix, abs=0.02)
    assert 0 <= newest.age_s < 1


def test_first_frame_arrives_immediately(start_server: Start, connect: Connect) -> None:
    """An idle camera sends its first picture soon after a viewer arrives."""
    server = start_server("test:?fps=0.5")
    viewer = connect(server)

    asked = time.monotonic()
    viewer.call("watch", {"camera": "test"})
    viewer.pump(lambda: bool(viewer.arrivals), 5)

    # Waiting for the next regular frame could take two seconds.
    assert time.monotonic() - asked < 1.5


def test_unwatched_camera_does_no_work(start_server: Start, connect: Connect) -> None:
    """After the last viewer has left, nothing is captured or encoded."""
    server = start_server("test:", "--release-after", "0.2")
    viewer = connect(server)
    viewer.call("watch", {"camera": "test"})
    viewer.pump(lambda: len(viewer.arrivals) >= 3, 5)

    reply = viewer.call("unwatch", {"camera": "test"})
    first, second = stats_of(viewer, "test"), stats_of(viewer, "test")

    assert first["captured"] == second["captured"]
    assert first["encoded"] == second["encoded"]
    assert second["encoded_fps"] == 0
    assert reply["camera"]["state"] == "idle"


def test_unacknowledged_frames_are_limited_to_the_window(
    start_server: Start, connect: Connect
) -> None:
    """A viewer that acknowledges nothing gets two frames and no more; each ack allows one more."""
    server = start_server("test:?size=320x180")
    mute, fast = connect(server, ack="none"), connect(server)
    for viewer in (mute, fast):
        viewer.call("watch", {"camera": "test"})
    crowd = crowd_of(mute, fast)

    crowd.run(20, until=lambda: len(fast.arrivals) >= 90)
    seen = [arrival.seq for arrival in mute.arrivals]
    mute.emit("ack", "test", seen[0])
    crowd.run(5, until=lambda: len(mute.arrivals) > 2)
    crowd.run(20, until=lambda: len(fast.arrivals) >= 150)

    assert len(seen) == 2
    assert len(mute.arrivals) == 3
    assert mute.arrivals[-1].seq > seen[-1] + 30, "late credit must bring the newest frame"


def test_slow_viewer_stays_fresh_without_harming_others(
    start_server: Start, connect: Connect
) -> None:
    """At 50 kB/s frames come rarely but never old, and the neighbours lose nothing."""
    # Fast enough for the slow one, and no more than a busy machine can do.
    server = start_server("test:?size=640x360&fps=15")
    slow = connect(server, bytes_per_s=50_000, receive_buffer=32 * 1024)
    neighbours = [connect(server) for _ in range(3)]
    for viewer in (slow, *neighbours):
        viewer.ask("watch", {"camera": "test"})

    crowd_of(slow, *neighbours).run(20, until=lambda: len(neighbours[0].arrivals) >= 180)

    shown = slow.arrivals
    replaced = [later.received_unix for later in shown[1:]]
    oldest_s = max(gone - frame.at_unix for frame, gone in zip(shown, replaced, strict=False))
    assert oldest_s < 3
    for neighbour in neighbours:
        seqs = [arrival.seq for arrival in neighbour.arrivals]
        assert len(seqs) > 0.8 * (seqs[-1] - seqs[0])


def test_standard_client_works(start_server: Start) -> None:
    """The unmodified python-socketio client watches, acknowledges and sends requests."""
    server = start_server("test:?size=320x180")
    frames: list[tuple[dict[str, object], bytes]] = []
    hello: list[dict[str, object]] = []

    async def watch() -> tuple[dict[str, Any], dict[str, Any]]:
        client = socketio.AsyncClient()
        seen = asyncio.Event()

        async def on_frame(header: dict[str, object], jpeg: bytes) -> None:
            frames.append((header, jpeg))
            await client.emit("ack", (header["camera"], header["seq"]))
            if len(frames) == 30:
                seen.set()

        client.on("hello", hello.append)
        client.on("frame", on_frame)
        await client.connect(server.url, transports=["websocket"])
        try:
            reply = await client.call("watch", {"camera": "test", "width": 640})
            await asyncio.wait_for(seen.wait(), PATIENCE_S)
            return reply, await client.call("clock", {"t": 12.5})
        finally:
            await client.disconnect()

    reply, clock = asyncio.run(watch())

    header, jpeg = frames[0]
    assert reply["ok"]
    assert reply["camera"]["name"] == "test"
    assert hello[0]["version"] == 1
    assert set(header) == {"camera", "seq", "at", "width", "height", "rendition"}
    assert jpeg[:2] == b"\xff\xd8"
    assert clock["t"] == 12.5
    assert clock["server"] == pytest.approx(time.time(), abs=5)


def test_mjpeg_and_socket_viewers_share_the_encoding(start_server: Start, connect: Connect) -> None:
    """A viewer of /video_feed counts like any other, and costs no second encode."""
    server = start_server("test:?size=640x360")
    feed = MjpegViewer("127.0.0.1", server.port)
    feed.connect()
    viewer = connect(server)
    viewer.call("watch", {"camera": "test"})
    crowd = crowd_of(feed, viewer)

    crowd.run(20, until=lambda: len(feed.arrivals) >= 60 and len(viewer.arrivals) >= 60)
    stats = stats_of(viewer, "test")
    crowd.close()

    assert len(feed.arrivals) >= 60
    assert stats["viewers"] == 2
    assert stats["encoded"] <= stats["captured"]
    assert cv2.imdecode(np.frombuffer(feed.last_jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (
        360,
        640,
        3,
    )


def test_watching_again_repeats_no_frame(start_server: Start, connect: Connect) -> None:
    """Leaving and coming back, over and over, never shows a frame a second time."""
    server = start_server("test:?size=320x180")
    viewer, other = connect(server), connect(server)
    other.call("watch", {"camera": "test"})

    for _ in range(20):
        viewer.call("watch", {"camera": "test"})
        expect_frames(viewer, 1)
        viewer.call("unwatch", {"camera": "test"})

    seqs = [arrival.seq for arrival in viewer.arrivals]
    assert seqs == sorted(set(seqs))
