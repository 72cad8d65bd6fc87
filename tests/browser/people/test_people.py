"""Users, roles and tokens, against real servers that listen on every address."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from server.users.users import Role, UsersFile
from tests.support.browser.chromium import SMALL, log_in_by_hand, log_out
from tests.support.browser.visitor import (
    GONE_S,
    PASSWORD,
    Visitor,
    basic,
    bearer,
    hello_of,
    is_gone,
    refused,
)
from tests.support.clients.client import MjpegViewer, Viewer
from tests.support.servers.server import FORK_SERVER, PortholeServer, last_event, wait_until

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

CAMERAS = ("door=test:?size=320x180&fps=5", "yard=test:?size=320x180&fps=5")


class Users:
    """The commands that say who may come in."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def run(self, *arguments: str, password: str = "") -> subprocess.CompletedProcess[str]:
        return FORK_SERVER.run([*arguments, "--state", str(self._state)], {}, password + "\n")

    # Straight into the file, as the commands do; they themselves are tested below.

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


# Starting.


def test_an_address_for_others_needs_users(people: Users) -> None:
    """Without users the server does not start there, and one line says how to make one."""
    done = people.run("run", "test:", "--host", "0.0.0.0", "--port", "0")

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "python manage.py user add NAME --role operator" in done.stderr


