"""Users and tokens changed by admins over HTTP, and users' own passwords, on a real server."""

import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from server.users.users import UsersFile
from tests.support.browser.visitor import PASSWORD, Visitor, bearer, hello_of, is_gone
from tests.support.clients.admin_api import Answer, ask_json
from tests.support.clients.client import Viewer
from tests.support.servers.server import PortholeServer, wait_until

Connect = Callable[..., Viewer]

PEOPLE = "/api/admin/people"

OTHER = "another horse battery"


class Site:
    """A server with the admin ann and tokens of every kind."""

    def __init__(self, folder: Path) -> None:
        self.people = UsersFile(folder / "state")
        self.people.add_user("ann", "admin", None, PASSWORD)
        roles = ("admin", "operator", "viewer")
        self.tokens = {role: self.people.add_token(role, role, None) for role in roles}
        self.tokens["some"] = self.people.add_token("some", "admin", ["door"])
        self.tokens["embed"] = self.people.add_token("embed", "viewer", ["door"], embed=True)
        self.server = PortholeServer(
            *("--port", "0", "door=test:?size=160x90&fps=5", "yard=test:?size=160x90&fps=5"),
            state=folder / "state",
            environment={},
        )

    def ask(self, method: str, path: str = "", body: object = None, role: str = "admin") -> Answer:
        return ask_json(self.server, method, PEOPLE + path, body, bearer(self.tokens[role]))

    def add(self, name: str, role: str, cameras: list[str] | None = None) -> None:
        user = {"name": name, "role": role, "cameras": cameras, "password": PASSWORD}
        assert self.ask("POST", "/users", user).status == 201

    def written(self, file: str) -> list[dict[str, Any]]:
        path = self.server.state / file
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for all tests here."""
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.server.end()


def page_of(browser: Visitor) -> dict[str, str]:
    """Return the headers that a logged-in browser's page sends."""
    text = browser.ask("GET", "/")[2]
    token = text.partition('name="csrf" value="')[2].partition('"')[0]
    return browser.headers | {"X-CSRF-Token": token}


def test_admin_cookie_requires_the_csrf_token(site: Site) -> None:
    """Another site's page has the cookie sent, but has neither the token nor our origin."""
    browser = Visitor(site.server)
    assert browser.log_in("ann")[0] == 303
    page, path = page_of(browser), f"{PEOPLE}/users/ann/sign-out"
    without = {key: value for key, value in page.items() if key != "X-CSRF-Token"}

    refused = ask_json(site.server, "POST", path, {}, without)
    elsewhere = ask_json(site.server, "POST", path, {}, page | {"Origin": "http://evil.example"})

    assert (refused.status, refused.data["error"]) == (403, "expired")
    assert elsewhere.status == 403
    assert ask_json(site.server, "GET", PEOPLE, headers=page).data["you"] == "ann"


def test_user_is_added_changed_and_removed(site: Site) -> None:
    """A generated password is shown once; bad names, lists and lengths get clear messages."""
    added = site.ask("POST", "/users", {"name": "bea", "role": "viewer", "cameras": ["door"]})
    assert added.status == 201
    made = added.data["password"]
    assert Visitor(site.server).log_in("bea", made)[0] == 303

    changed = site.ask("PUT", "/users/bea", {"role": "operator", "cameras": None})
    assert changed.data == {"name": "bea", "role": "operator", "cameras": None}
    assert made.encode() not in site.ask("GET").body
    assert site.ask("POST", "/users/bea/password", {"password": OTHER}).data["password"] is None
    assert Visitor(site.server).log_in("bea", made)[0] == 401
    assert Visitor(site.server).log_in("bea", OTHER)[0] == 303

    wrong = {"name": "Bea", "role": "viewer", "cameras": None}
    refusals = [
        (wrong, "name", "is taken by a user"),
        (wrong | {"password": "short"}, "password", "accepted: 8 to 256"),
        (wrong | {"role": "king"}, "role", "viewer, operator or admin"),
        (wrong | {"cameras": []}, "cameras", "1 to 64"),
        (wrong | {"role": "admin", "cameras": ["door"]}, "role", "an admin sees all"),
    ]
    for body, field, words in refusals:
        refused = site.ask("POST", "/users", body)
        assert refused.status == 422
        assert words in refused.data["fields"][field]
    assert site.ask("DELETE", "/users/bea").status == 200
    assert site.ask("DELETE", "/users/bea").status == 404


