"""Users of servers, made as the commands make them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from server.users.users import Role, UsersFile
from tests.support.browser.visitor import (
    PASSWORD,
)
from tests.support.servers.server import FORK_SERVER, PortholeServer

__all__ = ["CAMERAS", "Users", "people", "server"]

Start = Callable[..., PortholeServer]

CAMERAS = ("door=test:?size=320x180&fps=5", "yard=test:?size=320x180&fps=5")


class Users:
    """The commands that manage users and access."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def run(self, *arguments: str, password: str = "") -> subprocess.CompletedProcess[str]:
        return FORK_SERVER.run([*arguments, "--state", str(self._state)], {}, password + "\n")

    # Written straight into the file, as the commands do; these are tested in tests/system/people.

    def add(self, name: str, role: Role, *cameras: str) -> None:
        UsersFile(self._state).add_user(name, role, list(cameras) or None, PASSWORD)

    def token(self, name: str, role: Role, *cameras: str) -> str:
        return UsersFile(self._state).add_token(name, role, list(cameras) or None)


@pytest.fixture
def people(tmp_path: Path) -> Users:
    """Users of the servers that this test starts."""
    return Users(tmp_path / "state")


@pytest.fixture
def server(start_server: Start, people: Users) -> PortholeServer:
    """Two cameras, open to the network; ada operates, vera views, dora views the yard only."""
    people.add("ada", "operator")
    people.add("vera", "viewer")
    people.add("dora", "viewer", "yard")
    return start_server(*CAMERAS, "--host", "0.0.0.0")