def test_a_broken_list_of_users_opens_nothing(people: Users, tmp_path: Path) -> None:
    """Not even on loopback: a file that cannot be read is no empty one."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "people.json").write_text('{"users": {"ad')

    done = people.run("run", "test:", "--port", "0")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "people.json" in done.stderr


def test_the_commands_say_what_they_do(people: Users) -> None:
    """Users and tokens are listed by name, role and cameras; mistakes are one line, exit code 2."""
    add = ("user", "add", "ada", "--role", "operator", "--password-stdin")
    assert (
        people.run(*add, password=PASSWORD).stdout == "User ada may see and control all cameras.\n"
    )
    people.add("dora", "viewer", "yard", "door")
    token = people.run("token", "add", "octo", "--role", "viewer").stdout

    assert people.run("user", "list").stdout.splitlines() == [
        "ada   operator  all cameras",
        "dora  viewer    door, yard",
    ]
    listed = people.run("token", "list").stdout
    assert listed == "octo  viewer    all cameras\n"
    assert token.startswith("porthole_")
    for command, said in (
        (("user", "add", "ada", "--role", "viewer", "--password-stdin"), "taken"),
        (("user", "add", "a b", "--role", "viewer", "--password-stdin"), "accepted"),
        (("user", "passwd", "bob", "--password-stdin"), "known: ada, dora"),
        (("user", "remove", "bob"), "known: ada, dora"),
        (("user", "change", "ada"), "accepted"),
        (("token", "remove", "bob"), "known: octo"),
        (("user", "add", "eve", "--role", "viewer"), "--password-stdin"),
    ):
        done = people.run(*command, password=PASSWORD)
        assert (done.returncode, done.stdout) == (2, ""), command
        assert len(done.stderr.splitlines()) == 1, command
        assert said in done.stderr
        assert PASSWORD not in done.stderr


# HTTP.


def test_paths_by_who_asks(server: PortholeServer, people: Users) -> None:
    """Pages lead to the login, machine paths say 401, and only where it helps ask for Basic."""
    nobody = Visitor(server)
    elsewhere = {"X-Forwarded-For": "203.0.113.9"}

    assert nobody.ask("GET", "/healthz")[0] == 200
    # Not while the server is late, as it may be on a busy machine.
    wait_until(lambda: nobody.ask("GET", "/readyz")[0] == 200)
    assert nobody.ask("GET", "/metrics")[0] == 200, "asked from this machine"
    status, headers, _ = nobody.ask("GET", "/")
    assert (status, headers["Location"]) == (303, "login")
    for path in ("/readyz", "/metrics"):
        status, headers, _ = nobody.ask("GET", path, elsewhere)
        assert (status, headers["WWW-Authenticate"]) == (401, None)
    for path in (
        "/video_feed",
        "/snapshot",
        "/snapshot/door.jpg",
        "/api/cameras",
        "/?action=stream",
    ):
        status, headers, _ = nobody.ask("GET", path)
        assert status == 401
        assert headers["WWW-Authenticate"].startswith("Basic ")

    token = people.token("octo", "viewer")
    wait_until(lambda: nobody.ask("GET", "/api/cameras", bearer(token))[0] == 200)
    for how in (bearer(token), basic("vera")):
        assert nobody.ask("GET", "/snapshot/door.jpg", how)[0] == 200
        assert nobody.ask("GET", "/?action=snapshot", how)[0] == 200
    for path in ("/", "/metrics"):
        assert nobody.ask("GET", path, bearer(token) | elsewhere)[0] == 200
    wait_until(lambda: nobody.ask("GET", "/readyz", bearer(token) | elsewhere)[0] == 200)


def test_cookies_and_headers(server: PortholeServer) -> None:
    """The cookie is out of scripts' and other sites' reach; every page forbids what it can."""
    visitor = Visitor(server)

    status, headers, _ = visitor.log_in("ada")

    assert (status, headers["Location"]) == (303, "./")
    assert {"HttpOnly", "SameSite=Lax"} <= set(headers["Set-Cookie"].split("; "))
    for path in ("/", "/login", "/static/js/main.js"):
        _, headers, _ = visitor.ask("GET", path)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_forms_need_their_token(server: PortholeServer) -> None:
    """Without the token of the page, and from another site, a form does nothing."""
    visitor = Visitor(server)
    form = {"name": "ada", "password": PASSWORD}

    assert visitor.ask("POST", "/login", csrf="made up", **form)[0] == 400
    assert visitor.ask("GET", "/")[0] == 303
    other = {"Origin": "http://evil.example"}
    assert visitor.ask("POST", "/login", other, csrf=visitor.csrf(), **form)[0] == 403
    visitor.log_in("ada")
    assert visitor.ask("POST", "/logout", csrf="made up")[0] == 400
    assert visitor.ask("GET", "/")[0] == 200


def test_guessing_is_slowed_down(server: PortholeServer, connect: Connect) -> None:
    """After ten tries comes 429 with Retry-After; whoever is in stays in, and pictures go on."""
    inside = Visitor(server)
    inside.log_in("vera")
    viewer = connect(server, headers=inside.headers)
    viewer.call("watch", {"camera": "door"})
    visitor = Visitor(server)

    answers = [visitor.log_in("ada", f"guess number {number}") for number in range(14)]
    count = len(viewer.arrivals)
    viewer.pump(lambda: len(viewer.arrivals) > count + 3, 5)

    codes = [status for status, _, _ in answers]
    assert codes == [401] * 9 + [429] * 5, "vera's own login was one of ten"
    assert 0 < int(answers[-1][1]["Retry-After"]) <= 301
    assert "too many attempts" in answers[-1][2]
    assert inside.ask("GET", "/")[0] == 200


# The socket.


def test_a_socket_needs_somebody(server: PortholeServer, connect: Connect) -> None:
    """Without a login the connection is refused in words, and nothing of the cameras is told."""
    assert refused(connect, server) == {
        "message": "log in first",
        "data": {"code": "unauthorized"},
    }
    for auth in ({"token": "wrong"}, {"token": 7}, {"token": None}, {}, {"token": {"a": 1}}):
        refusal = refused(connect, server, auth=auth)
        assert refusal["data"]["code"] == "unauthorized", auth
    for headers in ({"Authorization": "Bearer x"}, basic("ada"), {"Cookie": "porthole_x=y"}):
        assert refused(connect, server, headers=headers)["data"]["code"] == "unauthorized"


def test_a_refused_socket_is_closed(server: PortholeServer) -> None:
    """A client that was turned away does not stay connected."""
    viewer = Viewer("127.0.0.1", server.port)
    with pytest.raises(ConnectionError):
        viewer.connect()
    viewer.closed = False

    viewer.sock.settimeout(5)
    assert viewer.sock.recv(100)[:1] in (b"", b"\x88")
    viewer.close()


def test_a_cookie_needs_an_origin(server: PortholeServer, connect: Connect) -> None:
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
    """In the header or in the auth payload; a machine needs no Origin."""
    token = people.token("octo", "operator")
    wait_until(lambda: Visitor(server).ask("GET", "/api/cameras", bearer(token))[0] == 200)

    by_header = connect(server, headers=bearer(token))
    by_payload = connect(server, auth={"token": token})

    assert hello_of(by_header)["user"] == "octo"
    assert hello_of(by_payload)["role"] == "operator"
    assert by_payload.call("fps", {"camera": "door", "fps": 9})["ok"]
    by_header.pump(lambda: bool(last_event(by_header, "notice")), 5)
    assert last_event(by_header, "notice")["message"].endswith("9 fps by octo")


def test_an_open_server_has_no_user(start_server: Start, connect: Connect) -> None:
    """On loopback without users everybody is operator and nobody has a name."""
    hello = hello_of(connect(start_server("test:")))

    assert (hello["user"], hello["role"]) == (None, "operator")


def test_viewers_are_not_told_what_operators_are_called(
    server: PortholeServer, connect: Connect
) -> None:
    """A viewer who knew an operator's name could guess at it, or lock it.

    Neither as it happens, nor from what happened before, nor in any other event.
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


