"""Cameras on one node, viewers on another: real processes around a real Redis."""

import os
import re
import signal
import time
import urllib.request
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from server.capture.frames.jpeg import inspect_jpeg
from tests.support.clients.client import Crowd, MjpegViewer, Viewer
from tests.support.servers.cluster import (
    PASSWORD,
    RedisServer,
    cameras_of,
    expect_cameras,
    expect_state,
    figure,
)
from tests.support.servers.server import (
    FORK_SERVER,
    FRESH,
    PATIENCE_S,
    PortholeServer,
    each_time,
    expect_frames,
    last_event,
    wait_until,
)

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

FPS = 20
SMALL = f"test:?size=320x180&fps={FPS}"


def watch(viewer: Viewer, camera: str, frames: int = 5) -> None:
    """Watch a camera until some frames have come."""
    assert viewer.call("watch", {"camera": camera})["ok"]
    expect_frames(viewer, frames)


def test_two_web_nodes_show_two_camera_nodes(start_node: Start, connect: Connect) -> None:
    """Both web nodes show both cameras, each frame is encoded once overall, and order is kept."""
    start_node("camera", f"door={SMALL}", program=FRESH)
    start_node("camera", f"yard={SMALL}")
    webs = [start_node("web", program=FRESH), start_node("web")]
    for web in webs:
        expect_cameras(web, "door", "yard")
    viewers = [(connect(web), camera) for web in webs for camera in ("door", "yard")]
    for viewer, camera in viewers:
        watch(viewer, camera)
    crowd = Crowd()
    for viewer, _ in viewers:
        crowd.add(viewer)

    def common() -> set[int]:
        """Return the sequence numbers of the door's frames that both nodes received."""
        first, second = ({a.seq for a in viewers[i][0].arrivals} for i in (0, 2))
        return first & second

    crowd.run(20, until=lambda: len(common()) > 20)

    for viewer, camera in viewers:
        viewer.pump(lambda v=viewer, c=camera: (figure(v, c, "encoded") or 0) > 20, 10)
        assert figure(viewer, camera, "encoded") <= figure(viewer, camera, "captured")
        seqs = [arrival.seq for arrival in viewer.arrivals]
        assert all(earlier < later for earlier, later in pairwise(seqs))
    # A frame has the same number wherever it is seen.
    first, second = ({a.seq: a.at_unix for a in viewers[i][0].arrivals} for i in (0, 2))
    assert len(common()) > 20
    assert all(first[seq] == second[seq] for seq in common())


def test_web_node_subscribes_once_per_camera(
    start_node: Start, connect: Connect, bus: RedisServer
) -> None:
    """A web node subscribes to a channel once for all its viewers, and not at all without any."""
    start_node("camera", f"door={SMALL}")
    web = start_node("web")
    expect_cameras(web, "door")
    channel = "porthole:frame:door:full"

    with bus.client() as client:
        before = client.pubsub_numsub(channel)[0][1]
        viewers = [connect(web) for _ in range(3)]
        for viewer in viewers:
            watch(viewer, "door")
        during = client.pubsub_numsub(channel)[0][1]
        for viewer in viewers:
            viewer.call("unwatch", {"camera": "door"})
        wait_until(lambda: client.pubsub_numsub(channel)[0][1] == 0, 1)

    assert (before, during) == (0, 1)


def test_small_renditions_are_encoded_on_the_cameras_node(
    start_node: Start, connect: Connect, bus: RedisServer
) -> None:
    """A web node subscribes only to the size its viewers see, never to the full one instead."""
    start_node("camera", "door=test:?size=800x600&fps=20")
    web = start_node("web")
    expect_cameras(web, "door")
    viewer = connect(web)

    reply = viewer.call("watch", {"camera": "door", "rendition": "320"})
    expect_frames(viewer, 10)
    with bus.client() as client:
        heard = dict(client.pubsub_numsub("porthole:frame:door:full", "porthole:frame:door:320"))
    viewer.call("watch", {"camera": "door", "rendition": "auto", "width": 800})
    viewer.pump(lambda: inspect_jpeg(viewer.last_jpeg)[0].width == 800, 10)

    assert reply["ok"]
    assert heard == {b"porthole:frame:door:full": 0, b"porthole:frame:door:320": 1}
    assert viewer.call("watch", {"camera": "door"})["camera"]["renditions"] == [
        "full",
        "640",
        "320",
    ]
    seqs = [arrival.seq for arrival in viewer.arrivals]
    assert all(earlier < later for earlier, later in pairwise(seqs))


