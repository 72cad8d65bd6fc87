"""Cameras whose pictures are broken, frozen or change size, seen from the dashboard."""

from collections.abc import Callable

from tests.support.cameras.bad_camera import MakeCamera
from tests.support.clients.board import Board
from tests.support.clients.client import Viewer
from tests.support.clients.fetch import get
from tests.support.servers.processes import children_of
from tests.support.servers.server import PortholeServer
from tests.system.faults.conftest import OPTIONS

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]


def test_broken_pictures_are_counted_and_skipped(
    start_server: Start, connect: Connect, make_camera: MakeCamera
) -> None:
    """Truncated, empty, garbage and huge parts are dropped; memory and other frames are unaffected.

    A camera that sends nothing else is stalled, and live with its first good picture.
    """
    faults = ("truncated", "empty", "garbage", "huge")
    cameras = {fault: make_camera() for fault in faults}
    server = start_server(*(f"{name}={one.url()}" for name, one in cameras.items()), *OPTIONS)
    board = Board(connect(server), *faults)
    board.until_live(*faults)

    for fault, camera in cameras.items():
        camera.fault = fault
    for fault in faults:
        board.until_state(fault, "stalled", "retrying")
    board.until(lambda: board.stats()["cameras"]["huge"]["drops"].get("broken", 0) >= 3, 30)
    stats = board.stats()["cameras"]
    sizes = [child.memory_info().rss for child in children_of(server)]
    for camera in cameras.values():
        camera.fault = "none"
    board.until_live(*faults)

    # FFmpeg skips an empty part itself, and may end a stream of garbage.
    assert all(stats[name]["drops"].get("broken", 0) for name in ("truncated", "huge"))
    assert all(size < 300e6 for size in sizes)


def test_camera_without_a_valid_picture_becomes_stalled(
    start_server: Start, connect: Connect, make_camera: MakeCamera
) -> None:
    """A camera that opens but never sends a valid picture is stalled, and not ready."""
    camera = make_camera()
    server = start_server(f"door={camera.url()}", *OPTIONS)
    camera.fault = "truncated"
    board = Board(connect(server), "door")

    shown = board.until_state("door", "stalled", "retrying")
    ready = get(server, "readyz")
    camera.fault = "none"
    board.until_live("door")

    assert "incomplete" in shown["reason"]
    assert "door" in ready


def test_frozen_picture_is_reported_as_stalled(
    start_server: Start, connect: Connect, make_camera: MakeCamera
) -> None:
    """A camera that repeats the very same picture is stalled; a new picture makes it live again."""
    frozen, living = make_camera(), make_camera()
    server = start_server(f"frozen={frozen.url()}", f"living={living.url()}", *OPTIONS)
    board = Board(connect(server), "frozen", "living")
    board.until_live("frozen", "living")

    frozen.fault = "frozen"
    stalled = board.until_state("frozen", "stalled", "retrying")
    ready = get(server, "readyz")
    state_meanwhile = board.state("living")["state"]
    frozen.fault = "none"
    board.until_live("frozen")

    assert "has not changed for more than 2 s" in stalled["reason"]
    assert "frozen: " in ready
    assert state_meanwhile == "live"


def test_size_change_is_reported_in_the_state(
    start_server: Start, connect: Connect, make_camera: MakeCamera
) -> None:
    """When the size changes in mid-stream, STATE says so, and no frame is lost."""
    camera = make_camera()
    server = start_server(f"door={camera.url()}", *OPTIONS)
    board = Board(connect(server), "door")
    board.until_live("door")

    for size in ((640, 480), (160, 120), (320, 180)):
        camera.size = size
        board.until(
            lambda size=size: (board.state("door")["width"], board.state("door")["height"]) == size
        )
        board.until_live("door")

    assert board.stats()["cameras"]["door"]["lost"] == 0
