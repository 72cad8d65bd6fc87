"""Who may open a socket, what it receives, and when it ends."""

import json
import time
from collections.abc import Callable

import pytest

from tests.support.browser.visitor import (
    GONE_S,
    Visitor,
    basic,
    bearer,
    hello_of,
    is_gone,
    refused,
)
from tests.support.clients.client import MjpegViewer, Viewer
from tests.support.servers.server import PortholeServer, last_event, wait_until
from tests.support.servers.users import CAMERAS, Users

Connect = Callable[..., Viewer]
Start = Callable[..., PortholeServer]


def test_socket_requires_a_login(server: PortholeServer, connect: Connect) -> None:
    """Without a login the connection is rejected with a reason, and learns nothing of cameras."""
    assert refused(connect, server) == {
        "message": "log in first",
        "data": {"code": "unauthorized"},
    }
    for auth in ({"token": "wrong"}, {"token": 7}, {"token": None}, {}, {"token": {"a": 1}}):
        refusal = refused(connect, server, auth=auth)
        assert refusal["data"]["code"] == "unauthorized", auth
    for headers in ({"Authorization": "Bearer x"}, basic("ada"), {"Cookie": "porthole_x=y"}):
        assert refused(connect, server, headers=headers)["data"]["code"] == "unauthorized"


def test_rejected_socket_is_closed(server: PortholeServer) -> None:
    """A rejected client does not stay connected."""
    viewer = Viewer("127.0.0.1", server.port)
    with pytest.raises(ConnectionError):
        viewer.connect()
    viewer.closed = False

    viewer.sock.settimeout(5)
    assert viewer.sock.recv(100)[:1] in (b"", b"\x88")
    viewer.close()


def test_cookie_requires_our_own_origin(server: PortholeServer, connect: Connect) -> None:
    """A cookie opens the socket only together with our own page's Origin."""
    visitor = Visitor(server)
    visitor.log_in("ada")

    alone = refused(connect, server, headers={"Cookie": visitor.cookie})
    foreign = visitor.headers | {"Origin": "http://evil.example"}

    assert alone["data"]["code"] == "forbidden"
    assert refused(connect, server, headers=foreign) is None, "not even a WebSocket"
    hello = hello_of(connect(server, headers=visitor.headers))
    assert (hello["user"], hello["role"]) == ("ada", "operator")


def test_tokens_open_the_socket(server: PortholeServer, people: Users, connect: Connect) -> None:
    """A token works in the header and in the auth payload; programs need no Origin."""
    token = people.token("octo", "operator")
    wait_until(lambda: Visitor(server).ask("GET", "/api/cameras", bearer(token))[0] == 200)

    by_header = connect(server, headers=bearer(token))
    by_payload = connect(server, auth={"token": token})

    assert hello_of(by_header)["user"] == "octo"
    assert hello_of(by_payload)["role"] == "operator"
    assert by_payload.call("fps", {"camera": "door", "fps": 9})["ok"]
    by_header.pump(lambda: bool(last_event(by_header, "notice")), 5)
    assert last_event(by_header, "notice")["message"].endswith("9 fps by octo")


def test_without_users_everybody_is_an_operator(start_server: Start, connect: Connect) -> None:
    """On loopback without users everybody is operator and has no name."""
    hello = hello_of(connect(start_server("test:")))

    assert (hello["user"], hello["role"]) == (None, "operator")