def test_frames_start_and_stop_with_remote_viewers(start_node: Start, connect: Connect) -> None:
    """Frames start soon after the first viewer arrives and stop within a second of the last."""
    owner = start_node("run", f"door={SMALL}")
    web = start_node("web")
    expect_cameras(web, "door")
    near, far = connect(owner), connect(web)
    watch(far, "door")  # From here on the source is open.
    far.call("unwatch", {"camera": "door"})
    expect_state(far, "door", "idle")

    def first_frame_s(viewer: Viewer) -> float:
        asked = time.monotonic()
        watch(viewer, "door", 1)
        took_s = time.monotonic() - asked
        viewer.call("unwatch", {"camera": "door"})
        return took_s

    def expect_no_delay() -> None:
        # A busy machine delays the camera's node as well.
        assert first_frame_s(far) < first_frame_s(near) + 0.3

    each_time(expect_no_delay)
    watch(far, "door")
    far.call("unwatch", {"camera": "door"})
    encoded = encoded_by(owner)
    assert encoded > 5
    wait_until(lambda: encodes_nothing(owner))

    # However slow the machine is, it makes no more than this in a second.
    assert encoded_by(owner) - encoded <= FPS


def encodes_nothing(node: PortholeServer) -> bool:
    """Return whether a node encodes no frame of the door for a second."""
    before = encoded_by(node)
    time.sleep(1)
    return encoded_by(node) == before


def encoded_by(node: PortholeServer) -> float:
    """Return how many frames of the door a node has encoded itself."""
    with urllib.request.urlopen(f"{node.url}metrics", timeout=5) as response:
        text = response.read().decode()
    found = re.search(r'^porthole_encoded_frames_total\{camera="door"\} (\S+)$', text, re.MULTILINE)
    assert found, text
    return float(found[1])


def test_commands_reach_the_cameras_node(start_node: Start, connect: Connect) -> None:
    """An operator's command takes effect on another node, is answered, and shows on every node."""
    start_node("camera", f"door={SMALL}")
    one, two = start_node("web"), start_node("web")
    expect_cameras(one, "door")
    expect_cameras(two, "door")
    operator, other = connect(one), connect(two)
    watch(operator, "door")

    fps = operator.call("fps", {"camera": "door", "fps": 5})
    quality = operator.call("quality", {"camera": "door", "quality": 33})
    zoomed = operator.call("control", {"camera": "door", "control": "zoom", "value": 200})
    beyond = operator.call("control", {"camera": "door", "control": "zoom", "value": 7})
    saved = operator.call("preset", {"camera": "door", "preset": "Near", "do": "save"})
    stopped = operator.call("stop", {"camera": "door"})

    assert (fps["ok"], fps["camera"]["fps"]) == (True, 5)
    assert quality["camera"]["quality"] == 33
    assert {c["name"]: c["value"] for c in zoomed["camera"]["controls"]}["zoom"] == 200
    assert beyond["message"] == "Zoom: 7.0; accepted: 100 to 400"
    assert (saved["camera"]["presets"], saved["camera"]["preset"]) == (["Near"], "Near")
    assert stopped["camera"]["state"] == "stopped"
    told = expect_state(other, "door", "stopped")
    assert (told["fps"], told["quality"]) == (5, 33)
    other.pump(lambda: any("stopped by" in str(data) for e, data in other.events), 5)
    assert operator.call("start", {"camera": "door"})["camera"]["state"] != "stopped"
    expect_frames(operator, 2)
    own = operator.call("fps", {"camera": "door", "fps": "source"})["camera"]
    assert (own["fps"], own["set"]) == (20, {"fps": None, "quality": 33})


