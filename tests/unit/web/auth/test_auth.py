"""Who may do what over HTTP, and when that ends; without a server."""

import json
from collections.abc import Callable

import pytest

from server.errors import ConfigError
from server.loop import hub
from server.users.users import OPEN, Person, UsersFile
from server.web.auth.auth import require_users
from server.web.auth.connections import Connection, Connections, Credential
from tests.support.fakes import until
from tests.unit.web.auth.site import PASSWORD, Site, basic, log_in, written


def test_without_users_everybody_is_operator(make_site: Callable[..., Site]) -> None:
    """A server without users asks for no login and sets no cookie."""
    answer = make_site().client().get("/")

    assert answer.json == {"name": None, "by": "open"}
    assert "Set-Cookie" not in answer.headers
    assert OPEN.role == "operator"


def test_every_response_has_security_headers(site: Site) -> None:
    """Every answer says what a page may do, and that no page may frame it."""
    for path in ("/login", "/nowhere", "/healthz"):
        with site.client().get(path) as answer:
            headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "worker-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]


def test_hsts_is_sent_only_over_tls(site: Site) -> None:
    """A browser that came over TLS must return over TLS; plain HTTP must not claim that."""
    client = site.client()
    secure = client.get("/login", base_url="https://localhost").headers
    plain = client.get("/login").headers
    forged = client.get("/login", headers={"X-Forwarded-Proto": "https"}).headers

    assert secure["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in plain
    assert "Strict-Transport-Security" not in forged


def test_host_header_cannot_change_the_policy(site: Site) -> None:
    """The Host header is under the client's control."""
    answer = site.client().get("/healthz", headers={"Host": "x; script-src *"})

    assert "script-src *" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.set_password("ada", "another horse"),
        lambda file: file.change_user("ada", "operator", None, False),
        lambda file: file.change_user("ada", None, ["door"], False),
        lambda file: file.remove_user("ada"),
    ],
    ids=["passwd", "role", "cameras", "remove"],
)
def test_user_change_ends_logins_and_connections(
    site: Site, change: Callable[[UsersFile], None]
) -> None:
    """Within a second of the command, the user's sessions end, and others continue."""
    site.file.add_user("bob", "viewer", None, PASSWORD)
    until(lambda: site.auth.people.user("bob"))
    clients = {name: site.client() for name in ("ada", "bob")}
    ended: list[str] = []
    for name, client in clients.items():
        log_in(client, name)
        person = site.auth.people.user(name)
        assert person is not None
        login = next(k for k, v in site.auth.logins._logins.items() if v.name == name)
        end = lambda name=name: ended.append(name)  # noqa: E731
        credential = Credential(person, "cookie", login)
        site.auth.connections.enter(name, Connection(credential, end))

    change(site.file)

    until(lambda: ended, 1.0)
    assert ended == ["ada"]
    assert clients["ada"].get("/").status_code == 303
    assert clients["bob"].get("/").status_code == 200


def test_the_first_user_closes_an_open_server(make_site: Callable[..., Site]) -> None:
    """From then on everybody has to log in; existing connections are closed."""
    site = make_site()
    ended: list[bool] = []
    anybody = Credential(OPEN, "open")
    site.auth.connections.enter("x", Connection(anybody, lambda: ended.append(True)))

    site.file.add_user("ada", "viewer", None, PASSWORD)

    until(lambda: ended, 1.0)
    assert site.client().get("/").status_code == 303


def test_removing_the_last_user_does_not_open_the_server(site: Site) -> None:
    """A server whose users were all removed still requires a login."""
    site.file.remove_user("ada")
    until(lambda: not site.auth.people)

    assert site.auth.closed
    assert site.client().get("/").status_code == 303


def test_broken_list_keeps_the_known_users(site: Site) -> None:
    """A running server continues with the users that it knew."""
    client = site.client()
    log_in(client)

    (site.folder / "people.json").write_text("{")
    hub.sleep(1.0)

    assert client.get("/").status_code == 200


def test_sweep_ends_each_connection_once() -> None:
    """A user who lost the right is disconnected once; one who has left is not."""
    connections = Connections()
    ended: list[str] = []
    for key in "abc":
        credential = Credential(Person(key, "viewer"), "bearer")
        connections.enter(key, Connection(credential, lambda key=key: ended.append(key)))  # type: ignore[misc]
    connections.leave("b")

    assert connections.sweep(lambda credential: credential.person.name == "c") == 1
    assert connections.sweep(lambda credential: credential.person.name == "c") == 0
    assert ended == ["a"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1"])
def test_public_address_requires_users(make_site: Callable[..., Site], host: str) -> None:
    """The error is one line with the command that creates a user."""
    with pytest.raises(ConfigError, match=r"python manage\.py user add NAME --role admin"):
        require_users(host, make_site().auth)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_requires_no_users(make_site: Callable[..., Site], host: str) -> None:
    """Loopback stays open without users."""
    require_users(host, make_site().auth)


def test_any_address_is_allowed_with_users(site: Site) -> None:
    """A server with users may listen to other machines."""
    require_users("0.0.0.0", site.auth)


def test_logins_and_refusals_are_logged(site: Site) -> None:
    """Users are logged by name, but no other text typed as one ever is."""
    client = site.client()
    log_in(client, "ada", "wrong password")
    log_in(client, "my password by mistake")
    log_in(client)
    site.client().get("/api/cameras", headers=basic("ada", "wrong"))
    site.auth.audit.close()

    done, refused = written(site.folder, "audit.log"), written(site.folder, "refused.log")
    assert [(entry["who"], entry["result"]) for entry in done] == [("ada", "ok")]
    assert [(entry["what"], entry["result"]) for entry in refused] == [
        ("login", "unauthorized"),
        ("login", "unauthorized"),
        ("/api", "unauthorized"),
    ]
    assert [entry.get("tried") for entry in refused] == ["ada", "(no user)", None]
    assert refused[0]["from"] == "127.0.0.1"
    assert "password" not in json.dumps([done, refused])