def test_a_list_of_cameras_hides_the_rest(
    server: PortholeServer, people: Users, connect: Connect
) -> None:
    """Of a camera that is not on the list nothing is told, on any way."""
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


# The end.


def test_logging_out_ends_that_browser_only(server: PortholeServer, connect: Connect) -> None:
    """Its sockets are closed within a second; the same user elsewhere goes on."""
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
def test_a_changed_user_is_gone_everywhere(
    server: PortholeServer, people: Users, connect: Connect, command: tuple[str, ...]
) -> None:
    """Sockets and feeds end within a second of the command; other users' go on."""
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
    """An MJPEG feed that says who it is."""

    def __init__(self, host: str, port: int, headers: dict[str, str]) -> None:
        super().__init__(host, port)
        self._more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    def connect(self) -> None:
        super(MjpegViewer, self).connect()
        head = f"GET /video_feed/door HTTP/1.0\r\nHost: {self.host}:{self.port}\r\n{self._more}\r\n"
        self.sock.sendall(head.encode())
        self.sock.setblocking(False)


def test_a_removed_token_is_gone(server: PortholeServer, people: Users, connect: Connect) -> None:
    """Its socket ends within a second, and it opens nothing any more."""
    token = people.token("octo", "viewer")
    wait_until(lambda: Visitor(server).ask("GET", "/api/cameras", bearer(token))[0] == 200)
    viewer = connect(server, auth={"token": token})

    people.run("token", "remove", "octo")

    assert is_gone(viewer)
    assert Visitor(server).ask("GET", "/api/cameras", bearer(token))[0] == 401


def test_the_first_user_closes_a_running_server(
    start_server: Start, people: Users, connect: Connect
) -> None:
    """Who was connected without a name is sent away, and has to log in."""
    server = start_server("test:")
    viewer = connect(server)

    people.add("ada", "operator")

    assert is_gone(viewer)
    assert refused(connect, server)["data"]["code"] == "unauthorized"


def test_a_login_survives_kill_and_restart(
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


def test_what_was_done_is_written_down(
    server: PortholeServer, people: Users, connect: Connect, tmp_path: Path
) -> None:
    """Logins, refusals and control actions, with who, what, from where and the result."""
    ada, vera = Visitor(server), Visitor(server)
    ada.log_in("ada")
    vera.log_in("vera")
    operator = connect(server, headers=ada.headers)
    viewer = connect(server, headers=vera.headers)
    operator.call("fps", {"camera": "door", "fps": 7})
    operator.call("stop", {"camera": "nowhere\n\x1b[2J"})
    viewer.call("quit", {})
    vera.ask("POST", "/logout", csrf=vera.csrf("/"))
    done, refused = (tmp_path / "state" / name for name in ("audit.log", "refused.log"))

    wait_until(lambda: done.exists() and "logout" in done.read_text())
    text = done.read_text() + refused.read_text()
    entries = [json.loads(line) for line in text.splitlines()]
    told = [(e["who"], e["what"], e.get("camera"), e.get("value"), e["result"]) for e in entries]
    assert ("ada", "login", None, None, "ok") in told
    assert ("ada", "fps", "door", 7, "ok") in told
    assert ("ada", "stop", "nowhere\n\x1b[2J", None, "unknown_camera") in told
    assert ("vera", "quit", None, None, "forbidden") in told
    assert ("vera", "logout", None, None, "ok") in told
    assert {entry["from"] for entry in entries} == {"127.0.0.1"}
    assert "\x1b" not in text
    assert {path.stat().st_mode & 0o777 for path in (done, refused)} == {0o600}


def test_no_secret_is_in_any_log(server: PortholeServer, people: Users, tmp_path: Path) -> None:
    """Neither passwords nor tokens nor hashes are written anywhere they need not be."""
    token = people.token("octo", "viewer")
    visitor = Visitor(server)
    visitor.log_in("ada")
    wait_until(lambda: visitor.ask("GET", "/api/cameras", bearer(token))[0] == 200)
    visitor.ask("GET", "/snapshot", basic("vera"))
    visitor.ask("GET", "/api/cameras", bearer(token + "x"))

    server.stop()
    kept = [path.read_bytes() for path in (tmp_path / "state").iterdir()]
    logged = "\n".join(server.log).encode()
    for text in (PASSWORD.encode(), token.encode(), visitor.cookie.partition("=")[2].encode()):
        assert all(text not in content for content in [*kept, logged])
    assert b"argon2" not in logged


# In a browser.


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> Iterator[BrowserContext]:
    """A browser's window whose pages may not break their own policy."""
    context = new_context(viewport={"width": 1280, "height": 800})
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text))
    yield context
    context.close()
    assert [text for text in complaints if "Content Security Policy" in text] == []


