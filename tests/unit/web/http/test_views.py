"""Saved views over HTTP: who may see and change which; without a server."""

import json
from pathlib import Path
from typing import Any

import flask
import pytest
from werkzeug.test import TestResponse

from server.app import ROOT
from server.control.audit import Audit
from server.users.users import UsersFile
from server.views.views import Views
from server.web.auth.auth import Auth
from server.web.auth.guard import guard_requests
from server.web.http.login import CSRF, create_login
from server.web.http.views import ShownViews, create_views


class Door:
    """The parts of a camera that views use."""

    def __init__(self, name: str, group: str) -> None:
        self.name, self.group = name, group

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "group": self.group}


class Site:
    """The routes behind the real guard, with a token for each kind of user."""

    def __init__(self, folder: Path) -> None:
        people = UsersFile(folder)
        self.folder = folder
        self.tokens = {
            role: people.add_token(role, role, None) for role in ("admin", "operator", "viewer")
        }
        self.tokens["some"] = people.add_token("some", "operator", ["door"])
        self.tokens["embed"] = people.add_token("embed", "viewer", ["door"], embed=True)
        people.add_user("vera", "viewer", None, "correct horse")
        self.flask = flask.Flask("site", template_folder=str(ROOT / "templates"))
        self.audit = Audit(folder)
        self.auth = Auth(self.flask, folder, self.audit)
        self.views = Views(folder)
        cameras: Any = [Door("door", "Outside"), Door("safe", "Vault")]
        guard_requests(self.flask, self.auth)
        self.flask.register_blueprint(create_login(self.auth))
        shown = ShownViews(self.views, lambda: cameras)
        self.flask.register_blueprint(create_views(self.views, shown, self.auth))

    def ask(self, method: str, path: str, body: object = None, by: str = "admin") -> TestResponse:
        headers = {"Authorization": f"Bearer {self.tokens[by]}"}
        return self.flask.test_client().open(path, method=method, json=body or {}, headers=headers)

    def written(self) -> list[dict[str, Any]]:
        self.audit.close()
        path = self.folder / "audit.log"
        return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with one shared view."""
    return Site(tmp_path)


NIGHT = {"name": "Night", "query": "layout=2x2&order=door,safe", "shared": True}


def test_shared_views_need_an_operator_of_every_camera(site: Site) -> None:
    """Everybody sees them; a user of some cameras would remove the others from them."""
    answers = {by: site.ask("POST", "/api/views", NIGHT | {"name": by}, by) for by in site.tokens}
    key = answers["admin"].json["id"]  # type: ignore[index]
    refused = [site.ask("DELETE", f"/api/views/{key}", None, by) for by in ("viewer", "some")]

    assert {by: answer.status_code for by, answer in answers.items()} == {
        "admin": 201,
        "operator": 201,
        "viewer": 403,
        "some": 403,
        "embed": 403,
    }
    assert [answer.status_code for answer in refused] == [403, 403]
    seen = site.ask("GET", "/api/views", by="viewer").json
    assert [one["name"] for one in seen["shared"]] == ["admin", "operator"]  # type: ignore[index]
    assert seen["may_share"] is seen["keeps_own"] is False  # type: ignore[index]


def test_users_see_only_views_of_their_cameras(site: Site) -> None:
    """They get no name of another camera, and no view of a group without a visible camera."""
    site.ask("POST", "/api/views", NIGHT)
    site.ask("POST", "/api/views", {"name": "Vault", "query": "group=Vault", "shared": True})
    site.ask("POST", "/api/views", {"name": "Outside", "query": "group=Outside", "shared": True})

    seen = site.ask("GET", "/api/views", by="some").json

    assert [(one["name"], one["query"]) for one in seen["shared"]] == [  # type: ignore[index]
        ("Night", "layout=2x2&order=door"),
        ("Outside", "group=Outside"),
    ]


def test_personal_views_need_a_login(site: Site) -> None:
    """Like every change they need the page's token; machines have none, and Basic will not do."""
    client = site.flask.test_client()
    body = {"name": "Mine", "query": "camera=door"}
    csrf = client.get("/login").text.partition('name="csrf" value="')[2].partition('"')[0]
    client.post("/login", data={"csrf": csrf, "name": "vera", "password": "correct horse"})
    token = "the page's token"
    with client.session_transaction() as session:
        session[CSRF] = token
    without = client.post("/api/views", json=body)
    added = client.post("/api/views", json=body, headers={"X-CSRF-Token": token})
    key = added.json["id"]  # type: ignore[index]
    chosen = client.patch("/api/views", json={"default": key}, headers={"X-CSRF-Token": token})
    by_basic = site.flask.test_client().post(
        "/api/views", json=body, auth=("vera", "correct horse")
    )

    assert (without.status_code, added.status_code) == (403, 201)
    assert chosen.json["default"] == key  # type: ignore[index]
    assert [one["name"] for one in chosen.json["own"]] == ["Mine"]  # type: ignore[index]
    assert by_basic.status_code == 403
    assert site.ask("POST", "/api/views", body).status_code == 403
    assert site.ask("GET", "/api/views").json["own"] == []  # type: ignore[index]
    assert site.ask("DELETE", f"/api/views/{key}").status_code == 404


def test_a_change_of_shared_views_is_audited(site: Site) -> None:
    """The entry has who, what and which view; refusals are in the other log."""
    key = site.ask("POST", "/api/views", NIGHT).json["id"]  # type: ignore[index]
    site.ask("PATCH", f"/api/views/{key}", {"name": "Dusk"}, "operator")
    gone = site.ask("DELETE", f"/api/views/{key}")
    again = site.ask("PATCH", f"/api/views/{key}", {"name": "Dawn"})
    wrong = site.ask("POST", "/api/views", NIGHT | {"name": ""})

    assert [(one["who"], one["what"], one["name"]) for one in site.written()] == [
        ("admin", "view add", "Night"),
        ("operator", "view change", "Dusk"),
        ("admin", "view remove", "Dusk"),
    ]
    assert gone.json == {"id": key, "name": "Dusk", "query": NIGHT["query"]}
    assert again.status_code == 404
    assert wrong.status_code == 422
    assert list(wrong.json["fields"]) == ["name"]  # type: ignore[index]


def test_lone_surrogate_is_rejected(site: Site) -> None:
    """JSON can contain half a surrogate pair, which files and addresses cannot: 400, no crash."""
    answer = site.ask("POST", "/api/views", NIGHT | {"query": "camera=\ud83d"})
    whole = site.ask("POST", "/api/views", NIGHT | {"query": "camera=\U0001f4f7"})

    assert (answer.status_code, answer.json["error"]) == (400, "bad_request")  # type: ignore[index]
    assert whole.json["query"] == "camera=%F0%9F%93%B7"  # type: ignore[index]
