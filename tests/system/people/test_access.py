"""Access from other devices, chosen on the page; a real server restarts with it."""

import json
import socket
from pathlib import Path
from typing import Any

from tests.support.browser.visitor import PASSWORD, Visitor
from tests.support.clients.admin_api import ask_json
from tests.support.network.reverse_proxy import free_ports
from tests.support.servers.server import PortholeServer, wait_until

ACCESS = "/api/admin/access"
NETWORK = {"host": "0.0.0.0"}


def test_failed_access_change_is_reverted(tmp_path: Path) -> None:
    """A server that cannot listen on the chosen address returns to the old one.

    An admin opens a bare machine to the network without a terminal, and stays logged in.
    """
    (port,) = free_ports(1)
    server = PortholeServer(
        *("--port", str(port), "test:?size=160x90&fps=5"),
        state=tmp_path / "state",
        environment={},
        program=("manage.py",),
    )
    try:
        browser = Visitor(server)
        assert ask_json(server, "GET", ACCESS).data["users"] is False
        assert browser.send_json(ACCESS, NETWORK, "")[0] == 403
        ann = {"name": "ann", "role": "admin", "cameras": None, "password": PASSWORD}
        assert browser.send_json("/api/admin/people/users", ann, "")[0] == 201
        csrf = browser.csrf("/")
        assert browser.send_json(ACCESS, NETWORK, "guess")[0] == 403

        with socket.create_server(("127.0.0.2", port)):  # Now listening on all addresses fails.
            assert choose(browser, NETWORK, csrf) == {"restarts": True}
            wait_until(lambda: starts(server) == 2)
            told = json.loads(browser.ask("GET", ACCESS)[2])
            assert told["host"] == "127.0.0.1"
            assert "cannot listen there" in told["failed"]

        assert choose(browser, NETWORK, csrf) == {"restarts": True}
        wait_until(lambda: starts(server) == 3)
        told = json.loads(browser.ask("GET", ACCESS)[2])
        assert (told["host"], told["failed"]) == ("0.0.0.0", "")
        assert choose(browser, NETWORK, csrf) == {"restarts": False}
    finally:
        assert server.stop() == 0


def choose(browser: Visitor, choice: dict[str, str], csrf: str) -> Any:
    status, _, text = browser.send_json(ACCESS, choice, csrf)
    assert status == 200, text
    return json.loads(text)


def starts(server: PortholeServer) -> int:
    return sum("Ctrl-C stops it." in line for line in server.log)