def test_hanging_node_is_reported_as_unavailable(start_node: Start, connect: Connect) -> None:
    """A node that does not answer is reported as unavailable, in time."""
    camera = start_node("camera", f"door={SMALL}")
    web = start_node("web")
    expect_cameras(web, "door")
    viewer = connect(web)

    camera.send_signal(signal.SIGSTOP)
    asked = time.monotonic()
    reply = viewer.call("quality", {"camera": "door", "quality": 20}, timeout_s=6)
    took_s = time.monotonic() - asked
    camera.send_signal(signal.SIGCONT)

    assert (reply["ok"], reply["error"]) == (False, "unavailable")
    assert took_s < 4


def test_taken_camera_name_is_rejected(start_node: Start, bus: RedisServer, tmp_path: Path) -> None:
    """A node whose camera name is taken exits with code 2 and one line of error."""
    start_node("camera", f"door={SMALL}")

    command = ["camera", "--state", str(tmp_path / "x"), f"door={SMALL}"]
    second = FORK_SERVER.run(command, {"PORTHOLE_BUS": bus.url})

    assert second.returncode == 2
    assert second.stderr.count("\n") == 1
    assert "camera 'door' is shared by another node" in second.stderr
    assert PASSWORD not in second.stderr + second.stdout


@pytest.mark.parametrize(
    ("url", "code"),
    [("redis://user:hunter2@127.0.0.1:1", os.EX_TEMPFAIL), ("rediss://:hunter2@h:x/", 2)],
)
def test_start_fails_without_the_bus(url: str, code: int, tmp_path: Path) -> None:
    """Starting without the bus fails with one line that does not show the password.

    The exit code says whether a retry may help.
    """
    ended = FORK_SERVER.run(["web", "--port", "0", "--state", str(tmp_path), "--bus", url], {})

    assert ended.returncode == code
    assert ended.stderr.count("\n") == 1
    assert "hunter2" not in ended.stderr + ended.stdout


def test_killed_node_is_unavailable_until_restarted(start_node: Start, connect: Connect) -> None:
    """Within 3 s its camera is unavailable; after a restart it recovers and numbers keep rising."""
    camera = start_node("camera", f"door={SMALL}", state="camera")
    web = start_node("web")
    expect_cameras(web, "door")
    viewer = connect(web)
    watch(viewer, "door")

    camera.kill()
    killed = time.monotonic()
    lost = expect_state(viewer, "door", "retrying", 4)
    took_s = time.monotonic() - killed
    seq = viewer.arrivals[-1].seq
    start_node("camera", f"door={SMALL}", state="camera")
    expect_state(viewer, "door", "live", 10)
    expect_frames(viewer, 5)

    assert took_s < 3
    assert "unavailable" in lost["reason"]
    assert viewer.call("stop", {"camera": "door"})["ok"]
    seqs = [arrival.seq for arrival in viewer.arrivals]
    assert seqs[-1] > seq
    assert all(earlier < later for earlier, later in pairwise(seqs))


def test_node_that_lost_its_name_stops_sharing_the_camera(
    start_node: Start, connect: Connect, bus: RedisServer
) -> None:
    """A node whose name is taken says so and stops sharing the camera, until the name is free."""
    owner = start_node("run", f"door={SMALL}")
    web = start_node("web")
    expect_cameras(web, "door")
    local, remote = connect(owner), connect(web)
    watch(remote, "door")
    watch(local, "door")

    with bus.client() as client:
        client.set("porthole:claim:door", f"{'0' * 16} cellar", px=3500)
    local.pump(lambda: "cellar" in str(last_event(local, "notice")), 3)
    expect_state(remote, "door", "retrying")
    expect_frames(local, 10)
    expect_state(remote, "door", "live", 5)
    expect_frames(remote, 5)

    assert "is not shared: a node on cellar has its name" in "\n".join(owner.log)


def test_camera_moves_to_another_node(start_node: Start, connect: Connect) -> None:
    """A node that shuts down announces it, frees its name, and viewers move to the next one."""
    first = start_node("camera", f"door={SMALL}")
    web = start_node("web")
    expect_cameras(web, "door")
    viewer = connect(web)
    watch(viewer, "door")

    assert first.stop() == 0
    lost = expect_state(viewer, "door", "retrying", 1)
    begun = time.monotonic()
    start_node("camera", f"door={SMALL}")
    expect_state(viewer, "door", "live", 5)
    expect_frames(viewer, 5)

    assert "it was shut down" in lost["reason"]
    assert time.monotonic() - begun < 5
    seqs = [arrival.seq for arrival in viewer.arrivals]
    assert all(earlier < later for earlier, later in pairwise(seqs))


