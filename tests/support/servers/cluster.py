"""A real Redis, real nodes around it, and helpers that read their states."""

import json
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.clients.client import Crowd, Viewer
from tests.support.servers.server import PATIENCE_S, PortholeServer, last_event, wait_until

PASSWORD = "sesame-9c1"

# Slow enough that a viewer loses no frame just because the machine is busy.
SMALL = "test:?size=320x180&fps=8"

Clients = Callable[..., Viewer]


class RedisServer:
    """Debian's redis-server on its own port, keeping nothing on disk."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self._folder = folder
        self.start()

    def start(self) -> None:
        """Start it, empty."""
        self.process = subprocess.Popen(
            [
                *("redis-server", "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--save", "", "--appendonly", "no", "--requirepass", PASSWORD),
                *("--dir", str(self._folder), "--daemonize", "no"),
            ],
            stdout=subprocess.DEVNULL,
        )
        with self.client() as client:
            wait_until(lambda: self._answers(client))

    def client(self) -> Any:
        """Return a client without a timeout."""
        return redis.Redis.from_url(self.url)

    def send_signal(self, number: int) -> None:
        """Send the process a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """Stop it at the end of a test, whatever state it is in."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()

    @staticmethod
    def _answers(client: Any) -> bool:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Start one Redis for all tests that leave it running."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Start a Redis that the test may kill, suspend or add users to; ``bus`` is then this one."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def bus(request: pytest.FixtureRequest) -> RedisServer:
    """An empty Redis."""
    if "own_redis" in request.fixturenames:
        own: RedisServer = request.getfixturevalue("own_redis")
        return own
    shared: RedisServer = request.getfixturevalue("shared_redis")
    with shared.client() as client:
        client.flushall()
    return shared


@contextmanager
def nodes_on(bus: RedisServer, folder: Path) -> Iterator[Callable[..., PortholeServer]]:
    """Start nodes on the bus, each with its own state folder unless one is named.

    Every node still running must exit with code 0, and must have logged neither an unexpected error
    nor the password.
    """
    nodes: list[PortholeServer] = []

    def start(
        command: str, *arguments: str, state: str = "", program: Sequence[str] = ()
    ) -> PortholeServer:
        port = () if command == "camera" else ("--port", "0")
        node = PortholeServer(
            *port,
            *arguments,
            command=command,
            state=folder / (state or f"node-{len(nodes)}"),
            environment={"PORTHOLE_BUS": bus.url},
            program=program,
        )
        nodes.append(node)
        return node

    yield start

    ended = [node.stop() for node in nodes if node.process.poll() is None]
    logs = ["\n".join(node.log) for node in nodes]
    assert set(ended) <= {0}
    assert not [log for log in logs if "Traceback" in log], "\n\n".join(logs)
    assert not [log for log in logs if PASSWORD in log]


@pytest.fixture
def start_node(bus: RedisServer, tmp_path: Path) -> Iterator[Callable[..., PortholeServer]]:
    """Start nodes on the bus; see :func:`nodes_on`."""
    with nodes_on(bus, tmp_path) as start:
        yield start


def cameras_of(node: PortholeServer) -> dict[str, Any]:
    """Return every STATE that a node serves, by camera."""
    with urllib.request.urlopen(f"{node.url}api/cameras", timeout=5) as response:
        return {state["name"]: state for state in json.load(response)}


def figure(viewer: Viewer, camera: str, name: str) -> Any:
    """Return one figure of a camera from the newest ``stats`` a viewer received."""
    stats = last_event(viewer, "stats")
    return stats["cameras"].get(camera, {}).get(name) if stats else None


def expect_cameras(node: PortholeServer, *names: str) -> None:
    """Wait until a node shows exactly these cameras."""
    wait_until(lambda: set(cameras_of(node)) == set(names))


def expect_state(viewer: Viewer, camera: str, state: str, timeout_s: float = PATIENCE_S) -> Any:
    """Read until a viewer receives a state of a camera; return its STATE."""

    def newest() -> Any:
        told = [data for event, data in viewer.events if event == "camera"]
        return next((data for data in reversed(told) if data["name"] == camera), None)

    viewer.pump(lambda: (newest() or {}).get("state") == state, timeout_s)
    return newest()


def crowd_of(*viewers: Viewer) -> Crowd:
    """Return viewers that are all read at the same time."""
    crowd = Crowd()
    for viewer in viewers:
        crowd.add(viewer)
    return crowd


@contextmanager
def reading(crowd: Crowd) -> Iterator[None]:
    """Read viewers meanwhile, on a separate thread."""
    done = threading.Event()
    thread = threading.Thread(target=lambda: crowd.run(60, until=done.is_set))
    thread.start()
    yield
    done.set()
    thread.join()


def watch_near_and_far(
    start_node: Callable[..., PortholeServer], connect: Clients
) -> tuple[PortholeServer, PortholeServer, Viewer, Viewer]:
    """Share a camera and watch it on its own node and on another; return nodes and viewers."""
    camera = start_node("run", f"door={SMALL}")
    web = start_node("web")
    expect_cameras(web, "door")
    local, remote = connect(camera), connect(web)
    for viewer in (local, remote):
        assert viewer.call("watch", {"camera": "door"})["ok"]
    return camera, web, local, remote
