"""Logging in over HTTP, the commands that create users, and the audit log."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.support.browser.visitor import (
    PASSWORD,
    Visitor,
    basic,
    bearer,
)
from tests.support.clients.client import Viewer
from tests.support.servers.server import PortholeServer, wait_until
from tests.support.servers.users import Users

Connect = Callable[..., Viewer]


def test_network_address_requires_users(people: Users) -> None:
    """Without users the server does not listen there, and one line says how to create one."""
    done = people.run("run", "test:", "--host", "0.0.0.0", "--port", "0")

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "python manage.py user add NAME --role admin" in done.stderr


def test_broken_user_file_prevents_the_start(people: Users, tmp_path: Path) -> None:
    """The server does not even start on loopback: an unreadable file is not an empty one."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "people.json").write_text('{"users": {"ad')

    done = people.run("run", "test:", "--port", "0")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "people.json" in done.stderr


def test_user_commands_print_lists_and_one_line_errors(people: Users) -> None:
    """Users and tokens are listed by name, role and cameras; errors are one line, exit code 2."""
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


def test_paths_require_a_login_or_token(server: PortholeServer, people: Users) -> None:
    """Pages redirect to the login, API paths return 401, and ask for Basic only where it helps."""
    nobody = Visitor(server)
    elsewhere = {"X-Forwarded-For": "203.0.113.9"}

    assert nobody.ask("GET", "/healthz")[0] == 200
    # Not while the server lags, as it may on a busy machine.
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


def test_cookies_and_headers_are_locked_down(server: PortholeServer) -> None:
    """Scripts and other sites cannot reach the cookie; every page has a strict content policy."""
    visitor = Visitor(server)

    status, headers, _ = visitor.log_in("ada")

    assert (status, headers["Location"]) == (303, "./")
    assert {"HttpOnly", "SameSite=Lax"} <= set(headers["Set-Cookie"].split("; "))
    for path in ("/", "/login", "/static/js/main.js"):
        _, headers, _ = visitor.ask("GET", path)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_forms_require_their_csrf_token(server: PortholeServer) -> None:
    """Without the page's token, or from another site, a form does nothing."""
    visitor = Visitor(server)
    form = {"name": "ada", "password": PASSWORD}

    assert visitor.ask("POST", "/login", csrf="made up", **form)[0] == 400
    assert visitor.ask("GET", "/")[0] == 303
    other = {"Origin": "http://evil.example"}
    assert visitor.ask("POST", "/login", other, csrf=visitor.csrf(), **form)[0] == 403
    visitor.log_in("ada")
    assert visitor.ask("POST", "/logout", csrf="made up")[0] == 400
    assert visitor.ask("GET", "/")[0] == 200


def test_password_guessing_is_rate_limited(server: PortholeServer, connect: Connect) -> None:
    """After ten tries comes 429 with Retry-After; sessions go on, and so do frames."""
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


def test_logins_and_actions_are_audited(
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


def test_secrets_are_never_logged(server: PortholeServer, people: Users, tmp_path: Path) -> None:
    """Neither passwords nor tokens nor hashes are logged."""
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
