"""A small site behind the real guard, and browsers and programs that use it."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import flask
import pytest
from werkzeug.test import Client, TestResponse

from server.app import ROOT
from server.control.audit import Audit
from server.users.users import UsersFile
from server.web.auth.auth import Auth
from server.web.auth.guard import current_credential, guard_requests
from server.web.http.cors import share_with
from server.web.http.headers import protect_pages
from server.web.http.login import create_login
from server.web.http.own_password import create_own_password
from tests.support.fakes import settle

PASSWORD = "correct horse"


class Site:
    """A small site behind the real guard: it answers with the user's name."""

    def __init__(
        self, folder: Path, origins: Sequence[str] = (), ancestors: Sequence[str] = ()
    ) -> None:
        self.file = UsersFile(folder)
        self.folder = folder
        self.flask = flask.Flask(
            "site", template_folder=str(ROOT / "templates"), static_folder=None
        )
        self.auth = Auth(self.flask, folder, Audit(folder))
        share_with(self.flask, origins)
        guard_requests(self.flask, self.auth)
        protect_pages(self.flask, ancestors)
        self.flask.register_blueprint(create_login(self.auth))
        self.flask.register_blueprint(create_own_password(self.auth))
        for path in ("/", "/api/cameras", "/readyz", "/healthz", "/metrics"):
            self.flask.add_url_rule(path, path, self._tell)

    def _tell(self) -> dict[str, Any]:
        credential = flask.g.credential and current_credential()
        return {"name": credential and credential.person.name, "by": credential and credential.by}

    def client(self) -> Client:
        return self.flask.test_client()


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """A function that creates sites; all of them share a state folder."""
    sites: list[Site] = []

    def make(*users: str, **options: Sequence[str]) -> Site:
        for name in users:
            UsersFile(tmp_path).add_user(name, "viewer", None, PASSWORD)
        sites.append(Site(tmp_path, **options))
        sites[-1].auth.open()
        return sites[-1]

    yield make
    for site in sites:
        site.auth.close()
    settle()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A site with the user ada."""
    return make_site("ada")


def csrf_of(client: Client) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)
    assert found
    return found[1]


def log_in(
    client: Client, name: str = "ada", password: str = PASSWORD, **more: Any
) -> TestResponse:
    form = {"name": name, "password": password, "csrf": csrf_of(client)} | more
    return client.post("/login", data=form)


def log_out(client: Client) -> None:
    with client.session_transaction() as session:
        token = session.setdefault("csrf", "known")
    assert client.post("/logout", data={"csrf": token}).status_code == 303


def basic(name: str, password: str, encoding: str = "utf-8") -> dict[str, str]:
    text = f"{name}:{password}".encode(encoding)
    return {"Authorization": "Basic " + base64.b64encode(text).decode()}


def from_there(address: str) -> dict[str, Any]:
    return {"environ_base": {"REMOTE_ADDR": address}}


PROXIED = {"X-Forwarded-For": "203.0.113.9"}


def written(folder: Path, name: str) -> list[Any]:
    path = folder / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