def test_operator_names_are_hidden_from_viewers(server: PortholeServer, connect: Connect) -> None:
    """A viewer who knew an operator's name could try passwords for it, or lock it.

    Names appear neither in live events, nor in the history, nor in any other event.
    """
    ada, vera, dora = (Visitor(server) for _ in range(3))
    for visitor, name in ((ada, "ada"), (vera, "vera"), (dora, "dora")):
        visitor.log_in(name)
    operator, *viewers = (connect(server, headers=one.headers) for one in (ada, vera, dora))

    operator.call("stop", {"camera": "yard"})
    operator.call("start", {"camera": "yard"})
    operator.call("fps", {"camera": "yard", "fps": 9})
    for viewer in (operator, *viewers):
        viewer.pump(lambda viewer=viewer: "9 fps" in str(viewer.events), 5)

    message = "yard set to 9 fps by "
    assert last_event(operator, "notice")["message"].lower() == message + "ada"
    for viewer in viewers:
        assert last_event(viewer, "notice")["message"].lower() == message + "an operator"
        history = viewer.call("notices", {})
        assert history["notices"][-1] == last_event(viewer, "notice")
        assert "ada" not in str(viewer.events) + str(history)


def test_unlisted_cameras_are_hidden(
    server: PortholeServer, people: Users, connect: Connect
) -> None:
    """A camera that is not on the list is visible on no path."""
    visitor = Visitor(server)
    visitor.log_in("dora")
    dora = connect(server, headers=visitor.headers)
    token = people.token("octo", "operator")
    wait_until(lambda: visitor.ask("GET", "/api/cameras", bearer(token))[0] == 200)
    ada = connect(server, headers=bearer(token))

    assert [camera["name"] for camera in hello_of(dora)["cameras"]] == ["yard"]
    hidden = [dora.call(event, {"camera": "door"}) for event in ("watch", "unwatch")]
    missing = dora.call("watch", {"camera": "nowhere"})
    for camera in ("door", "yard"):
        ada.call("watch", {"camera": camera})
        ada.call("quality", {"camera": camera, "quality": 42})
    ada.pump(lambda: len(ada.arrivals) > 20 and last_event(ada, "stats") is not None, 10)
    dora.pump(lambda: [name for name, _ in dora.events].count("stats") >= 2, 5)

    assert {reply["error"] for reply in hidden} == {"unknown_camera"}
    assert hidden[0]["message"].replace("door", "nowhere") == missing["message"]
    told = [(name, data) for name, data in dora.events if name != "hello"]
    assert {data["name"] for name, data in told if name == "camera"} == {"yard"}
    assert {data["camera"] for name, data in told if name == "notice"} == {"yard"}
    assert {tuple(data["cameras"]) for name, data in told if name == "stats"} == {("yard",)}
    assert dora.arrivals == []
    assert "door" not in json.dumps(told).replace("indoor", "")
    assert set(last_event(ada, "stats")["cameras"]) == {"door", "yard"}

    by_basic = basic("dora")
    assert [c["name"] for c in json.loads(visitor.ask("GET", "/api/cameras")[2])] == ["yard"]
    for path in ("/snapshot/door.jpg", "/video_feed/door"):
        hidden_page = Visitor(server).ask("GET", path, by_basic)
        missing_page = Visitor(server).ask("GET", path.replace("door", "nowhere"), by_basic)
        assert hidden_page[0] == missing_page[0] == 404
        assert hidden_page[2].replace("door", "nowhere") == missing_page[2]
    assert Visitor(server).ask("GET", "/snapshot", by_basic)[0] == 200, "the first one is the yard"
    elsewhere = {"X-Forwarded-For": "203.0.113.9"}
    assert visitor.ask("GET", "/metrics", elsewhere)[0] == 403
    assert "yard" in visitor.ask("GET", "/snapshot/nowhere.jpg")[2]


# How sockets end.


def test_logout_closes_only_that_browsers_sockets(server: PortholeServer, connect: Connect) -> None:
    """Its sockets close within a second; the same user elsewhere goes on."""
    here, there = Visitor(server), Visitor(server)
    for visitor in (here, there):
        visitor.log_in("ada")
    leaving = connect(server, headers=here.headers)
    staying = connect(server, headers=there.headers)
    for viewer in (leaving, staying):
        viewer.call("watch", {"camera": "door"})
    stolen = dict(here.headers)

    status, _, _ = here.ask("POST", "/logout", csrf=here.csrf("/"))

    assert status == 303
    assert is_gone(leaving)
    assert refused(connect, server, headers=stolen)["data"]["code"] == "unauthorized"
    count = len(staying.arrivals)
    staying.pump(lambda: len(staying.arrivals) > count + 3, 5)


