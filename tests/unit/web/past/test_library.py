"""The HTTP API of recordings and events, requested through Flask's test client."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from server.app import App, create_app
from server.capture.frames.unit import Unit
from server.config.load import load_settings
from server.recording.disk.event_file import write_event
from server.recording.disk.index import Event
from server.users.users import UsersFile
from tests.support.cameras.units import make_units

NOW = time.mktime((2026, 11, 26, 12, 0, 0, 0, 0, -1))
DAY_S = 86400.0
HOUR_S = 3600.0
BOX = (0.0, 0.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> list[Unit]:
    """Two seconds, with every tenth a key frame."""
    made = make_units(tmp_path_factory.mktemp("film"), 2, source="testsrc2=size=128x72:rate=25")
    return [replace(one, at_unix=one.at_unix - 1e6) for one in made]


@pytest.fixture
def app(tmp_path: Path, film: list[Unit]) -> Iterator[App]:
    """A server with three recordings and two events; ada operates, dora sees only the door."""
    people = UsersFile(tmp_path)
    tokens = {
        "ada": people.add_token("ada", "operator", None),
        "dora": people.add_token("dora", "viewer", ["door"]),
    }
    app = create_app(load_settings(["door=test:", "yard=test:"], None, tmp_path, {}, {}))
    recording = app.runtime.recording
    storage, writer = recording.library._storage, recording.library._writer
    writer.start()
    for camera, at in (("yard", NOW - DAY_S), ("door", NOW - HOUR_S), ("door", NOW)):
        writer.put(camera, [replace(one, at_unix=one.at_unix + at) for one in film], "always")
        writer.end(camera)
    motion = Event("door_20261126_120000000", "door", "motion", NOW, NOW + 1, 0.5, BOX, True)
    offline = Event("yard_20261126_110000000", "yard", "offline", NOW - HOUR_S)
    for event, jpeg in ((motion, b"\xff\xd8"), (offline, None)):
        writer.call(partial(write_event, storage.media, event, jpeg))
        writer.call(partial(storage.index.put_event, event))
    app.runtime.audit.open()
    app.flask.config["TOKENS"] = tokens
    yield app
    app.runtime.audit.close()
    recording.pictures._media.close()
    assert writer.stop(5.0)


@pytest.fixture
def ada(app: App) -> FlaskClient:
    """An operator's client, with a token."""
    return client_of(app, "ada")


@pytest.fixture
def dora(app: App) -> FlaskClient:
    """A client of a viewer of the door."""
    return client_of(app, "dora")


def client_of(app: App, name: str) -> FlaskClient:
    """Return a client with a user's token."""
    client = app.flask.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {app.flask.config['TOKENS'][name]}"
    return client


