"""Sources that come, go, loop and end, in a real server."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.cameras.clip import make_clip
from tests.support.clients.client import Crowd, Viewer
from tests.support.clients.states import state_of
from tests.support.servers.server import PortholeServer, last_event

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]


def wait_for_state(viewer: Viewer, camera: str, state: str) -> Any:
    viewer.pump(lambda: (state_of(viewer, camera) or {}).get("state") == state, 20)
    return state_of(viewer, camera)


def wait_for_size(viewer: Viewer, camera: str, width: int) -> Any:
    viewer.pump(lambda: state_of(viewer, camera)["width"] == width, 20)
    return state_of(viewer, camera)


def test_missing_file_goes_live_when_it_appears(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """A camera without a picture says why, retries, and goes live without help.

    A missing file is also reported at the start: its name may be mistyped.
    """
    clip = tmp_path / "later.mp4"
    server = start_server(f"later={clip}")
    viewer = connect(server)
    viewer.call("watch", {"camera": "later"})

    retrying = wait_for_state(viewer, "later", "retrying")
    make_clip(tmp_path / "made.mp4").rename(clip)
    live = wait_for_state(viewer, "later", "live")

    assert str(clip) in retrying["reason"]
    assert live["reason"] == ""
    assert (live["width"], live["height"], live["source_fps"]) == (320, 180, 12.5)
    assert any(
        line.startswith(f"porthole: camera later: there is no file {clip}; ") for line in server.log
    )


def test_file_loops_at_its_own_pace_without_a_gap(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """At 12.5 fps a frame comes every 80 ms, even where the loop closes."""
    server = start_server(f"clip={make_clip(tmp_path / 'clip.mp4', seconds=1.6)}")
    viewer = connect(server)
    viewer.call("watch", {"camera": "clip"})

    viewer.pump(lambda: len(viewer.arrivals) >= 60, 30)

    times = [arrival.at_unix for arrival in viewer.arrivals]
    # More than one loop, so that each run contains the seam; a busy machine spoils some.
    best_s = min(later - earlier for earlier, later in zip(times, times[25:], strict=False))
    assert best_s / 25 == pytest.approx(0.08, rel=0.05)
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    assert gaps[len(gaps) // 2] == pytest.approx(0.08, abs=0.02)


def test_unlooped_file_ends_and_can_be_restarted(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """`?loop=0` plays once; `start` plays it once more, and numbers keep rising."""
    clip = make_clip(tmp_path / "clip.mp4", seconds=2, rate=6)
    server = start_server(f"clip=file:{clip}?loop=0")
    viewer = connect(server)
    viewer.call("watch", {"camera": "clip"})

    ended = wait_for_state(viewer, "clip", "ended")
    first_round = [arrival.seq for arrival in viewer.arrivals]
    viewer.events.clear()
    viewer.call("start", {"camera": "clip"})
    wait_for_state(viewer, "clip", "live")
    wait_for_state(viewer, "clip", "ended")
    second_round = [arrival.seq for arrival in viewer.arrivals[len(first_round) :]]

    assert "played to its end" in ended["reason"]
    assert len(first_round) >= 10
    assert min(second_round) > max(first_round)


def test_image_file_is_live_and_resent_on_change(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """A picture file stays live, and is sent again when it or its rotation changes.

    It used to be shown as stalled after two seconds, and rotations were not sent.
    """
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.full((48, 64, 3), 40, np.uint8))
    server = start_server(f"photo={path}")
    viewer = connect(server)
    viewer.call("watch", {"camera": "photo"})
    wait_for_state(viewer, "photo", "live")
    until = time.monotonic() + 3.5

    viewer.pump(lambda: time.monotonic() > until, 10)
    sent, state = len(viewer.arrivals), state_of(viewer, "photo")
    viewer.call("control", {"camera": "photo", "control": "rotate", "value": "90"})
    viewer.pump(lambda: len(viewer.arrivals) > sent, 10)
    turned = wait_for_size(viewer, "photo", 48)
    cv2.imwrite(str(path), np.full((200, 100, 3), 200, np.uint8))
    wait_for_size(viewer, "photo", 200)

    assert (state["state"], state["source_fps"], sent) == ("live", None, 1)
    assert turned["source"]["width"] == 64


def test_lost_stream_recovers_and_numbers_keep_rising(
    start_server: Start, connect: Connect
) -> None:
    """An HTTP camera that dies is shown as lost, and recovers when it returns."""
    origin = start_server("test:?size=320x180")
    port = str(origin.port)
    server = start_server(f"remote=http://127.0.0.1:{port}/video_feed", "--read-timeout", "2")
    viewer = connect(server)
    viewer.call("watch", {"camera": "remote"})
    wait_for_state(viewer, "remote", "live")

    origin.kill()
    retrying = wait_for_state(viewer, "remote", "retrying")
    before = viewer.arrivals[-1].seq
    viewer.events.clear()
    start_server("test:?size=320x180", "--port", port)
    wait_for_state(viewer, "remote", "live")
    count = len(viewer.arrivals)
    viewer.pump(lambda: len(viewer.arrivals) > count, 10)

    assert retrying["reason"]
    seqs = [arrival.seq for arrival in viewer.arrivals]
    assert seqs == sorted(set(seqs))
    assert seqs[-1] > before
    messages = [data["message"] for name, data in viewer.events if name == "notice"]
    assert any("is back" in message for message in messages)


def test_lost_cameras_do_not_disturb_others(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """Beside a missing file and a rejected stream, the test pattern keeps its pace."""
    server = start_server(
        "test:?size=320x180", f"gone={tmp_path / 'gone.mp4'}", "dead=http://127.0.0.1:9/feed"
    )
    viewer = connect(server)
    for camera in ("test", "gone", "dead"):
        viewer.call("watch", {"camera": camera})

    viewer.pump(lambda: len(viewer.arrivals) >= 90, 20)

    seqs = [arrival.seq for arrival in viewer.arrivals]
    assert len(seqs) > 0.8 * (seqs[-1] - seqs[0])
    assert wait_for_state(viewer, "gone", "retrying")["reason"]
    assert "Connection refused" in wait_for_state(viewer, "dead", "retrying")["reason"]


def test_source_password_is_never_shown(start_server: Start, connect: Connect) -> None:
    """Neither states, notices, stats nor the log contain the password of a source's URL."""
    server = start_server(
        "one=http://admin:hunter2@127.0.0.1:9/feed", "two=http://127.0.0.1:9/feed?pw=hunter2"
    )
    viewer = connect(server)
    for camera in ("one", "two"):
        viewer.call("watch", {"camera": camera})
        wait_for_state(viewer, camera, "retrying")
    viewer.pump(lambda: bool(last_event(viewer, "stats")), 5)

    assert "hunter2" not in str(viewer.events)
    assert "hunter2" not in "\n".join(server.log)


