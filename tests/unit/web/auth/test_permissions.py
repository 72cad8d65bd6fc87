"""Permissions of each role."""

import ast
import re
from pathlib import Path

import pytest

from server.commands import COMMANDS
from server.users.needs import Need
from server.users.users import OPEN, Person
from server.web.auth.permissions import ASKS_FOR_BASIC, NEEDS, NOWHERE, area_of, may

ROOT = Path(__file__).resolve().parents[4]

VIEWER = Person("vera", "viewer")
OPERATOR = Person("otto", "operator")
ADMIN = Person("ann", "admin")
DOOR_VIEWER = Person("dora", "viewer", frozenset({"door"}))
DOOR_OPERATOR = Person("dan", "operator", frozenset({"door"}))
BLIND = Person("ben", "operator", frozenset())

SEEING = (
    "connect",
    "watch",
    "unwatch",
    "clock",
    "notices",
    "/",
    "/video_feed",
    "/stream",
    "/snapshot",
    "/clip",
    "/api",
    "/readyz",
)
CONTROLLING = (
    *(
        "start",
        "stop",
        "fps",
        "quality",
        "control",
        "reset",
        "preset",
        "record",
        "motion",
        "timelapse",
    ),
)
PUBLIC = ("/healthz", "/login", "/logout")


@pytest.mark.parametrize("what", SEEING)
def test_known_users_may_view(what: str) -> None:
    """Viewers and operators may see; unknown people may not."""
    assert may(VIEWER, what)
    assert may(OPERATOR, what)
    assert may(OPEN, what)
    assert not may(None, what)


@pytest.mark.parametrize("what", CONTROLLING)
def test_only_operators_may_control_cameras(what: str) -> None:
    """A viewer controls nothing; an operator, or anyone on an open server, everything."""
    assert not may(VIEWER, what, "door")
    assert may(OPERATOR, what, "door")
    assert may(OPEN, what, "door")
    assert not may(None, what, "door")


@pytest.mark.parametrize("what", ["/api/admin", "/api/admin/cameras/door"])
def test_only_admins_change_cameras_and_people(what: str) -> None:
    """Operators may not, nor admins of only some cameras, since it concerns all of them."""
    assert may(ADMIN, what)
    assert may(OPEN, what)
    assert not may(OPERATOR, what)
    assert not may(Person("adi", "admin", frozenset({"door"})), what)
    assert not may(None, what)
    assert may(VIEWER, "/api/administrators"), "only what is below the path"


@pytest.mark.parametrize("what", PUBLIC)
def test_public_paths_need_no_login(what: str) -> None:
    """Anyone may get what a login page needs, and whether the server is alive."""
    assert may(None, what)
    assert may(BLIND, what)


@pytest.mark.parametrize("what", [*SEEING[1:3], *CONTROLLING, "/video_feed", "/snapshot"])
def test_users_are_limited_to_their_cameras(what: str) -> None:
    """An operator of one camera cannot touch another."""
    assert may(DOOR_OPERATOR, what, "door")
    assert not may(DOOR_OPERATOR, what, "yard")
    assert not may(BLIND, what, "door")


def test_server_wide_actions_need_every_camera() -> None:
    """Shutting down, and all cameras' figures, are not for users who see only some."""
    assert may(OPERATOR, "quit")
    assert not may(DOOR_OPERATOR, "quit")
    assert not may(VIEWER, "quit")
    assert may(VIEWER, "/metrics")
    assert not may(DOOR_VIEWER, "/metrics")


@pytest.mark.parametrize("what", ["", NOWHERE, "delete", "/admin", "FPS", "watch "])
def test_unlisted_actions_are_denied(what: str) -> None:
    """A new action is denied until the table lists it."""
    assert not may(OPEN, what)
    assert not may(OPERATOR, what)


def test_the_table_has_every_event_and_route() -> None:
    """Every event the server answers and every path it serves has a row."""
    events = (ROOT / "server/web/socket/events.py").read_text(encoding="utf-8")
    answered = [*re.findall(r'self\._answer\(\s*"(\w+)"', events), *COMMANDS]
    routes = []
    for name in ("routes.py", "login.py"):
        tree = ast.parse((ROOT / "server/web/http" / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "routes.get",
                "routes.post",
            ):
                routes.append(ast.literal_eval(node.args[0]))

    assert {"watch", "quit"} <= set(answered)
    assert {"/", "/login", "/video_feed/<camera>"} <= set(routes)
    assert {*answered, *map(area_of, routes)} <= set(NEEDS)


def test_exactly_the_commands_need_an_operator() -> None:
    """The audit log covers exactly the events that need an operator."""
    operators = {
        what for what, need in NEEDS.items() if need in (Need.OPERATOR, Need.OPERATOR_OF_ALL)
    }

    assert {*CONTROLLING, "quit"} == set(COMMANDS) == operators


@pytest.mark.parametrize(
    ("path", "action", "area"),
    [
        ("/", None, "/"),
        ("/", "stream", "/video_feed"),
        ("/", "snapshot", "/snapshot"),
        ("/", "snapshot_1", "/snapshot"),
        ("/", "stream_0", "/video_feed"),
        ("/", "stream_", NOWHERE),
        ("/", "stream_\u0661", NOWHERE),
        ("/", "snapshot\n", NOWHERE),
        ("/", "other", NOWHERE),
        ("/", "", NOWHERE),
        ("/video_feed/door", None, "/video_feed"),
        ("/snapshot/door.jpg", "stream", "/snapshot"),
        ("/api/cameras", None, "/api"),
        ("//api/cameras", None, "/api"),
    ],
)
def test_path_is_mapped_to_its_area(path: str, action: str | None, area: str) -> None:
    """A path belongs to its first part; mjpg-streamer's queries to what they mean."""
    assert area_of(path, action) == area


def test_only_machine_paths_ask_for_basic_auth() -> None:
    """The dashboard's own page never makes a browser ask for a password."""
    assert {"/video_feed", "/stream", "/snapshot", "/clip", "/api"} == ASKS_FOR_BASIC