def test_viewer_resumes_on_another_web_node(start_node: Start, connect: Connect) -> None:
    """A viewer whose web node is killed sees newer frames on another one."""
    start_node("camera", f"door={SMALL}")
    one, two = start_node("web"), start_node("web")
    expect_cameras(one, "door")
    expect_cameras(two, "door")
    viewer = connect(one)
    watch(viewer, "door")

    one.kill()
    again = connect(two)
    watch(again, "door")

    assert again.arrivals[0].seq >= viewer.arrivals[-1].seq


def test_run_with_a_bus_shares_and_shows_cameras(start_node: Start, connect: Connect) -> None:
    """Two servers with `run --bus` show each other's cameras beside their own."""
    one = start_node("run", f"door={SMALL}")
    two = start_node("run", f"yard={SMALL}")
    expect_cameras(one, "door", "yard")
    expect_cameras(two, "door", "yard")
    here, there = connect(one), connect(two)

    watch(here, "door")
    watch(there, "door")

    def have_seen_the_same() -> bool:
        ours, theirs = ({arrival.seq for arrival in viewer.arrivals} for viewer in (here, there))
        return bool(ours & theirs)

    # Read both together: an unread viewer is sent nothing, so the two would share no frame.
    both = Crowd()
    both.add(here)
    both.add(there)
    both.run(PATIENCE_S, until=have_seen_the_same)
    assert have_seen_the_same()


def test_mjpeg_and_snapshots_work_across_nodes(start_node: Start) -> None:
    """MJPEG feeds and snapshots work for remote cameras as for local ones."""
    start_node("camera", f"door={SMALL}")
    web = start_node("web")
    expect_cameras(web, "door")

    with urllib.request.urlopen(f"{web.url}snapshot/door.jpg", timeout=5) as response:
        snapshot = response.read()
    viewer = MjpegViewer("127.0.0.1", web.port, path="/video_feed/door")
    viewer.connect()
    wait_until(lambda: viewer.read() or len(viewer.arrivals) >= 5, 10)
    viewer.close()

    assert snapshot.startswith(b"\xff\xd8")
    assert viewer.last_jpeg.startswith(b"\xff\xd8")


def test_new_cameras_appear_on_open_dashboards(start_node: Start, connect: Connect) -> None:
    """Open dashboards learn of a camera that appears."""
    web = start_node("web")
    viewer = connect(web)
    viewer.pump(lambda: last_event(viewer, "hello") is not None, 5)

    start_node("camera", f"door={SMALL}")
    state = expect_state(viewer, "door", "idle")

    assert last_event(viewer, "hello")["cameras"] == []
    assert state["title"] == "door"
    assert cameras_of(web).keys() == {"door"}


def test_redis_is_not_imported_without_a_bus(tmp_path: Path) -> None:
    """Without a bus its modules are not imported: the default starts as fast as before."""
    server = PortholeServer(
        *("--port", "0", "test:"),
        state=tmp_path,
        environment={"PYTHONPROFILEIMPORTTIME": "1"},
        program=FRESH,
    )

    assert server.stop() == 0
    imported = {line.rpartition("|")[2].strip() for line in server.log}
    assert "server.app" in imported
    assert not {"redis.client", "server.cluster", "server.cluster.node"} & imported


def test_unwatched_dead_camera_is_reported_on_every_node(start_node: Start) -> None:
    """The camera's own node checks it, and the result shows on every node."""
    start_node("camera", "yard=http://127.0.0.1:9/live", "--check-every", "1")
    web = start_node("web")
    expect_cameras(web, "yard")

    wait_until(lambda: cameras_of(web)["yard"]["state"] == "retrying")

    told = cameras_of(web)["yard"]
    assert "Connection refused" in told["reason"]
    assert told["viewers"] == 0