def test_several_cameras_run_side_by_side(start_server: Start, connect: Connect) -> None:
    """Four cameras on one connection each keep their own numbers and pace."""
    names = ["one", "two", "three", "four"]
    server = start_server(*(f"{name}=test:?size=320x180&fps=10" for name in names))
    viewer = connect(server)
    seen: dict[str, list[int]] = {name: [] for name in names}
    viewer.on_frame = lambda header, _jpeg: seen[header["camera"]].append(header["seq"])
    for name in names:
        viewer.call("watch", {"camera": name})

    crowd = Crowd()
    crowd.add(viewer)
    crowd.run(20, until=lambda: all(len(seqs) >= 20 for seqs in seen.values()))

    for seqs in seen.values():
        assert len(seqs) >= 20
        assert seqs == sorted(set(seqs))


def test_silent_source_is_reported_as_stalled(start_server: Start, connect: Connect) -> None:
    """A connected stream that stops sending is shown as stalled, and as live when it resumes."""
    origin = start_server("test:?size=320x180")
    server = start_server(
        f"remote=http://127.0.0.1:{origin.port}/video_feed",
        *("--stall-after", "1", "--read-timeout", "3"),
    )
    viewer = connect(server)
    viewer.call("watch", {"camera": "remote"})
    wait_for_state(viewer, "remote", "live")
    helper = connect(origin)

    # From now on the origin keeps the connection and sends a picture every ten seconds.
    helper.call("fps", {"camera": "test", "fps": 0.1})
    stalled = wait_for_state(viewer, "remote", "stalled")
    helper.call("fps", {"camera": "test", "fps": 30})
    wait_for_state(viewer, "remote", "live")

    assert "no picture for more than 1 s" in stalled["reason"]


def test_restarted_camera_sends_no_old_pictures(start_server: Start, connect: Connect) -> None:
    """After stop and start no viewer receives a picture from before."""
    server = start_server("test:?size=320x180")
    viewer = connect(server)
    viewer.call("watch", {"camera": "test"})
    viewer.pump(lambda: len(viewer.arrivals) >= 5, 10)
    viewer.call("stop", {"camera": "test"})
    count = len(viewer.arrivals)
    stopped_unix = time.time()
    late = connect(server)
    late.call("watch", {"camera": "test"})

    viewer.call("start", {"camera": "test"})
    late.pump(lambda: bool(late.arrivals), 10)
    viewer.pump(lambda: len(viewer.arrivals) > count, 10)

    assert late.arrivals[0].at_unix > stopped_unix
    assert viewer.arrivals[count].at_unix > stopped_unix
