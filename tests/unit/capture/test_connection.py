"""One connection at a time, and one process for all attempts, with real processes."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from server.capture.connection import SILENT_S, Connection
from server.capture.frames.frame import Jpeg, Picture
from server.capture.sources.reader import Demand
from server.config.address import parse_address
from server.errors import SourceError
from server.loop import hub
from tests.support.cameras.bad_camera import BadCamera

PASSED_THROUGH = Demand(due=lambda: 0.0, jpeg_up_to=lambda: 100)
WITH_PIXELS = PASSED_THROUGH._replace(pixels_from=lambda: 320)


@pytest.fixture
def connection() -> Iterator[Connection]:
    """Return an open connection to a network camera."""
    camera = BadCamera()
    connection = Connection(parse_address(camera.url(), Path()), "door", 5.0, None)
    connection.open(None)
    yield connection
    connection.close()
    connection.rest()
    camera.disappear()


@pytest.fixture
def native_calls(monkeypatch: pytest.MonkeyPatch) -> list[Callable[..., object]]:
    """Return a list that collects native calls from now on."""
    called = []
    run_native = hub.run_native

    def note(function: Callable[..., object], *args: object) -> Any:
        called.append(function)
        return run_native(function, *args)

    monkeypatch.setattr(hub, "run_native", note)
    return called


def take(connection: Connection, demand: Demand = PASSED_THROUGH) -> Picture:
    """Return the next picture."""
    while True:
        taken = connection.read(demand)
        if taken is not None and taken[0].picture is not None:
            return taken[0].picture


def children() -> set[int]:
    """Return the child processes that still run."""
    return {child.pid for child in psutil.Process().children()}


@pytest.mark.usefixtures("own_children")
def test_child_process_is_reused_after_a_failed_try() -> None:
    """Starting a process takes half a second of CPU; dead cameras are retried every second."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    address = parse_address(f"http://127.0.0.1:{port}/live", Path())
    connection = Connection(address, "door", 2.0, None)
    before = children()
    seen = []

    for _ in range(3):
        with pytest.raises(SourceError, match="cannot be reached"):
            connection.open(None)
        connection.close()
        seen.append(children() - before)
    connection.rest()

    assert len(seen[0]) == 1
    assert seen == [seen[0]] * 3
    assert children() <= before
    assert not connection.held


def test_passed_through_jpeg_is_read_on_the_hub(
    connection: Connection, native_calls: list[Callable[..., object]]
) -> None:
    """A native call for each picture was a quarter of one viewer's cost to the server."""
    take(connection)
    native_calls.clear()

    pictures = [take(connection) for _ in range(30)]

    assert all(isinstance(picture, Jpeg) for picture in pictures)
    # If the camera pauses for a moment, a native thread checks on it.
    assert len(native_calls) < 10


def test_pixels_are_read_on_a_native_thread(
    connection: Connection, native_calls: list[Callable[..., object]]
) -> None:
    """Pixels load libraries and map memory, which would block the hub."""
    take(connection)
    native_calls.clear()

    pictures = [take(connection, WITH_PIXELS) for _ in range(5)]
    called = len(native_calls)
    after = [take(connection) for _ in range(5)]

    assert [isinstance(one, Jpeg) and one.pixels is not None for one in pictures[1:]] == [True] * 4
    assert called >= 4
    assert isinstance(after[-1], Jpeg)
    assert after[-1].pixels is None


@pytest.mark.usefixtures("own_children")
def test_dead_process_is_reported_when_read_on_the_hub(connection: Connection) -> None:
    """The cause is determined on a native thread, and reported in the same words."""
    take(connection)
    take(connection)

    # Other children may run beside it, such as an earlier test's browser.
    newest = max(psutil.Process().children(), key=lambda child: child.create_time())
    newest.kill()

    with pytest.raises(SourceError, match="its process was killed by SIGKILL"):
        assert all(take(connection) for _ in range(1000))


@pytest.mark.usefixtures("own_children")
def test_silent_read_on_the_hub_can_be_ended(connection: Connection) -> None:
    """The camera ends silent reads: a timer for each read cost as much as the read."""
    take(connection)
    take(connection)
    newest = max(psutil.Process().children(), key=lambda child: child.create_time())
    newest.suspend()

    def read_until_silent() -> None:
        while (taken := connection.read(PASSED_THROUGH)) and taken[0].picture is not None:
            connection.end_silent_read()  # It has not waited for long.

    task = hub.spawn(read_until_silent)
    hub.sleep(SILENT_S + 0.05)
    waited = not task.done
    connection.end_silent_read()
    ended = task.join(2)
    newest.resume()

    assert waited
    assert ended


def test_hub_does_not_spin_while_nobody_reads(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unread messages keep the process's socket readable, which must not keep the hub busy."""
    calls = 0
    on_readable = connection._on_readable

    def note(fd: int) -> None:
        nonlocal calls
        calls += 1
        on_readable(fd)

    monkeypatch.setattr(connection, "_on_readable", note)
    take(connection)
    take(connection)
    calls = 0

    hub.sleep(0.6)  # Longer than between two of the process's beats.

    assert calls <= 2
