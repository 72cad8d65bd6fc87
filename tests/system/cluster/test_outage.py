"""The bus is away for a while: real processes around a real Redis."""

import signal
import time
from collections.abc import Callable
from itertools import pairwise

import psutil
import pytest

from tests.support.clients.client import Viewer
from tests.support.servers.cluster import (
    RedisServer,
    cameras_of,
    crowd_of,
    reading,
    watch_near_and_far,
)
from tests.support.servers.server import PortholeServer, each_time

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

# Each test disturbs Redis, so it must not share one.
pytestmark = pytest.mark.usefixtures("own_redis")


def go_away(bus: RedisServer, how: str) -> None:
    if how == "killed":
        bus.kill()
    else:
        bus.send_signal(signal.SIGSTOP)


def come_back(bus: RedisServer, how: str) -> None:
    if how == "killed":
        bus.start()
    else:
        bus.send_signal(signal.SIGCONT)


def worst_lag_ms(*viewers: Viewer) -> float:
    """Return the longest hub lag that viewers were told so far, in ms."""
    told = [data for viewer in viewers for event, data in viewer.events if event == "stats"]
    return max((data["process"]["hub_lag_ms"] for data in told), default=0.0)


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_ten_second_bus_outage_costs_no_local_frames(
    start_node: Start, connect: Connect, bus: RedisServer, how: str
) -> None:
    """Local viewers lose no frame, remote ones resume within 2 s, nothing restarts or leaks."""
    camera, web, local, remote = watch_near_and_far(start_node, connect)
    crowd = crowd_of(local, remote)
    crowd.run(10, until=lambda: min(len(local.arrivals), len(remote.arrivals)) > 8)
    processes = [psutil.Process(node.process.pid) for node in (camera, web)]
    descriptors = [process.num_fds() for process in processes]

    lag_before = worst_lag_ms(local, remote)

    def go_and_come_back() -> None:
        for viewer in (local, remote):
            viewer.events.clear()
        with reading(crowd):
            go_away(bus, how)
            begun = len(local.arrivals) - 1
            time.sleep(5)
            # A process that has just begun to encode still grows, with or without the bus.
            memory = [process.memory_info().rss for process in processes]
            time.sleep(5)
            grown = [
                process.memory_info().rss - before
                for process, before in zip(processes, memory, strict=True)
            ]
            state = cameras_of(web)["door"]
            come_back(bus, how)
        back, back_unix = time.monotonic(), time.time()
        ended, seen = len(local.arrivals), len(remote.arrivals)
        crowd.run(6, until=lambda: remote.arrivals[-1].at_unix > back_unix)
        took_s = time.monotonic() - back
        crowd.run(1)

        seqs = [arrival.seq for arrival in local.arrivals[begun:ended]]
        assert len(seqs) > 60
        lost = [later - earlier - 1 for earlier, later in pairwise(seqs)]
        assert not any(lost), "a local frame was lost"
        assert worst_lag_ms(local, remote) < max(200, 2 * lag_before)
        assert state["state"] == "retrying"
        assert "bus" in state["reason"]
        assert took_s < 2
        assert len(remote.arrivals) > seen + 3
        assert max(grown) < 5_000_000
        for process, before in zip(processes, descriptors, strict=True):
            assert process.num_fds() <= before + 6
        remote_seqs = [arrival.seq for arrival in remote.arrivals]
        assert all(earlier < later for earlier, later in pairwise(remote_seqs))

    each_time(go_and_come_back, 2)
