"""Programs as clients: by a token, by a password with each request, or from this machine."""

import pytest

from server.loop import hub
from server.web.edge.forwarded import Forwarded
from tests.support.fakes import until
from tests.unit.web.auth.site import PASSWORD, PROXIED, Site, basic, log_in


def test_bearer_token_grants_access(site: Site) -> None:
    """A bearer token identifies its machine on every path; a wrong one is rejected."""
    token = site.file.add_token("octo", "viewer", None)
    until(lambda: site.auth.people.tokens)
    client = site.client()
    log_in(client)

    right = client.get("/api/cameras", headers={"Authorization": f"Bearer {token}"})
    wrong = client.get("/api/cameras", headers={"Authorization": f"Bearer {token}x"})

    assert right.json == {"name": "octo", "by": "bearer"}
    assert wrong.status_code == 401


def test_basic_auth_opens_only_machine_paths(site: Site) -> None:
    """A camera program may log in with every request, but not to the dashboard."""
    client = site.client()

    assert client.get("/api/cameras", headers=basic("ada", PASSWORD)).json == {
        "name": "ada",
        "by": "basic",
    }
    assert client.get("/", headers=basic("ada", PASSWORD)).status_code == 303
    assert client.get("/readyz", headers=basic("ada", PASSWORD) | PROXIED).status_code == 401


def test_password_dialog_is_limited_to_machine_paths(site: Site) -> None:
    """Machine paths ask for one; our own page's scripts never open the browser's dialog."""
    client = site.client()

    assert "Basic" in client.get("/api/cameras").headers["WWW-Authenticate"]
    own = client.get("/api/cameras", headers={"Sec-Fetch-Site": "same-origin"})
    assert own.status_code == 401
    assert "WWW-Authenticate" not in own.headers
    assert "WWW-Authenticate" not in client.get("/metrics", headers=PROXIED).headers


def test_repeated_basic_auth_costs_one_hash(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that asks every second is hashed once, and so are nine at the same time."""
    checks: list[str] = []
    check = site.auth.check
    monkeypatch.setattr(
        site.auth, "check", lambda name, *more: (checks.append(name), check(name, *more))[1]
    )
    codes: list[int] = []

    def ask() -> None:
        answer = site.client().get("/api/cameras", headers=basic("ada", PASSWORD))
        codes.append(answer.status_code)

    for _ in range(9):
        hub.spawn(ask)
    until(lambda: len(codes) == 9)
    ask()

    assert codes == [200] * 10
    assert checks == ["ada"]


def test_remembered_password_ends_when_it_is_changed(site: Site) -> None:
    """The next request with the old one is denied."""
    client = site.client()
    assert client.get("/api/cameras", headers=basic("ada", PASSWORD)).status_code == 200
    before = site.auth.people

    site.file.set_password("ada", "another horse")
    until(lambda: site.auth.people is not before)

    assert client.get("/api/cameras", headers=basic("ada", PASSWORD)).status_code == 401


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_basic_password_may_be_utf8_or_latin1(site: Site, encoding: str) -> None:
    """In Basic, browsers and curl send UTF-8, aiohttp and requests Latin-1."""
    site.file.add_user("bob", "viewer", None, "grüße, Jürgen")
    until(lambda: site.auth.people.user("bob"))

    answer = site.client().get("/api/cameras", headers=basic("bob", "grüße, Jürgen", encoding))

    assert answer.status_code == 200


def test_token_is_accepted_as_basic_password(site: Site) -> None:
    """A player can only send a name and a password; any name will do.

    It was rejected, and ten requests of such a player locked out its whole address.
    """
    token = site.file.add_token("octo", "viewer", None)
    until(lambda: site.auth.people.tokens)
    client = site.client()

    answers = [client.get("/api/cameras", headers=basic("any", token)) for _ in range(15)]

    assert answers[-1].json == {"name": "octo", "by": "basic"}
    assert client.get("/", headers=basic("any", token)).status_code == 303
    assert client.get("/api/cameras", headers=basic("ada", PASSWORD)).status_code == 200


def test_a_removed_token_locks_nobody_out(site: Site) -> None:
    """A player that keeps using it gets an error, and costs neither hashes nor login attempts."""
    client = site.client()
    gone = basic("octo", "porthole_" + "x" * 43)

    answers = [client.get("/api/cameras", headers=gone) for _ in range(15)]

    assert {(answer.status_code, answer.text) for answer in answers} == {
        (401, "this token is unknown, or was removed\n")
    }
    assert client.get("/api/cameras", headers=basic("ada", PASSWORD)).status_code == 200


def test_refusal_says_what_was_wrong(site: Site) -> None:
    """A client with a token is not told to log in first, wherever the token is sent."""
    client = site.client()
    token = site.file.add_token("octo", "viewer", None)
    until(lambda: site.auth.people.tokens)

    said = [
        client.get("/api/cameras", headers=headers).text
        for headers in ({}, {"Authorization": "Bearer x"}, basic("ada", "wrong"))
    ]

    assert said == [
        "log in, or send a token\n",
        "this token is unknown, or was removed\n",
        "name or password is wrong\n",
    ]
    assert client.get("/api/cameras?token=x").text == "this token is unknown, or was removed\n"
    assert "is not accepted in a URL" in client.get(f"/api/cameras?token={token}").text


@pytest.mark.parametrize("name", ["Ada", "ADA", "ada"])
def test_login_name_is_case_insensitive(site: Site, name: str) -> None:
    """Phones capitalize names; the user is the same."""
    client = site.client()
    log_in(client, name)

    assert client.get("/").json == {"name": "ada", "by": "cookie"}
    by_basic = site.client().get("/api/cameras", headers=basic(name, PASSWORD))
    assert by_basic.json == {"name": "ada", "by": "basic"}


@pytest.mark.parametrize("text", ["Basic", "Basic !!!", "Basic YQ==", "Bearer", "x" * 5000])
def test_malformed_authorization_is_rejected(site: Site, text: str) -> None:
    """A malformed Authorization header is answered 401 and nothing else."""
    answer = site.client().get("/api/cameras", headers={"Authorization": text})

    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_local_monitor_needs_no_login(site: Site, path: str) -> None:
    """A monitor on this machine needs no login; one behind a proxy, or elsewhere, does."""
    site.flask.wsgi_app = Forwarded(site.flask.wsgi_app, [])  # type: ignore[method-assign]
    client = site.client()

    assert client.get(path).json == {"name": None, "by": "local"}
    assert client.get(path, headers=PROXIED).status_code == 401
    assert client.get(path, environ_base={"REMOTE_ADDR": "10.0.0.7"}).status_code == 401