def test_last_admin_cannot_be_removed(site: Site) -> None:
    """Without one, people could not be managed from the page; the error says what to do first."""
    for method, body in (("DELETE", {}), ("PUT", {"role": "viewer", "cameras": None})):
        refused = site.ask(method, "/users/ann", body)
        assert refused.status == 422
        assert "add such an admin first" in refused.data["message"]

    site.add("abe", "admin")
    assert site.ask("PUT", "/users/ann", {"role": "operator", "cameras": None}).status == 200
    assert site.ask("DELETE", "/users/abe").status == 422
    assert site.ask("PUT", "/users/ann", {"role": "admin", "cameras": None}).status == 200
    assert site.ask("DELETE", "/users/abe").status == 200


def test_signing_out_ends_every_connection_of_one_user(site: Site, connect: Connect) -> None:
    """Dashboard and feed are listed with their cameras, and are closed before the answer."""
    site.add("cay", "viewer")
    site.add("dan", "viewer")
    browsers = {name: Visitor(site.server) for name in ("cay", "dan")}
    viewers = {}
    for name, browser in browsers.items():
        assert browser.log_in(name)[0] == 303
        viewers[name] = connect(site.server, headers=browser.headers)
        assert hello_of(viewers[name])["user"] == name
    assert viewers["cay"].call("watch", {"camera": "yard"})["ok"]
    feed = HTTPConnection("127.0.0.1", site.server.port, timeout=10)
    feed.request("GET", "/video_feed/door", headers=browsers["cay"].headers)
    pictures = feed.getresponse()
    assert pictures.status == 200

    on_now = [one for one in site.ask("GET").data["connections"] if one["name"] == "cay"]
    assert sorted(one["watching"] for one in on_now) == [["door"], ["yard"]]
    assert {one["address"] for one in on_now} == {"127.0.0.1"}
    assert all(abs(one["since"] - time.time()) < 60 for one in on_now)
    assert site.ask("POST", "/users/cay/sign-out").status == 200

    left = {one["name"] for one in site.ask("GET").data["connections"]}
    assert (left & {"cay", "dan"}) == {"dan"}
    assert is_gone(viewers["cay"])
    while pictures.read1():
        pass  # Read to the end, or the connection's deadline fails the test.
    assert not is_gone(viewers["dan"], 0.3)
    assert browsers["cay"].ask("GET", "/")[0] == 303
    assert Visitor(site.server).log_in("cay")[0] == 303
    feed.close()
    for name in browsers:
        site.ask("DELETE", f"/users/{name}")


def test_token_is_shown_once_and_can_be_revoked(site: Site, connect: Connect) -> None:
    """An embed token is for viewing one camera; the list has neither tokens nor digests."""
    body = {"name": "panel", "role": "viewer", "cameras": ["door"], "embed": True}
    added = site.ask("POST", "/tokens", body)
    assert added.status == 201
    token = added.data["token"]
    assert ask_json(site.server, "GET", f"/snapshot/door.jpg?token={token}").status == 200
    refused = site.ask("POST", "/tokens", body | {"name": "wide", "cameras": None})
    assert "for viewing one camera" in refused.data["fields"]["cameras"]
    known = site.ask("GET").data["tokens"]
    assert {"name": "panel", "role": "viewer", "cameras": ["door"], "embed": True} in known

    assert site.ask("DELETE", "/tokens/panel").status == 200

    assert ask_json(site.server, "GET", f"/snapshot/door.jpg?token={token}").status == 401


def test_token_can_be_changed(site: Site) -> None:
    """Name, role and cameras can change; the secret stays, and an embed link keeps to one camera.

    Whether an embed link includes clips is chosen only once.
    """
    for name, embed in (("shed", False), ("frame", True)):
        body = {"name": name, "role": "viewer", "cameras": ["door"], "embed": embed, "clips": embed}
        assert site.ask("POST", "/tokens", body).status == 201
    barn = {"name": "barn", "role": "viewer", "cameras": ["door"]}
    token = site.ask("POST", "/tokens", barn).data["token"]
    to = {"name": "workshop", "role": "viewer", "cameras": ["yard"]}
    changed = site.ask("PUT", "/tokens/barn", to)
    assert (changed.status, changed.data) == (200, to)
    seen = ask_json(site.server, "GET", "/api/cameras", headers=bearer(token)).data
    assert [one["name"] for one in seen] == ["yard"]

    taken = site.ask("PUT", "/tokens/workshop", to | {"name": "Shed"})
    wide = site.ask("PUT", "/tokens/frame", {"name": "frame", "role": "viewer", "cameras": None})

    assert (taken.status, list(taken.data["fields"])) == (422, ["name"])
    assert (wide.status, list(wide.data["fields"])) == (422, ["cameras"])
    frame = {"name": "frame", "role": "viewer", "cameras": ["yard"]}
    kept = site.ask("PUT", "/tokens/frame", frame)
    assert (kept.status, kept.data) == (200, frame | {"embed": True, "clips": True})
    bare = site.ask("POST", "/tokens", to | {"name": "bare", "clips": True})
    assert (bare.status, list(bare.data["fields"])) == (422, ["clips"])
    assert site.ask("PUT", "/tokens/barn", to).status == 404
    assert site.ask("PUT", "/tokens/workshop", to, role="operator").status == 403


