"""The permissions of each role, tried for every command and every path.

The lists come from the server itself, so new ones are tried automatically.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from server.app import create_app
from server.commands import COMMANDS, CameraCommand
from server.config.load import load_settings
from server.users.users import UsersFile
from tests.support.browser.visitor import PASSWORD, Visitor, bearer
from tests.support.clients.admin_api import ask_json
from tests.support.clients.client import Viewer
from tests.support.servers.server import PortholeServer

Connect = Callable[..., Viewer]

ADMIN = "/api/admin"

# A valid value for each field of a command; add new fields here.
VALUES = {
    "camera": "door",
    "fps": 7,
    "quality": 55,
    "control": "mirror",
    "value": "both",
    "preset": "night",
    "do": "save",
    "mode": "off",
    "on": False,
    "sensitivity": 50,
    "min_size": 1.0,
    "min_s": 0.5,
    "zones": [],
    "job": None,
}

# Changes that everybody may make: their own login, password and views. Rights to shared views are
# tested in unit/web/http/test_views.py.
OWN_PATHS = {"/login", "/logout", "/api/password", "/api/views", "/api/views/door"}
# A user's own clips: unit/web/past/test_clips.py.
OWN_PATHS |= {"/api/clips", "/api/clips/door"}

# Changes by operators: unit/web/past/test_library.py, system/past/test_timelapse.py.
OPERATORS = {"/api/recordings/door", "/api/events/door", "/api/timelapse/door"}


class Site:
    """A server with a camera, and a token or user of every kind."""

    def __init__(self, folder: Path) -> None:
        people = UsersFile(folder / "state")
        people.add_user("ann", "admin", None, PASSWORD)
        people.add_user("vera", "viewer", None, PASSWORD)
        people.add_user("otto", "operator", None, PASSWORD)
        self.tokens = {
            "viewer": people.add_token("viewer", "viewer", None),
            "operator": people.add_token("operator", "operator", None),
            "operator of some": people.add_token("few", "operator", ["door"]),
            "admin of some": people.add_token("some", "admin", ["door"]),
            "embed": people.add_token("embed", "viewer", ["door"], embed=True),
        }
        self.server = PortholeServer(
            *("--port", "0", "door=test:?size=160x90&fps=5"),
            state=folder / "state",
            environment={},
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for all tests here; rejected requests do not change it."""
    site = Site(tmp_path_factory.mktemp("roles"))
    yield site
    site.server.end()


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Return every served method and path, with placeholders filled in."""
    settings = load_settings(["test:"], None, tmp_path_factory.mktemp("routes"), {}, {})
    return [
        (method, re.sub("<[^>]+>", "door", rule.rule))
        for rule in create_app(settings).flask.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]


def payload_of(event: str) -> dict[str, Any]:
    """Return a valid payload for a command."""
    return {name: VALUES[name] for name in COMMANDS[event].model_fields}


@pytest.mark.parametrize("who", ["viewer", "embed"])
def test_viewers_cannot_use_any_command(site: Site, connect: Connect, who: str) -> None:
    """Each is forbidden, and the camera does not change."""
    viewer = connect(site.server, auth={"token": site.tokens[who]})
    before = viewer.call("watch", {"camera": "door"})["camera"]

    replies = {event: viewer.call(event, payload_of(event)) for event in COMMANDS}

    assert {event: reply.get("error") for event, reply in replies.items()} == dict.fromkeys(
        COMMANDS, "forbidden"
    )
    viewer.pump(lambda: len(viewer.arrivals) > 3, 5)
    after = viewer.call("watch", {"camera": "door"})["camera"]
    assert (after["set"], after["state"]) == (before["set"], "live")


def test_operators_can_use_camera_commands(site: Site, connect: Connect) -> None:
    """An operator may use every camera command; those affecting all cameras need access to all."""
    viewer = connect(site.server, auth={"token": site.tokens["operator of some"]})

    for event, command in COMMANDS.items():
        error = viewer.call(event, payload_of(event)).get("error")
        # A value that does not fit the camera is another matter.
        assert (error == "forbidden") == (not issubclass(command, CameraCommand)), (event, error)


@pytest.mark.parametrize(
    "who", ["viewer", "operator", "operator of some", "admin of some", "embed"]
)
def test_admin_paths_are_forbidden_to_others(
    site: Site, routes: list[tuple[str, str]], who: str
) -> None:
    """Every method gets 403 with another role's token, and 401 without a token."""
    paths = [one for one in routes if one[1].startswith(ADMIN)]
    assert len(paths) > 15
    token = site.tokens[who]
    for method, path in paths:
        assert ask_json(site.server, method, path, {}, bearer(token)).status == 403, (method, path)
        shown = ask_json(site.server, method, f"{path}?token={token}").status
        assert shown == (403 if who == "embed" else 401), (method, path)
        assert ask_json(site.server, method, path).status == 401, (method, path)


@pytest.mark.parametrize("name", ["vera", "otto"])
def test_csrf_token_does_not_replace_the_admin_role(
    site: Site, routes: list[tuple[str, str]], name: str
) -> None:
    """A login with a valid CSRF token but another role is forbidden."""
    browser = Visitor(site.server)
    assert browser.log_in(name)[0] == 303
    csrf = browser.csrf("/")
    assert "data-manage" not in browser.ask("GET", "/")[2]

    for method, path in routes:
        if method == "POST" and path.startswith(ADMIN):
            assert browser.send_json(path, {}, csrf)[0] == 403, path


def test_changing_paths_require_an_admin(routes: list[tuple[str, str]]) -> None:
    """All changes except users' own and operators' are below the admin path."""
    changing = {path for method, path in routes if method != "GET"}

    assert {path for path in changing if not path.startswith(ADMIN + "/")} == (
        OWN_PATHS | OPERATORS
    )
