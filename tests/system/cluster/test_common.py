"""What web nodes share: users, logins, rate limits; and a bus over TLS."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from server.users.users import UsersFile
from tests.support.browser.visitor import PASSWORD, Visitor, is_gone, refused
from tests.support.clients.client import Viewer
from tests.support.servers.cluster import PASSWORD as BUS_PASSWORD
from tests.support.servers.cluster import RedisServer, cameras_of, expect_cameras
from tests.support.servers.server import PortholeServer, last_event, wait_until

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]


@pytest.fixture
def webs(start_node: Start, tmp_path: Path) -> tuple[PortholeServer, PortholeServer]:
    """Two web nodes; ada was created on the first before it started, and reaches the second."""
    UsersFile(tmp_path / "one").add_user("ada", "operator", None, PASSWORD)
    return start_node("web", state="one"), start_node("web", state="two")


def elsewhere(visitor: Visitor, web: PortholeServer) -> Visitor:
    """Return the same browser, connected to another node."""
    other = Visitor(web)
    other.cookie = visitor.cookie
    return other


def test_login_is_valid_on_every_node(
    webs: tuple[PortholeServer, PortholeServer], connect: Connect
) -> None:
    """A login at one node is valid at the other immediately, and logging out ends both."""
    here = Visitor(webs[0])
    here.log_in("ada")
    there = elsewhere(here, webs[1])

    status, _, text = there.ask("GET", "/")
    viewer = connect(webs[1], headers=there.headers)
    viewer.pump(lambda: last_event(viewer, "hello") is not None, 5)
    here.ask("POST", "/logout", csrf=here.csrf("/"))

    assert status == 200
    assert "ada" in text
    assert last_event(viewer, "hello")["user"] == "ada"
    assert is_gone(viewer)
    assert elsewhere(there, webs[1]).ask("GET", "/")[0] == 303


def test_user_changes_reach_every_node(
    webs: tuple[PortholeServer, PortholeServer], connect: Connect, tmp_path: Path
) -> None:
    """Adding or removing a user in one node's folder takes effect on the other a moment later."""
    two = UsersFile(tmp_path / "two")

    two.add_user("bob", "viewer", None, PASSWORD)
    wait_until(lambda: "bob" in UsersFile(tmp_path / "one").load().users, 3)
    token = UsersFile(tmp_path / "one").add_token("printer", "viewer", None)
    wait_until(lambda: "printer" in two.load().tokens, 3)
    viewer = wait_until(lambda: connect_if_known(connect, webs[1], token), 3)
    UsersFile(tmp_path / "one").remove_token("printer")

    assert is_gone(viewer, 3)
    assert refused(connect, webs[1], auth={"token": token})


def connect_if_known(connect: Connect, web: PortholeServer, token: str) -> Viewer | None:
    try:
        return connect(web, auth={"token": token})
    except ConnectionError:
        return None


def test_login_attempts_are_counted_across_nodes(
    webs: tuple[PortholeServer, PortholeServer],
) -> None:
    """Password attempts at one node count at the other."""
    tries = [Visitor(webs[number % 2]).log_in("ada", "wrong")[0] for number in range(12)]

    assert tries[:10] == [401] * 10
    assert tries[10:] == [429] * 2


@pytest.mark.usefixtures("own_redis")
def test_logins_work_and_are_limited_without_the_bus(
    webs: tuple[PortholeServer, PortholeServer], bus: RedisServer
) -> None:
    """Without the bus people stay logged in, can log in, and still cannot guess endlessly."""
    here = Visitor(webs[0])
    here.log_in("ada")
    wait_until(lambda: elsewhere(here, webs[1]).ask("GET", "/")[0] == 200, 3)

    bus.kill()
    status = elsewhere(here, webs[1]).ask("GET", "/")[0]
    late = Visitor(webs[0])
    late_status = late.log_in("ada")[0]
    tries = [Visitor(webs[1]).log_in("ada", "wrong")[0] for _ in range(11)]
    bus.start()

    assert status == 200
    assert late_status == 303
    assert tries[-1] == 429
    # Nodes restore what Redis lost.
    wait_until(lambda: elsewhere(late, webs[1]).ask("GET", "/")[0] == 200, 5)


def test_new_node_adopts_the_shared_users(
    webs: tuple[PortholeServer, PortholeServer], start_node: Start, tmp_path: Path
) -> None:
    """A new node adopts the users on the bus, and sets its own aside."""
    UsersFile(tmp_path / "three").add_user("mallory", "operator", None, PASSWORD)

    start_node("web", state="three")

    assert set(UsersFile(tmp_path / "three").load().users) == {"ada"}
    assert "mallory" in (tmp_path / "three" / "people.before-bus.json").read_text()


@pytest.mark.usefixtures("own_redis")
def test_nodes_connect_to_the_bus_over_tls(tmp_path: Path, bus: RedisServer) -> None:
    """A bus with a certificate, a user and a password works; an unknown certificate is rejected."""
    bus.stop()
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    redis = subprocess.Popen(
        [
            *("redis-server", "--port", "0", "--tls-port", str(bus.port), "--save", ""),
            *("--tls-cert-file", str(tmp_path / "cert.pem")),
            *("--tls-key-file", str(tmp_path / "key.pem"), "--tls-auth-clients", "no"),
            *("--user", "porthole", "on", f">{BUS_PASSWORD}", "~here:*", "&here:*"),
            # The permissions that docs/scaling.md recommends.
            *("+@read", "+@write", "+@pubsub", "+@scripting", "+@connection", "+@transaction"),
            "-@dangerous",
        ],
        stdout=subprocess.DEVNULL,
    )
    url = f"rediss://porthole:{BUS_PASSWORD}@localhost:{bus.port}/0"
    trusted = {"PORTHOLE_BUS": f"{url}?ssl_ca_certs={tmp_path / 'cert.pem'}"}
    trusted["PORTHOLE_BUS_PREFIX"] = "here"
    nodes: list[PortholeServer] = []
    try:
        wait_until(lambda: connects(bus.port), 5)
        for command, arguments in (("camera", ["door=test:?fps=10"]), ("web", ["--port", "0"])):
            state = tmp_path / command
            nodes.append(
                PortholeServer(*arguments, command=command, state=state, environment=trusted)
            )
        expect_cameras(nodes[1], "door")
        viewer = Viewer("127.0.0.1", nodes[1].port)
        viewer.connect()
        assert viewer.call("watch", {"camera": "door"})["ok"]
        viewer.pump(lambda: len(viewer.arrivals) > 5, 10)
        viewer.close()
        with pytest.raises(AssertionError, match="cannot be reached"):
            PortholeServer(
                *("--port", "0"),
                command="web",
                state=tmp_path / "stranger",
                environment={"PORTHOLE_BUS": url},
            )
        assert set(cameras_of(nodes[1])) == {"door"}
        UsersFile(tmp_path / "web").add_user("ada", "operator", None, PASSWORD)
        visitor = Visitor(nodes[1])
        wait_until(lambda: visitor.ask("GET", "/")[0] == 303, 5)
        assert visitor.log_in("ada", "wrong")[0] == 401
        assert visitor.log_in("ada")[0] == 303
    finally:
        ended = [node.stop() for node in nodes]
        redis.kill()
        redis.wait(10)
    assert ended == [0, 0]
    log = "\n".join(line for node in nodes for line in node.log)
    assert BUS_PASSWORD not in log
    assert "the bus is unavailable" not in log


def connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
