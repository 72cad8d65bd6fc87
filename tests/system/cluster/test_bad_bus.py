"""The bus hangs, flaps, lags or sends junk: real processes around a real Redis."""

import json
import os
import signal
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from server.cluster.bus.frame_message import HEADER, MAX_SEQ, pack_frame
from tests.support.clients.client import Viewer
from tests.support.servers.cluster import (
    SMALL,
    RedisServer,
    cameras_of,
    crowd_of,
    expect_cameras,
    figure,
    reading,
    watch_near_and_far,
)
from tests.support.servers.server import PATIENCE_S, PortholeServer, expect_frames

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

# Each test disturbs Redis, so it must not share one.
pytestmark = pytest.mark.usefixtures("own_redis")


def test_hanging_bus_does_not_delay_shutdown(start_node: Start, bus: RedisServer) -> None:
    """Nodes shut down cleanly and in time although the bus does not answer."""
    nodes = [start_node("run", f"door={SMALL}"), start_node("camera", f"yard={SMALL}")]
    nodes.append(start_node("web"))
    expect_cameras(nodes[2], "door", "yard")

    bus.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    codes = [node.stop() for node in nodes]

    assert codes == [0, 0, 0]
    assert time.monotonic() - begun < 3 * 4


def test_nodes_survive_a_flapping_bus(
    start_node: Start, connect: Connect, bus: RedisServer
) -> None:
    """Nodes survive a bus that comes and goes every half second, and recover when it stays."""
    _, _, local, remote = watch_near_and_far(start_node, connect)
    crowd = crowd_of(local, remote)
    crowd.run(10, until=lambda: min(len(local.arrivals), len(remote.arrivals)) > 5)
    begun = len(local.arrivals) - 1

    with reading(crowd):
        for _ in range(4):
            bus.kill()
            time.sleep(0.5)
            bus.start()
            time.sleep(0.5)
    ended, seen = len(local.arrivals), len(remote.arrivals)
    crowd.run(PATIENCE_S, until=lambda: len(remote.arrivals) > seen + 10)

    seqs = [arrival.seq for arrival in local.arrivals[begun:ended]]
    assert all(later == earlier + 1 for earlier, later in pairwise(seqs))
    assert len(remote.arrivals) > seen + 10


def test_lagging_node_skips_to_the_newest_frame(
    start_node: Start, connect: Connect, bus: RedisServer
) -> None:
    """A web node that was suspended for seconds shows the newest frames, not the backlog."""
    start_node("camera", "door=test:?size=640x360&fps=30")
    web = start_node("web")
    expect_cameras(web, "door")
    viewer = connect(web)
    assert viewer.call("watch", {"camera": "door"})["ok"]
    crowd = crowd_of(viewer)
    crowd.run(10, until=lambda: len(viewer.arrivals) > 20)

    web.send_signal(signal.SIGSTOP)
    time.sleep(3)
    web.send_signal(signal.SIGCONT)
    back_unix = time.time()
    crowd.run(5, until=lambda: viewer.arrivals[-1].at_unix > back_unix + 1)

    late = [a for a in viewer.arrivals if a.received_unix > back_unix + 0.5]
    assert len(late) > 5
    assert max(arrival.age_s for arrival in late) < 0.5
    old = [
        a for a in viewer.arrivals if a.received_unix > back_unix and a.at_unix < back_unix - 0.5
    ]
    assert len(old) < 10, "it went through the backlog"


def test_junk_on_the_bus_is_counted_and_ignored(
    start_node: Start, connect: Connect, bus: RedisServer
) -> None:
    """Junk on every channel is counted and ignored; cameras, frames and controls are unaffected."""
    camera = start_node("run", f"door={SMALL}")
    web = start_node("web")
    expect_cameras(web, "door")
    viewer = connect(web)
    assert viewer.call("watch", {"camera": "door"})["ok"]
    expect_frames(viewer, 5)
    node = os.urandom(8).hex()
    frame = "porthole:frame:door:full"
    words = [
        *(
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff" * 100,
            b"[" * 100_000,
            b"x" * 1_000_000,
            b'{"node":1}',
        ),
        b'{"node":"' + node.encode() + b'","host":"h","cameras":[{"name":"../../etc"}]}',
        b'{"node":"' + node.encode() + b'","host":"' + b"h" * 5000 + b'","cameras":[]}',
        b'{"camera":"nowhere"}',
    ]
    frames = [
        *(b"", b"PF", b"PF\x01" + bytes(20), os.urandom(1000), bytes(HEADER.size)),
        pack_frame(node, 999_999_999_999_999, time.time(), viewer.last_jpeg),  # Not the owner's.
        pack_frame(node, 5, float("nan"), viewer.last_jpeg),
        pack_frame(node, 5, time.time(), b"no jpeg"),
    ]

    with bus.client() as client:
        channels = [channel.decode() for channel in client.pubsub_channels("porthole:*")]
        for channel in channels:
            for word in words:
                client.publish(channel, word)
        for message in frames:
            assert client.publish(frame, message) == 1
        owners = client.get("porthole:claim:door").split()[0].decode()
        client.publish(frame, pack_frame(owners, 2**49, time.time(), b"\xff\xd8" + bytes(999)))
        client.publish(frame, pack_frame(owners, MAX_SEQ, time.time(), viewer.last_jpeg))
    seen = len(viewer.arrivals)
    viewer.pump(lambda: len(viewer.arrivals) >= seen + 10, 5)

    assert len(channels) >= 6
    assert set(cameras_of(web)) == set(cameras_of(camera)) == {"door"}
    assert viewer.call("quality", {"camera": "door", "quality": 40})["ok"]
    viewer.pump(lambda: (figure(viewer, "door", "drops") or {}).get("junk", 0) >= 9, 5)


def test_stranger_cannot_take_over_a_live_nodes_camera(
    start_node: Start, connect: Connect, bus: RedisServer
) -> None:
    """Presence messages from a stranger are ignored while the camera's own node is alive."""
    start_node("camera", f"door={SMALL}")
    web = start_node("web")
    expect_cameras(web, "door")
    viewer = connect(web)
    told = cameras_of(web)["door"] | {"title": "Mine", "passed_through": False}
    presence = {"node": "0" * 16, "host": "stranger", "leaving": True, "cameras": [told]}

    with bus.client() as client:
        client.publish("porthole:presence", json.dumps(presence))
        client.publish("porthole:presence", json.dumps(presence | {"leaving": False}))
        other = presence | {"leaving": False, "cameras": [told | {"name": "other"}]}
        client.publish("porthole:presence", json.dumps(other))

    expect_cameras(web, "door", "other")  # So the messages before it were read, too.
    assert viewer.call("clock", {"t": 1.0})["ok"]
    assert cameras_of(web)["door"]["title"] == "door"
    assert cameras_of(web)["door"]["state"] == "idle"