def test_logging_in_by_hand(server: PortholeServer, context: BrowserContext) -> None:
    """From the login page to live pictures and back, without one violation of the policy."""
    page = context.new_page()
    page.goto(server.url)
    expect(page).to_have_url(server.url + "login")

    log_in_by_hand(page, "ada", "wrong password")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    expect(page.get_by_label("Name")).to_have_value("ada")
    log_in_by_hand(page, "ada")

    expect(page).to_have_url(server.url)
    expect(page.locator('.tile[data-camera="door"]')).to_have_attribute("data-state", "live")
    expect(page.locator(".account")).to_contain_text("ada")
    log_out(page)
    expect(page).to_have_url(server.url + "login")
    page.go_back()
    expect(page).to_have_url(server.url + "login")


def test_a_viewer_sees_what_is_for_viewers(server: PortholeServer, context: BrowserContext) -> None:
    """The page of somebody with a list shows those cameras, and no way to shut down."""
    page = context.new_page()
    page.goto(server.url)
    log_in_by_hand(page, "dora")

    expect(page.locator('.tile[data-camera="yard"]')).to_have_attribute("data-state", "live")
    expect(page.locator('.tile[data-camera="door"]')).to_have_count(0)
    expect(page.locator("[data-open-quit]")).to_be_hidden()


def test_a_removed_users_page_goes_to_the_login(
    server: PortholeServer, people: Users, context: BrowserContext
) -> None:
    """Nobody is left looking at a page that no longer moves."""
    page = context.new_page()
    page.goto(server.url)
    log_in_by_hand(page, "vera")
    expect(page.locator('.tile[data-camera="door"]')).to_have_attribute("data-state", "live")

    people.run("user", "remove", "vera")

    expect(page).to_have_url(server.url + "login?why=ended")
    expect(page.get_by_role("alert")).to_contain_text("your user was changed or removed")


def test_the_first_users_login_page_says_why(
    start_server: Start, people: Users, context: BrowserContext
) -> None:
    """Who looked on when there were no users is told that there are, and gets back to the view.

    A bare login page took the place of the pictures, without a word.
    """
    server = start_server("door=test:?size=320x180&fps=5", "yard=test:?size=320x180&fps=5")
    page = context.new_page()
    page.goto(server.url + "?camera=yard")
    expect(page.locator('.tile[data-camera="yard"]')).to_have_attribute("data-state", "live")

    people.add("ada", "operator")

    expect(page).to_have_url(server.url + "login?camera=yard&why=users")
    expect(page.get_by_role("alert")).to_have_text("This server has users now. Log in to go on.")
    log_in_by_hand(page, "ada", "wrong password")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    log_in_by_hand(page, "ada")
    expect(page).to_have_url(server.url + "?camera=yard")


def test_an_open_server_shows_no_account(start_server: Start, context: BrowserContext) -> None:
    """Without users there is nothing to log out of."""
    server = start_server(f"test={SMALL}")
    page = context.new_page()
    page.goto(server.url)

    expect(page.locator('.tile[data-camera="test"]')).to_have_attribute("data-state", "live")
    expect(page.locator(".account")).to_have_count(0)