def listed(client: FlaskClient, path: str, what: str) -> list[str]:
    """Return a list's ids."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json[what]]


def fetch(client: FlaskClient, path: str, **headers: str) -> TestResponse:
    """Request a file and release it."""
    answer = client.get(path, headers=headers)
    assert answer.data is not None
    answer.close()
    return answer


def change(client: FlaskClient, method: str, path: str, **values: Any) -> Any:
    """Send a change; return the answer."""
    return client.open(path, method=method, json=values)


def test_recordings_are_listed_newest_first(ada: FlaskClient) -> None:
    """They can be filtered by time and camera, and come in pages."""
    ids = listed(ada, "/api/recordings", "recordings")

    assert ids == ["door_20261126_120000", "door_20261126_110000", "yard_20261125_120000"]
    assert listed(ada, "/api/recordings?camera=yard", "recordings") == ids[2:]
    assert listed(ada, f"/api/recordings?since={NOW - 2 * HOUR_S}", "recordings") == ids[:2]
    assert listed(ada, f"/api/recordings?before={NOW}", "recordings") == ids[1:]
    first = ada.get("/api/recordings?limit=2").json
    assert first["more"]
    rest = ada.get(f"/api/recordings?limit=2&before={first['recordings'][-1]['from']}").json
    assert ([one["id"] for one in rest["recordings"]], rest["more"]) == (ids[2:], False)
    assert first["recordings"][0] == {
        "id": ids[0],
        "camera": "door",
        "from": NOW,
        "to": NOW + 2,
        "bytes": first["recordings"][0]["bytes"],
        "locked": False,
        "reason": "always",
        "open": False,
        "film": None,
    }


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "since=-1", "before=nan"])
def test_invalid_query_is_rejected(ada: FlaskClient, query: str) -> None:
    """The answer says what is accepted."""
    answer = ada.get(f"/api/recordings?{query}")

    assert answer.status_code == 404
    assert "accepted" in answer.text


def test_recordings_need_permission_for_the_camera(
    ada: FlaskClient, dora: FlaskClient, app: App
) -> None:
    """A user limited to the door gets nothing of the yard: no list, file, picture, day or event."""
    yard = "yard_20261125_120000"

    assert "yard" not in dora.get("/api/recordings").text
    assert listed(dora, "/api/recordings?camera=yard", "recordings") == []
    assert dora.get(f"/recording/{yard}.mp4").status_code == 404
    assert dora.get(f"/recording/{yard}.jpg").status_code == 404
    assert "yard" not in dora.get("/api/days?month=2026-11").text
    assert "yard" not in dora.get("/api/events").text
    assert fetch(ada, f"/recording/{yard}.mp4").status_code == 200
    assert app.flask.test_client().get("/api/recordings").status_code == 401
    assert app.flask.test_client().get(f"/recording/{yard}.mp4").status_code == 401


def test_recording_supports_byte_ranges(ada: FlaskClient) -> None:
    """Players seek by byte ranges."""
    path = "/recording/door_20261126_120000.mp4"
    whole = fetch(ada, path)

    part = fetch(ada, path, Range="bytes=100-199")
    beyond = fetch(ada, path, Range=f"bytes={len(whole.data)}-")

    assert (whole.status_code, whole.content_type) == (200, "video/mp4")
    assert (part.status_code, part.data) == (206, whole.data[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(whole.data)}"
    assert beyond.status_code == 416


def test_unknown_recordings_are_not_found(ada: FlaskClient) -> None:
    """An id cannot lead out of the folder either."""
    for key in ("door_20200101_000000", "..%2f..%2fsecret", "x"):
        for path in (f"/recording/{key}.mp4", f"/recording/{key}.jpg", f"/event/{key}.jpg"):
            assert ada.get(path).status_code == 404, path


def test_days_summarize_recordings_and_events(ada: FlaskClient) -> None:
    """Each day of a month has its counts by camera."""
    days = ada.get("/api/days?month=2026-11").json["days"]

    assert days == {
        "2026-11-25": {"yard": {"recordings": 1, "events": 0, "seconds": 2.0}},
        "2026-11-26": {
            "door": {"recordings": 2, "events": 1, "seconds": 4.0},
            "yard": {"recordings": 0, "events": 1, "seconds": 0.0},
        },
    }
    assert ada.get("/api/days?month=2026-12").json["days"] == {}
    assert ada.get("/api/days?month=2026-13").status_code == 404


def test_operators_lock_and_delete_recordings(
    ada: FlaskClient, dora: FlaskClient, app: App
) -> None:
    """Others may not; both are in the audit log, and deleting gives a notice."""
    path = "/api/recordings/door_20261126_120000"
    notices = []
    app.runtime.on_notice = lambda *notice: notices.append(notice)

    assert change(dora, "PATCH", path, locked=True).status_code == 403
    assert change(dora, "DELETE", path).status_code == 403
    assert change(ada, "PATCH", path, locked="yes").status_code == 422
    locked = change(ada, "PATCH", path, locked=True)
    assert (locked.status_code, locked.json["locked"]) == (200, True)
    assert ada.get("/api/recordings").json["recordings"][0]["locked"]
    assert change(ada, "DELETE", path).status_code == 200
    assert change(ada, "DELETE", path).status_code == 404
    assert "120000" not in ada.get("/api/recordings?camera=door").text
    app.runtime.audit.close()
    lines = (app.runtime.settings.state_dir / "audit.log").read_text().splitlines()
    done = [(one["what"], one["who"], one["camera"]) for one in map(json.loads, lines)]
    assert done == [
        ("recording lock", "ada", "door"),
        ("recording delete", "ada", "door"),
    ]
    assert notices == [("info", "A recording of door was deleted", "door", "ada")]


def test_events_are_listed(ada: FlaskClient) -> None:
    """They can be filtered like recordings, and by label; one that is going on has no end."""
    answer = ada.get("/api/events").json

    assert answer["events"][0] == {
        "id": "door_20261126_120000000",
        "camera": "door",
        "label": "motion",
        "score": 0.5,
        "box": [0, 0, 1, 1],
        "from": NOW,
        "to": NOW + 1,
        "picture": True,
        "locked": False,
        "film": None,
    }
    assert answer["events"][1]["to"] is None
    assert listed(ada, "/api/events?label=offline", "events") == ["yard_20261126_110000000"]
    assert listed(ada, f"/api/events?since={NOW + 10}", "events") == ["yard_20261126_110000000"]
    picture = ada.get("/event/door_20261126_120000000.jpg")
    assert (picture.data, picture.content_type) == (b"\xff\xd8", "image/jpeg")
    assert ada.get("/event/yard_20261126_110000000.jpg").status_code == 404


def test_an_event_is_found_by_its_id(ada: FlaskClient, dora: FlaskClient) -> None:
    """A link to an event without its begin found nothing; events of unseen cameras stay unknown."""
    (newest, yard) = ada.get("/api/events").json["events"]

    assert ada.get(f"/api/events/{newest['id']}").json == newest
    assert ada.get(f"/api/events/{yard['id']}").json == yard
    assert dora.get(f"/api/events/{newest['id']}").json == newest
    assert dora.get(f"/api/events/{yard['id']}").status_code == 404
    assert ada.get("/api/events/door_20200101_000000000").status_code == 404


def test_operators_lock_and_delete_events(ada: FlaskClient, dora: FlaskClient) -> None:
    """As with recordings, viewers may not."""
    path = "/api/events/door_20261126_120000000"

    assert change(dora, "DELETE", path).status_code == 403
    assert change(ada, "PATCH", path, locked=True).json["locked"]
    assert ada.get("/api/events").json["events"][0]["locked"]
    assert change(ada, "DELETE", path).status_code == 200
    assert listed(ada, "/api/events", "events") == ["yard_20261126_110000000"]
    assert ada.get("/event/door_20261126_120000000.jpg").status_code == 404
