"""Cameras that admins add on one node, seen from the others; against a real Redis."""

from collections.abc import Callable

from tests.support.clients.admin_api import ask_api
from tests.support.clients.client import Viewer
from tests.support.servers.cluster import cameras_of, expect_cameras
from tests.support.servers.server import PortholeServer, last_event, wait_until

YARD = {"name": "yard", "source": "test:?size=160x90&fps=10", "title": "Yard", "group": "Garden"}


def test_camera_added_on_the_page_is_shared(
    start_node: Callable[..., PortholeServer], connect: Callable[..., Viewer]
) -> None:
    """Other nodes show it live, even after its source changes, until it is removed."""
    home = start_node("run", "door=test:?size=160x90&fps=10")
    other = start_node("web")
    start_node("camera", "lab=test:?size=160x90&fps=10")
    expect_cameras(home, "door", "lab")

    assert ask_api(home, "POST", "", YARD | {"name": "lab"}).status == 422, "it is taken"
    added = ask_api(home, "POST", "", YARD)
    assert added.status == 201
    assert ask_api(other, "POST", "", YARD | {"name": "attic"}).status == 503, "it has none itself"
    expect_cameras(other, "door", "lab", "yard")
    assert cameras_of(other)["yard"]["group"] == "Garden"

    viewer = connect(other)
    widths: list[int] = []
    viewer.on_frame = lambda header, _: widths.append(header["width"])
    assert viewer.call("watch", {"camera": "yard"})["ok"]
    viewer.pump(lambda: 160 in widths, 10)
    changed = YARD | {"source": "test:?size=320x180&fps=10"}
    seen = {"If-Match": f'"{added.data["revision"]}"'}
    assert ask_api(home, "PUT", "/yard", changed, seen).status == 200
    viewer.pump(lambda: 320 in widths, 10)

    removed = ask_api(home, "DELETE", "/yard")
    expect_cameras(other, "door", "lab")
    viewer.pump(lambda: "yard" not in named(viewer), 5)
    assert ask_api(home, "POST", "/undo", {"undo": removed.data["undo"]}).status == 200
    wait_until(lambda: "yard" in cameras_of(other), 5)


def named(viewer: Viewer) -> list[str]:
    told = last_event(viewer, "cameras")
    return [one["name"] for one in told["cameras"]] if told else ["yard"]