def test_password_change_logs_out_other_browsers(site: Site, connect: Connect) -> None:
    """A viewer changes it with the old one; the other browser and its socket are logged out."""
    site.add("eve", "viewer")
    here, there = Visitor(site.server), Visitor(site.server)
    assert (here.log_in("eve")[0], there.log_in("eve")[0]) == (303, 303)
    other = connect(site.server, headers=there.headers)
    path, csrf = "/api/password", page_of(here)["X-CSRF-Token"]

    status, _, text = here.send_json(path, {"old": "guess", "new": OTHER}, csrf)
    assert (status, json.loads(text)["error"]) == (403, "wrong_password")
    sent = {"old": PASSWORD, "new": OTHER}
    assert ask_json(site.server, "POST", path, sent).status == 401
    with_token = ask_json(site.server, "POST", path, sent, bearer(site.tokens["viewer"]))
    assert with_token.status == 403
    assert here.ask("POST", path, {"X-CSRF-Token": csrf}, **sent)[0] == 415
    assert here.send_json(path, sent, "guess")[0] == 403
    assert here.send_json(path, sent, csrf)[0] == 200

    assert is_gone(other)
    assert there.ask("GET", "/")[0] == 303
    assert here.ask("GET", "/")[0] == 200
    # The open page goes on using its token.
    assert here.send_json(path, {"old": OTHER, "new": PASSWORD}, csrf)[0] == 200
    site.ask("DELETE", "/users/eve")


def test_user_changes_are_audited_without_secrets(site: Site) -> None:
    """Audit entries name who did what to whom; no file or log contains a password or a token."""
    site.add("fay", "viewer")
    made = site.ask("POST", "/users/fay/password", {}).data["password"]
    token = site.ask("POST", "/tokens", {"name": "tok", "role": "viewer", "cameras": None})
    site.ask("DELETE", "/tokens/tok")
    site.ask("DELETE", "/users/fay")
    site.ask("DELETE", "/users/ann")

    def done() -> set[str]:
        return {one["what"] for one in site.written("audit.log") if one["who"] == "admin"}

    wait_until(lambda: "user remove" in done())
    assert {"user add", "user passwd", "token add", "token remove"} <= done()
    assert {"fay", "tok"} <= {str(one.get("account")) for one in site.written("audit.log")}
    refused = "DELETE /api/admin/people/users/<name>"
    wait_until(lambda: refused in {one["what"] for one in site.written("refused.log")})
    for secret in (PASSWORD, made, token.data["token"]):
        for file, content in site.server.kept().items():
            assert secret.encode() not in content, file
        assert secret not in "\n".join(site.server.log)


def test_first_user_added_on_the_page_must_be_an_admin(start_server: Callable[..., Any]) -> None:
    """The browser that adds the first user is logged in; all others have to log in."""
    server = start_server("door=test:?size=160x90&fps=5")
    browser = Visitor(server)
    user = {"name": "ann", "role": "viewer", "cameras": None, "password": PASSWORD}

    status, _, text = browser.send_json(f"{PEOPLE}/users", user, "")
    assert (status, "add such an admin first" in text) == (422, True)
    token = {"name": "tok", "role": "admin", "cameras": None}
    assert browser.send_json(f"{PEOPLE}/tokens", token, "")[0] == 422
    assert browser.send_json(f"{PEOPLE}/users", user | {"role": "admin"}, "")[0] == 201

    assert "Logged in as ann" in browser.ask("GET", "/")[2]
    assert Visitor(server).ask("GET", "/")[0] == 303
    assert ask_json(server, "GET", PEOPLE).status == 401
