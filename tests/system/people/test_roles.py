"""What each role may do, tried for every command and every path that there is.

The lists come from the server itself: what is added later is tried without anybody thinking of it.
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

# A good value for each field of a command; one for a field that is new is added here.
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

# What changes something and is for everybody: their own login, password and views. Who may change
# shared views is in unit/web/http/test_views.py.
ONES_OWN = {"/login", "/logout", "/api/password", "/api/views", "/api/views/door"}
# Clips that one has had made: unit/web/past/test_clips.py.
ONES_OWN |= {"/api/clips", "/api/clips/door"}

# What operators change: unit/web/past/test_library.py, system/live/test_timelapse.py.
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
    """One server for all tests here; nothing that is refused changes it."""
    site = Site(tmp_path_factory.mktemp("roles"))
    yield site
    site.server.end()


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Every method and path that is served, with a name where one belongs."""
    settings = load_settings(["test:"], None, tmp_path_factory.mktemp("routes"), {}, {})
    return [
        (method, re.sub("<[^>]+>", "door", rule.rule))
        for rule in create_app(settings).flask.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]


def payload_of(event: str) -> dict[str, Any]:
    """Return what a command can be sent with."""
    return {name: VALUES[name] for name in COMMANDS[event].model_fields}


@pytest.mark.parametrize("who", ["viewer", "embed"])
def test_every_command_of_a_viewer_is_refused(site: Site, connect: Connect, who: str) -> None:
    """Each is answered as forbidden, and the camera stays as it was."""
    viewer = connect(site.server, auth={"token": site.tokens[who]})
    before = viewer.call("watch", {"camera": "door"})["camera"]

    replies = {event: viewer.call(event, payload_of(event)) for event in COMMANDS}

    assert {event: reply.get("error") for event, reply in replies.items()} == dict.fromkeys(
        COMMANDS, "forbidden"
    )
    viewer.pump(lambda: len(viewer.arrivals) > 3, 5)
    after = viewer.call("watch", {"camera": "door"})["camera"]
    assert (after["set"], after["state"]) == (before["set"], "live")


def test_the_same_commands_of_an_operator_are_not(site: Site, connect: Connect) -> None:
    """What was refused above was so for the role alone; what affects all is not for some."""
    viewer = connect(site.server, auth={"token": site.tokens["operator of some"]})

    for event, command in COMMANDS.items():
        error = viewer.call(event, payload_of(event)).get("error")
        # That a value does not fit the camera would be another thing.
        assert (error == "forbidden") == (not issubclass(command, CameraCommand)), (event, error)


@pytest.mark.parametrize(
    "who", ["viewer", "operator", "operator of some", "admin of some", "embed"]
)
def test_every_path_of_admins_is_refused_to_others(
    site: Site, routes: list[tuple[str, str]], who: str
) -> None:
    """By whatever method; and without a token, nobody is told more than that one is needed."""
    paths = [one for one in routes if one[1].startswith(ADMIN)]
    assert len(paths) > 15
    token = site.tokens[who]
    for method, path in paths:
        assert ask_json(site.server, method, path, {}, bearer(token)).status == 403, (method, path)
        shown = ask_json(site.server, method, f"{path}?token={token}").status
        assert shown == (403 if who == "embed" else 401), (method, path)
        assert ask_json(site.server, method, path).status == 401, (method, path)


@pytest.mark.parametrize("name", ["vera", "otto"])
def test_a_login_with_its_pages_token_is_refused_too(
    site: Site, routes: list[tuple[str, str]], name: str
) -> None:
    """It is the role that is missing, not the form's token."""
    browser = Visitor(site.server)
    assert browser.log_in(name)[0] == 303
    csrf = browser.csrf("/")
    assert "data-manage" not in browser.ask("GET", "/")[2]

    for method, path in routes:
        if method == "POST" and path.startswith(ADMIN):
            assert browser.send_json(path, {}, csrf)[0] == 403, path


def test_whatever_changes_something_is_for_admins(routes: list[tuple[str, str]]) -> None:
    """All but what is everybody's own, or operators', is below the path of admins."""
    changing = {path for method, path in routes if method != "GET"}

    assert {path for path in changing if not path.startswith(ADMIN + "/")} == (ONES_OWN | OPERATORS)
