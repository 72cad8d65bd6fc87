"""The library of a web node shows other nodes' recordings: real nodes and a real Redis."""

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.recording.disk.event_file import write_event
from server.recording.disk.index import Event
from server.recording.disk.layout import event_id, recording_id
from server.users.users import UsersFile
from tests.support.cameras.films import make_film
from tests.support.cameras.units import make_units
from tests.support.clients.admin_api import Answer, ask_json
from tests.support.clients.client import Viewer
from tests.support.recordings.recordings import write_recording
from tests.support.servers.cluster import RedisServer, nodes_on
from tests.support.servers.server import PortholeServer, last_event, wait_until

Connect = Callable[..., Viewer]

# An hour ago: nearly always today, and never too old to be kept.
BEGIN = float(int(time.time()) - 3600)
STEP_S = 60.0

HOST = socket.gethostname()


@dataclass
class Shared:
    """Two nodes with cameras, each with recordings and events, and a third for people.

    Attributes:
        folder: Holds the state folders, named after the camera.
        files: The recordings, by id.
    """

    folder: Path
    nodes: dict[str, PortholeServer]
    web: PortholeServer
    tokens: dict[str, str]
    files: dict[str, Path]

    def ask(self, who: str, path: str, method: str = "GET", **more: Any) -> Answer:
        """Send the web node a request with a user's token."""
        body = more.pop("body", None)
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} | more
        return ask_json(self.web, method, path, body, headers)

    def audit(self, node: str) -> list[dict[str, Any]]:
        """Return the actions in a node's audit log."""
        lines = (self.folder / node / "audit.log").read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def shared(shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """The door has its recordings at even minutes, the yard at odd ones; ada operates.

    The door's node has no rewind buffer, only recordings on disk.
    """
    folder = tmp_path_factory.mktemp("shared")
    with shared_redis.client() as client:
        client.flushall()
    people = UsersFile(folder / "web")
    tokens = {
        "ada": people.add_token("ada", "operator", None),
        "vera": people.add_token("vera", "viewer", None),
        "dora": people.add_token("dora", "viewer", ["door"]),
        "panel": people.add_token("panel", "viewer", ["yard"], embed=True, clips=True),
    }
    units = make_units(folder, 2)
    jpeg = make_film(folder / "one.jpg", "-frames:v", "1").read_bytes()
    files = {}
    for number in range(6):
        camera, begin = ("door", "yard")[number % 2], BEGIN + number * STEP_S
        media = folder / camera / "media"
        files[recording_id(camera, begin)] = write_recording(media, units, camera, begin)
        event = Event(event_id(camera, begin), camera, "motion", begin, begin + 1, 0.5)
        write_event(media, Event(*astuple(event), picture=True), jpeg)
    with nodes_on(shared_redis, folder) as start:
        nodes = {
            name: start("camera", f"{name}=test:?size=160x90&fps=4", "--rewind", kept, state=name)
            for name, kept in (("door", "0"), ("yard", "60"))
        }
        web = start("web", state="web")
        shared = Shared(folder, nodes, web, tokens, files)
        wait_until(lambda: len(shared.ask("ada", "/api/recordings").data["recordings"]) == 6)
        yield shared


def astuple(event: Event) -> tuple[Any, ...]:
    """Return positional arguments for a dataclass."""
    return event.id, event.camera, event.label, event.begin, event.end, event.score


def ids(answer: Answer, what: str) -> list[str]:
    """Return the ids of a list."""
    assert answer.status == 200, answer.body
    return [one["id"] for one in answer.data[what]]


def test_lists_from_all_nodes_are_merged_and_paged(shared: Shared) -> None:
    """Two nodes' recordings form one list by time; each page continues the one before."""
    newest_first = list(reversed(shared.files))

    assert ids(shared.ask("ada", "/api/recordings"), "recordings") == newest_first
    pages, before = [], ""
    for more in (True, True, False):
        answer = shared.ask("ada", f"/api/recordings?limit=2{before}")
        assert answer.data["more"] is more
        assert answer.data["missing"] == []
        pages += ids(answer, "recordings")
        before = f"&before={answer.data['recordings'][-1]['from']}"
    assert pages == newest_first
    events = shared.ask("ada", "/api/events?limit=4&label=motion")
    assert [one["camera"] for one in events.data["events"]] == ["yard", "door", "yard", "door"]
    assert (events.data["more"], events.data["events"][0]["picture"]) == (True, True)
    days = shared.ask("ada", f"/api/days?month={time.strftime('%Y-%m', time.localtime(BEGIN))}")
    counted = days.data["days"][time.strftime("%Y-%m-%d", time.localtime(BEGIN))]
    assert counted.keys() == {"door", "yard"}


def test_media_is_fetched_from_the_node_that_has_it(shared: Shared) -> None:
    """Files, byte ranges, the picture of a moment and an event's best picture all arrive intact."""
    key, file = list(shared.files.items())[1]
    whole = file.read_bytes()

    assert shared.ask("vera", f"/recording/{key}.mp4").body == whole
    part = shared.ask("vera", f"/recording/{key}.mp4", Range="bytes=1000-70000")
    assert (part.status, part.body) == (206, whole[1000:70001])
    still = shared.ask("vera", f"/recording/{key}.jpg?width=80&at={BEGIN + STEP_S + 1}")
    assert (still.status, still.body[:2]) == (200, b"\xff\xd8")
    moment = shared.ask("vera", f"/api/cameras/door/picture?at={BEGIN + 1}&width=80")
    assert (moment.status, moment.body[:2]) == (200, b"\xff\xd8")
    clip = shared.ask("vera", f"/clip/door.mp4?from={BEGIN}&to={BEGIN + 1}")
    assert (clip.status, clip.body[4:8]) == (200, b"ftyp")
    event = ids(shared.ask("vera", "/api/events?camera=yard"), "events")[-1]
    assert shared.ask("vera", f"/event/{event}.jpg").body[:2] == b"\xff\xd8"


def test_recordings_follow_camera_permissions(shared: Shared) -> None:
    """A user who may see only the door gets none of the yard's recordings from another node."""
    yard = list(shared.files)[1]

    for path, what in (("/api/recordings", "recordings"), ("/api/events", "events")):
        assert {one["camera"] for one in shared.ask("dora", path).data[what]} == {"door"}
        assert shared.ask("dora", f"{path}?camera=yard").data[what] == []
    for path in (f"/recording/{yard}.mp4", f"/recording/{yard}.jpg"):
        assert shared.ask("dora", path).status == 404
    assert b"yard" not in shared.ask("dora", "/api/days").body
    for method, body in (("PATCH", {"locked": True}), ("DELETE", {})):
        path = f"/api/recordings/{yard}"
        assert shared.ask("dora", path, method, body=body).status == 404
        assert shared.ask("vera", path, method, body=body).status == 403
    assert shared.files[yard].exists()


def test_changes_are_made_on_the_owning_node(shared: Shared, connect: Connect) -> None:
    """An operator locks and deletes; both nodes log who did it, and viewers are notified.

    A page embedded in another site gets no events.
    """
    recording = next(iter(shared.files))
    event = ids(shared.ask("ada", "/api/events?camera=yard"), "events")[-1]
    viewer, panel = (
        connect(shared.web, auth={"token": shared.tokens[name]}) for name in ("vera", "panel")
    )

    locked = shared.ask("ada", f"/api/events/{event}", "PATCH", body={"locked": True})
    assert (locked.status, locked.data["locked"]) == (200, True)
    viewer.pump(lambda: last_event(viewer, "event") is not None, 10)
    assert last_event(viewer, "event") == locked.data
    panel.call("clock", {"t": 0})
    assert last_event(panel, "event") is None

    assert shared.ask("ada", f"/api/recordings/{recording}", "DELETE").status == 200
    assert not shared.files[recording].exists()
    assert recording not in ids(shared.ask("ada", "/api/recordings"), "recordings")
    assert shared.ask("ada", f"/api/recordings/{recording}", "DELETE").status == 404
    viewer.pump(lambda: "deleted" in (last_event(viewer, "notice") or {}).get("message", ""), 10)

    for node, by in (("web", "bearer"), ("door", "bus")):
        wait_until(lambda node=node: shared.audit(node))
        entry = shared.audit(node)[-1]
        assert (entry["who"], entry["what"], entry["by"]) == ("ada", "recording delete", by)
        assert (entry["result"], entry["camera"], entry["id"]) == ("ok", "door", recording)


def test_scrubber_shows_another_nodes_events(shared: Shared, connect: Connect) -> None:
    """The scrubber of a camera shows events from whichever node remembers them.

    On a page embedded in another site it shows no events.
    """
    viewer = connect(shared.web, auth={"token": shared.tokens["ada"]})
    viewer.call("watch", {"camera": "yard"})
    viewer.pump(lambda: len(viewer.arrivals) > 2, 20)
    assert viewer.call("timelapse", {"camera": "yard", "job": "benchy"})["ok"]

    def marks() -> Any:
        return shared.ask("vera", "/api/cameras/yard/past").data["marks"]

    wait_until(marks)
    assert [one["label"] for one in marks()] == ["timelapse"]
    past = shared.ask("panel", "/api/cameras/yard/past").data
    assert (past["from"] < past["to"], past["marks"]) == (True, [])
    viewer.call("timelapse", {"camera": "yard", "job": None})


def test_unresponsive_node_is_listed_as_missing(shared: Shared) -> None:
    """Lists omit such a node and name it as missing; once it answers again, they are complete."""
    yard = shared.nodes["yard"]
    yard.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        answer = shared.ask("ada", "/api/events")
        assert time.monotonic() - began < 5
        assert {one["camera"] for one in answer.data["events"]} == {"door"}
        assert answer.data["missing"] == [{"node": HOST, "cameras": ["yard"]}]
        assert shared.ask("ada", "/api/events?camera=door").data["missing"] == []

        wait_until(lambda: cameras_seen(shared)["yard"]["state"] == "retrying")
        assert shared.ask("ada", "/api/recordings").data["missing"][0]["cameras"] == ["yard"]
        assert shared.ask("ada", f"/recording/{list(shared.files)[1]}.mp4").status == 503
    finally:
        yard.send_signal(signal.SIGCONT)
    wait_until(lambda: not shared.ask("ada", "/api/events").data["missing"])


def cameras_seen(shared: Shared) -> dict[str, Any]:
    """Return every STATE that ada receives, by camera."""
    return {one["name"]: one for one in shared.ask("ada", "/api/cameras").data}