@pytest.mark.parametrize(
    "command",
    [
        ("user", "remove", "vera"),
        ("user", "passwd", "vera", "--password-stdin"),
        ("user", "change", "vera", "--role", "operator"),
        ("user", "change", "vera", "--camera", "yard"),
    ],
    ids=["remove", "passwd", "role", "cameras"],
)
def test_changed_user_is_disconnected_everywhere(
    server: PortholeServer, people: Users, connect: Connect, command: tuple[str, ...]
) -> None:
    """Sockets and feeds end within a second of the command; those of other users go on."""
    vera, ada = Visitor(server), Visitor(server)
    vera.log_in("vera")
    ada.log_in("ada")
    socket = connect(server, headers=vera.headers)
    other = connect(server, headers=ada.headers)
    for viewer in (socket, other):
        viewer.call("watch", {"camera": "door"})
    feed = Feed("127.0.0.1", server.port, headers=basic("vera"))
    feed.connect()
    wait_until(lambda: feed.read() or feed.arrivals)

    done = people.run(*command, password="another horse")
    since = time.monotonic()

    assert done.returncode == 0, done.stderr
    assert is_gone(socket)
    feed.sock.settimeout(GONE_S)
    while not feed.closed and time.monotonic() - since < 2 * GONE_S:
        feed.read()
    ended = feed.closed
    feed.close()
    assert ended, "the feed goes on"
    assert vera.ask("GET", "/")[0] == 303
    count = len(other.arrivals)
    other.pump(lambda: len(other.arrivals) > count + 3, 5)


class Feed(MjpegViewer):
    """An authenticated MJPEG feed."""

    def __init__(self, host: str, port: int, headers: dict[str, str]) -> None:
        super().__init__(host, port)
        self._more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    def connect(self) -> None:
        super(MjpegViewer, self).connect()
        head = f"GET /video_feed/door HTTP/1.0\r\nHost: {self.host}:{self.port}\r\n{self._more}\r\n"
        self.sock.sendall(head.encode())
        self.sock.setblocking(False)


def test_removing_a_token_closes_its_socket(
    server: PortholeServer, people: Users, connect: Connect
) -> None:
    """Its socket ends within a second, and it no longer opens anything."""
    token = people.token("octo", "viewer")
    wait_until(lambda: Visitor(server).ask("GET", "/api/cameras", bearer(token))[0] == 200)
    viewer = connect(server, auth={"token": token})

    people.run("token", "remove", "octo")

    assert is_gone(viewer)
    assert Visitor(server).ask("GET", "/api/cameras", bearer(token))[0] == 401


def test_first_user_disconnects_anonymous_clients(
    start_server: Start, people: Users, connect: Connect
) -> None:
    """Clients connected without a name are disconnected, and have to log in."""
    server = start_server("test:")
    viewer = connect(server)

    people.add("ada", "operator")

    assert is_gone(viewer)
    assert refused(connect, server)["data"]["code"] == "unauthorized"


def test_login_survives_kill_and_restart(
    start_server: Start, people: Users, connect: Connect
) -> None:
    """A browser resumes by itself after kill -9."""
    people.add("ada", "operator")
    first = start_server(*CAMERAS, "--host", "0.0.0.0")
    visitor = Visitor(first)
    visitor.log_in("ada")
    first.kill()

    again = Visitor(start_server(*CAMERAS, "--host", "0.0.0.0", "--port", str(first.port)))
    again.cookie = visitor.cookie

    assert again.ask("GET", "/")[0] == 200
    assert hello_of(connect(again.server, headers=again.headers))["user"] == "ada"
