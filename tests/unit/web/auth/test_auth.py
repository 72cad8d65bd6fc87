"""Who is asking, over HTTP, and when that ends; without a server around it."""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import flask
import pytest
from werkzeug.test import Client, TestResponse

from server.addresses import network_of
from server.app import ROOT
from server.control.audit import Audit
from server.errors import ConfigError
from server.loop import hub, native
from server.users.users import OPEN, Person, UsersFile
from server.web.auth import auth as auth_module
from server.web.auth import throttle as guesses
from server.web.auth.auth import Auth, require_users
from server.web.auth.connections import Connection, Connections, Credential
from server.web.auth.guard import asking, guard_requests
from server.web.auth.logins import LIFETIME_S, MAX_PER_PERSON, Logins
from server.web.auth.throttle import TooManyAttempts
from server.web.edge.forwarded import Forwarded, asked_from_here
from server.web.http.cors import share_with
from server.web.http.headers import protect_pages
from server.web.http.login import create_login
from server.web.http.own_password import create_own_password
from tests.support.fakes import FakeClock, settle, until

PASSWORD = "correct horse"


class Site:
    """A small site behind the real guard: it says who asked."""

    def __init__(
        self, folder: Path, origins: Sequence[str] = (), ancestors: Sequence[str] = ()
    ) -> None:
        self.file = UsersFile(folder)
        self.folder = folder
        self.flask = flask.Flask(
            "site", template_folder=str(ROOT / "templates"), static_folder=None
        )
        self.auth = Auth(self.flask, folder, Audit(folder))
        share_with(self.flask, origins)
        guard_requests(self.flask, self.auth)
        protect_pages(self.flask, ancestors)
        self.flask.register_blueprint(create_login(self.auth))
        self.flask.register_blueprint(create_own_password(self.auth))
        for path in ("/", "/api/cameras", "/readyz", "/healthz", "/metrics"):
            self.flask.add_url_rule(path, path, self._tell)

    def _tell(self) -> dict[str, Any]:
        credential = flask.g.credential and asking()
        return {"name": credential and credential.person.name, "by": credential and credential.by}

    def client(self) -> Client:
        return self.flask.test_client()


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """A function that makes a site; every one made has the same state folder."""
    sites: list[Site] = []

    def make(*users: str, **options: Sequence[str]) -> Site:
        for name in users:
            UsersFile(tmp_path).add_user(name, "viewer", None, PASSWORD)
        sites.append(Site(tmp_path, **options))
        sites[-1].auth.open()
        return sites[-1]

    yield make
    for site in sites:
        site.auth.close()
    settle()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A site with the user ada."""
    return make_site("ada")


def csrf_of(client: Client) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)
    assert found
    return found[1]


def log_in(
    client: Client, name: str = "ada", password: str = PASSWORD, **more: Any
) -> TestResponse:
    form = {"name": name, "password": password, "csrf": csrf_of(client)} | more
    return client.post("/login", data=form)


def log_out(client: Client) -> None:
    with client.session_transaction() as session:
        token = session.setdefault("csrf", "known")
    assert client.post("/logout", data={"csrf": token}).status_code == 303


def basic(name: str, password: str, encoding: str = "utf-8") -> dict[str, str]:
    text = f"{name}:{password}".encode(encoding)
    return {"Authorization": "Basic " + base64.b64encode(text).decode()}


def from_there(address: str) -> dict[str, Any]:
    return {"environ_base": {"REMOTE_ADDR": address}}


def written(folder: Path, name: str) -> list[Any]:
    path = folder / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# Coming in.


def test_without_users_everybody_is_operator(make_site: Callable[..., Site]) -> None:
    """On a server without users nobody is asked, and no cookie is set."""
    answer = make_site().client().get("/")

    assert answer.json == {"name": None, "by": "open"}
    assert "Set-Cookie" not in answer.headers
    assert OPEN.role == "operator"


def test_a_page_leads_to_the_login(site: Site) -> None:
    """A browser is sent to the login page by a relative address, which holds under any prefix."""
    answer = site.client().get("/")

    assert (answer.status_code, answer.headers["Location"]) == (303, "login")


def test_logging_in_and_out(site: Site) -> None:
    """The right password opens, logging out closes, and the old cookie opens nothing again."""
    client = site.client()

    answer = log_in(client)
    assert (answer.status_code, answer.headers["Location"]) == (303, "./")
    assert client.get("/").json == {"name": "ada", "by": "cookie"}
    cookie = client.get_cookie(site.flask.config["SESSION_COOKIE_NAME"])
    assert cookie is not None
    with client.session_transaction() as session:
        token = session.setdefault("csrf", "known")
    assert client.post("/logout", data={"csrf": token}).status_code == 303

    assert client.get("/").status_code == 303
    thief = site.client()
    thief.set_cookie(cookie.key, cookie.value)
    assert thief.get("/").status_code == 303


def test_logging_in_anew_ends_the_login_before(site: Site) -> None:
    """A browser has one login; the cookie of the one before opens nothing."""
    client = site.client()
    name = site.flask.config["SESSION_COOKIE_NAME"]
    log_in(client)
    old = client.get_cookie(name)
    assert old is not None
    with client.session_transaction() as session:
        token = session.setdefault("csrf", "known")

    client.post("/login", data={"name": "ada", "password": PASSWORD, "csrf": token})

    assert client.get("/").status_code == 200
    thief = site.client()
    thief.set_cookie(name, old.value)
    assert thief.get("/").status_code == 303


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada", ""), ("ada", PASSWORD + " "), ("bob", PASSWORD), ("", PASSWORD), ("ada\0", PASSWORD)],
)
def test_wrong_is_wrong_in_one_way(site: Site, name: str, password: str) -> None:
    """Whether the name exists is not told."""
    answer = log_in(site.client(), name, password)

    assert answer.status_code == 401
    assert "Name or password is wrong." in answer.text


def test_a_name_is_escaped(site: Site) -> None:
    """What was typed comes back as text."""
    answer = log_in(site.client(), '"><script>alert(1)</script>')

    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("token", ["", "wrong", "ü"])
def test_a_form_without_its_token_does_nothing(site: Site, token: str) -> None:
    """Another site cannot log a browser in, nor out."""
    client = site.client()
    assert log_in(client, csrf=token).status_code == 400
    log_in(client)

    assert client.post("/logout", data={"csrf": token}).status_code == 400
    assert client.get("/").json == {"name": "ada", "by": "cookie"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", "a&" * 2000),
        ("application/x-www-form-urlencoded", "name=ada&password=x&csrf=y" + "&a=b" * 6),
        ("application/json", '{"name": "ada"}'),
        ("multipart/form-data; boundary=x", '--x\r\nContent-Disposition: form-data; name="a"\r\n'),
    ],
    ids=["many fields", "nine fields", "json", "multipart"],
)
def test_only_a_small_form_is_read(site: Site, kind: str, body: str) -> None:
    """What is no login form is answered in words, and not taken apart."""
    answer = site.client().post("/login", data=body, content_type=kind)

    assert (answer.status_code, answer.mimetype) == (400, "text/plain")
    assert "fields name, password and csrf" in answer.text


def test_guessing_the_old_password_is_limited(site: Site) -> None:
    """Whoever finds a page open can try no more passwords there than at the login."""
    client = site.client()
    log_in(client)
    with client.session_transaction() as session:
        csrf = session.setdefault("csrf", "known")
    body = {"old": "guess", "new": "another horse"}
    headers = {"X-CSRF-Token": csrf}

    answers = [client.post("/api/password", json=body, headers=headers) for _ in range(11)]
    right = client.post("/api/password", json=body | {"old": PASSWORD}, headers=headers)

    assert [answer.status_code for answer in answers] == [403] * 10 + [429]
    assert right.status_code == 429
    assert int(right.headers["Retry-After"]) > 0


def test_a_planted_session_does_not_live_on(site: Site) -> None:
    """Logging in begins a new session: what somebody put in the browser before is of no use."""
    client = site.client()
    planted = csrf_of(client)

    log_in(client)

    with client.session_transaction() as session:
        assert session.get("csrf") != planted


def test_cookie_flags(site: Site) -> None:
    """Scripts cannot read it, other sites cannot send it, and over TLS it stays there."""
    plain = log_in(site.client()).headers["Set-Cookie"]
    client = site.client()
    form = {"name": "ada", "password": PASSWORD, "csrf": ""}
    page = client.get("/login", base_url="https://localhost")
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    form["csrf"] = found[1]
    secure = client.post("/login", data=form, base_url="https://localhost").headers["Set-Cookie"]

    for cookie in (plain, secure):
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Domain" not in cookie
    assert "Secure" not in plain
    assert "Secure" in secure


def test_security_headers(site: Site) -> None:
    """Every answer says what a page may do, and that nobody may frame it."""
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


def test_a_browser_stays_with_tls(site: Site) -> None:
    """Who came over TLS comes back over TLS; in the clear anybody could have said so."""
    client = site.client()
    secure = client.get("/login", base_url="https://localhost").headers
    plain = client.get("/login").headers
    forged = client.get("/login", headers={"X-Forwarded-Proto": "https"}).headers

    assert secure["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in plain
    assert "Strict-Transport-Security" not in forged


def test_a_host_cannot_write_the_policy(site: Site) -> None:
    """The Host header is the client's word."""
    answer = site.client().get("/healthz", headers={"Host": "x; script-src *"})

    assert "script-src *" not in answer.headers["Content-Security-Policy"]


# Machines.


def test_a_token_opens(site: Site) -> None:
    """A bearer token stands for its machine on every path; a wrong one is refused."""
    token = site.file.add_token("octo", "viewer", None)
    until(lambda: site.auth.people.tokens)
    client = site.client()
    log_in(client)

    right = client.get("/api/cameras", headers={"Authorization": f"Bearer {token}"})
    wrong = client.get("/api/cameras", headers={"Authorization": f"Bearer {token}x"})

    assert right.json == {"name": "octo", "by": "bearer"}
    assert wrong.status_code == 401


def test_basic_opens_machine_paths_only(site: Site) -> None:
    """A camera program may log in with every request, but not to the dashboard."""
    client = site.client()

    assert client.get("/api/cameras", headers=basic("ada", PASSWORD)).json == {
        "name": "ada",
        "by": "basic",
    }
    assert client.get("/", headers=basic("ada", PASSWORD)).status_code == 303
    assert client.get("/readyz", headers=basic("ada", PASSWORD) | PROXIED).status_code == 401


PROXIED = {"X-Forwarded-For": "203.0.113.9"}


def test_a_password_is_asked_for_where_it_counts(site: Site) -> None:
    """Machine paths say how to log in; our own page's scripts never raise the browser's dialog."""
    client = site.client()

    assert "Basic" in client.get("/api/cameras").headers["WWW-Authenticate"]
    own = client.get("/api/cameras", headers={"Sec-Fetch-Site": "same-origin"})
    assert own.status_code == 401
    assert "WWW-Authenticate" not in own.headers
    assert "WWW-Authenticate" not in client.get("/metrics", headers=PROXIED).headers


def test_basic_costs_one_hash(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that asks every second is hashed once; nine at once are, too."""
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


def test_a_proved_password_ends_with_the_old_one(site: Site) -> None:
    """What was remembered of a right password is worth nothing once it is changed."""
    client = site.client()
    assert client.get("/api/cameras", headers=basic("ada", PASSWORD)).status_code == 200
    before = site.auth.people

    site.file.set_password("ada", "another horse")
    until(lambda: site.auth.people is not before)

    assert client.get("/api/cameras", headers=basic("ada", PASSWORD)).status_code == 401


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_password_with_umlauts_is_read_in_either_encoding(site: Site, encoding: str) -> None:
    """Browsers and curl send UTF-8 in Basic, aiohttp and requests Latin-1."""
    site.file.add_user("bob", "viewer", None, "grüße, Jürgen")
    until(lambda: site.auth.people.user("bob"))

    answer = site.client().get("/api/cameras", headers=basic("bob", "grüße, Jürgen", encoding))

    assert answer.status_code == 200


def test_a_token_is_taken_as_basic_password(site: Site) -> None:
    """A player can send nothing but a name and a password; the name may be any.

    It was refused, and ten requests of such a player locked its whole address out.
    """
    token = site.file.add_token("octo", "viewer", None)
    until(lambda: site.auth.people.tokens)
    client = site.client()

    answers = [client.get("/api/cameras", headers=basic("any", token)) for _ in range(15)]

    assert answers[-1].json == {"name": "octo", "by": "basic"}
    assert client.get("/", headers=basic("any", token)).status_code == 303
    assert client.get("/api/cameras", headers=basic("ada", PASSWORD)).status_code == 200


def test_a_removed_token_locks_nobody_out(site: Site) -> None:
    """A player that goes on asking with it is told so, and costs neither hashes nor tries."""
    client = site.client()
    gone = basic("octo", "porthole_" + "x" * 43)

    answers = [client.get("/api/cameras", headers=gone) for _ in range(15)]

    assert {(answer.status_code, answer.text) for answer in answers} == {
        (401, "this token is unknown, or was removed\n")
    }
    assert client.get("/api/cameras", headers=basic("ada", PASSWORD)).status_code == 200


def test_a_refusal_says_what_was_wrong(site: Site) -> None:
    """Who shows a token is not told to log in first, wherever the token stands."""
    client = site.client()
    token = site.file.add_token("octo", "viewer", None)
    until(lambda: site.auth.people.tokens)

    said = [
        client.get("/api/cameras", headers=headers).text
        for headers in ({}, {"Authorization": "Bearer x"}, basic("ada", "wrong"))
    ]

    assert said == [
        "log in, or show a token\n",
        "this token is unknown, or was removed\n",
        "name or password is wrong\n",
    ]
    assert client.get("/api/cameras?token=x").text == "this token is unknown, or was removed\n"
    assert "does not count in an address" in client.get(f"/api/cameras?token={token}").text


@pytest.mark.parametrize("name", ["Ada", "ADA", "ada"])
def test_a_name_may_be_capitalized(site: Site, name: str) -> None:
    """Phones begin names with a capital; who comes in is the same person all the same."""
    client = site.client()
    log_in(client, name)

    assert client.get("/").json == {"name": "ada", "by": "cookie"}
    by_basic = site.client().get("/api/cameras", headers=basic(name, PASSWORD))
    assert by_basic.json == {"name": "ada", "by": "basic"}


@pytest.mark.parametrize("text", ["Basic", "Basic !!!", "Basic YQ==", "Bearer", "x" * 5000])
def test_rubbish_is_nobody(site: Site, text: str) -> None:
    """An Authorization header that makes no sense is answered 401 and nothing else."""
    answer = site.client().get("/api/cameras", headers={"Authorization": text})

    assert answer.status_code == 401


# Guessing.


def test_guesses_are_limited_per_address(site: Site) -> None:
    """After ten tries in five minutes even the right one waits; form and Basic count together."""
    client = site.client()
    codes = [log_in(client, "ada", f"guess {number}").status_code for number in range(5)]
    codes += [
        client.get("/api/cameras", headers=basic("ada", f"guess {number}")).status_code
        for number in range(5)
    ]

    form = log_in(client)
    machine = client.get("/api/cameras", headers=basic("ada", PASSWORD))

    assert codes == [401] * 10
    assert form.status_code == machine.status_code == 429
    assert 0 < int(form.headers["Retry-After"]) <= 301
    assert 0 < int(machine.headers["Retry-After"]) <= 301
    assert "too many attempts" in form.text
    assert client.get("/healthz").status_code == 200


def test_guesses_are_limited_per_name(site: Site) -> None:
    """Many addresses together have thirty tries at one name, whether it exists or not."""
    for name in ("ada", "nobody"):
        codes = []
        for number in range(31):
            with site.flask.test_request_context():
                try:
                    site.auth._throttle.count(f"10.0.{number}.1", name)
                    codes.append(401)
                except guesses.TooManyAttempts:
                    codes.append(429)
        assert codes == [401] * 30 + [429]


def test_past_the_limit_no_answer_tells(site: Site) -> None:
    """Five hundred guesses, and then the right one, look the same from the eleventh on.

    Somebody had used Basic elsewhere, so the right password was known to be right, and was let in
    at once and uncounted: a guesser learned it at a thousand guesses a second.
    """
    counted: list[str] = []
    site.auth.count_refusal = counted.append
    client = site.client()
    mine, theirs = from_there("10.0.0.1"), from_there("10.0.0.2")
    right = basic("ada", PASSWORD)
    assert client.get("/api/cameras", headers=right, **mine).status_code == 200

    codes = [
        client.get("/api/cameras", headers=basic("ada", f"guess {number}"), **theirs).status_code
        for number in range(500)
    ]
    there = [client.get("/api/cameras", headers=right, **theirs) for _ in range(5)]
    here = client.get("/api/cameras", headers=right, **mine)
    site.auth.audit.close()

    assert codes == [401] * 10 + [429] * 490
    assert [answer.status_code for answer in there] == [429] * 5
    assert here.status_code == 200, "who proved it before goes on"
    assert counted.count("rate_limited") == 495
    first, last = [e for e in written(site.folder, "refused.log") if e["result"] == "rate_limited"]
    assert (first["from"], last["repeated"]) == ("10.0.0.2", 494)


def test_past_the_limit_a_proof_is_worth_nothing_where_it_was_made(site: Site) -> None:
    """Beside a player, behind the same address, nobody learns the player's password either."""
    client = site.client()
    right = basic("ada", PASSWORD)
    assert client.get("/api/cameras", headers=right).status_code == 200

    guesses = [
        client.get("/api/cameras", headers=basic(name, "wrong horse")).status_code
        for name in ("ada", "bob") * 6
    ]

    assert guesses == [401] * 9 + [429] * 3
    assert client.get("/api/cameras", headers=right).status_code == 429


def lock_out(site: Site, name: str) -> None:
    """Have strangers use up a name's tries, from four addresses."""
    for number in range(31):
        with site.flask.test_request_context():
            try:
                site.auth._throttle.count(f"10.9.{number % 4}.1", name)
            except guesses.TooManyAttempts:
                return
    raise AssertionError("the name is not locked")


def test_a_known_browser_is_not_locked_out(site: Site) -> None:
    """Strangers who try a name lock its owner out of new browsers only, logged out or not."""
    client = site.client()
    log_in(client)
    log_out(client)

    lock_out(site, "ada")

    assert log_in(site.client()).status_code == 429, "a browser nobody knows"
    for number in range(8):
        assert log_in(client, "Ada", f"guess {number}").status_code == 401
    assert log_in(client).status_code == 303
    log_out(client)
    assert log_in(client, "ada", "guess").status_code == 401
    assert log_in(client).status_code == 429, "its own tries are counted, too"


def test_a_known_browser_is_known_for_its_owner_only(site: Site) -> None:
    """A browser that one has logged in from gives no tries at anybody else's name."""
    site.file.add_user("eve", "viewer", None, PASSWORD)
    until(lambda: site.auth.people.user("eve"))
    client = site.client()
    log_in(client, "eve")
    log_out(client)

    lock_out(site, "ada")

    assert log_in(client, "ada").status_code == 429
    assert log_in(client, "eve").status_code == 303


def test_a_known_player_is_not_locked_out(site: Site) -> None:
    """A right password sent with every request goes on where it was right before."""
    client, mine = site.client(), from_there("10.0.0.1")
    right = basic("ada", PASSWORD)
    assert client.get("/api/cameras", headers=right, **mine).status_code == 200

    lock_out(site, "ada")

    wrong = client.get("/api/cameras", headers=basic("ada", "wrong horse"), **mine)
    assert wrong.status_code == 401
    assert client.get("/api/cameras", headers=right, **mine).status_code == 200
    elsewhere = client.get("/api/cameras", headers=right, **from_there("10.0.0.3"))
    assert elsewhere.status_code == 429


def test_one_address_cannot_lock_a_name() -> None:
    """What one address may try stays below what locks a name for everybody."""
    per_address, per_name = guesses.PER_ADDRESS, guesses.PER_NAME
    tries = per_address.amount * per_name.get_expiry() / per_address.get_expiry()

    assert tries < per_name.amount


def test_a_login_that_is_known_is_not_limited(site: Site) -> None:
    """Guessing from the same address throws nobody out."""
    client = site.client()
    log_in(client)
    for number in range(12):
        log_in(site.client(), "ada", f"guess {number}")

    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/56"),
        ("2001:db8:1:ff:3::4", "2001:db8:1::/56"),
        ("2001:db8:1:100::1", "2001:db8:1:100::/56"),
        ("fe80::1%eth0", "fe80::/56"),
        ("somewhere", "somewhere"),
    ],
)
def test_tries_are_counted_for_a_household(address: str, network: str) -> None:
    """One IPv6 network has more addresses than there are tries."""
    assert network_of(address) == network


@pytest.mark.usefixtures("ordinary_passwords")
def test_an_unknown_name_takes_as_long(site: Site) -> None:
    """Time does not tell which names exist. Of the process, since a busy machine takes longer."""

    def seconds(name: str) -> float:
        took = []
        for _ in range(4):
            started = time.process_time()
            assert site.auth._check(name, "wrong password") is None
            took.append(time.process_time() - started)
        return min(took)

    known, unknown = seconds("ada"), seconds("nobody")

    assert unknown == pytest.approx(known, rel=0.6)


# The end.


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("users", "This server has users now. Log in to go on."),
        ("ended", "Your login has ended"),
        ("<b>", None),
        ("", None),
    ],
)
def test_the_login_says_why_one_is_asked(site: Site, why: str, said: str | None) -> None:
    """In our own words; and what was looked at is come back to without them."""
    text = site.client().get(f"/login?camera=door&why={why}").text

    assert ('role="alert"' in text) == (said is not None)
    assert said is None or said in text
    assert 'action="login?camera=door"' in text


def test_a_login_that_ended_is_called_that(site: Site) -> None:
    """Without a script, too: the browser still shows the login that holds no more."""
    client = site.client()
    log_in(client)

    site.file.set_password("ada", "another horse")

    until(lambda: client.get("/").status_code == 303)
    assert "Your login has ended" in client.get("/login").text
    assert "Name or password is wrong." in log_in(client).text
    log_in(client, "ada", "another horse")
    log_out(client)
    assert "Your login has ended" not in client.get("/login").text


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
def test_a_change_ends_logins_and_connections(
    site: Site, change: Callable[[UsersFile], None]
) -> None:
    """Within a second of the command, what the user had open is over, and others go on."""
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
    """From that moment everybody has to log in; those who were there are sent away."""
    site = make_site()
    ended: list[bool] = []
    anybody = Credential(OPEN, "open")
    site.auth.connections.enter("x", Connection(anybody, lambda: ended.append(True)))

    site.file.add_user("ada", "viewer", None, PASSWORD)

    until(lambda: ended, 1.0)
    assert site.client().get("/").status_code == 303


def test_the_last_user_does_not_open_it(site: Site) -> None:
    """Taking everybody away lets nobody in."""
    site.file.remove_user("ada")
    until(lambda: not site.auth.people)

    assert site.auth.closed
    assert site.client().get("/").status_code == 303


def test_a_list_that_breaks_changes_nothing(site: Site) -> None:
    """A running server keeps those it knew."""
    client = site.client()
    log_in(client)

    (site.folder / "people.json").write_text("{")
    hub.sleep(1.0)

    assert client.get("/").status_code == 200


def test_logins_survive_a_restart(make_site: Callable[..., Site]) -> None:
    """A browser goes on where it was; one that logged out does not."""
    site = make_site("ada")
    stays, leaves = site.client(), site.client()
    for client in (stays, leaves):
        log_in(client)
    old = leaves.get_cookie(site.flask.config["SESSION_COOKIE_NAME"])
    assert old is not None
    with leaves.session_transaction() as session:
        token = session.setdefault("csrf", "known")
    leaves.post("/logout", data={"csrf": token})

    again = make_site()

    name = again.flask.config["SESSION_COOKIE_NAME"]
    kept = stays.get_cookie(name)
    assert kept is not None
    client = again.client()
    client.set_cookie(name, kept.value)
    assert client.get("/").status_code == 200
    client.set_cookie(name, old.value)
    assert client.get("/").status_code == 303


def test_the_file_of_logins_logs_nobody_in(site: Site) -> None:
    """It holds digests, not what a cookie holds."""
    secret = site.auth.logins.open(Person("ada", "viewer", generation="x"))
    site.auth.logins.save()

    text = (site.folder / "logins.json").read_text()
    assert secret not in text
    assert (site.folder / "logins.json").stat().st_mode & 0o777 == 0o600


def test_a_login_ends_after_a_month(tmp_path: Path, clock: FakeClock) -> None:
    """A forgotten browser does not stay logged in for ever."""
    UsersFile(tmp_path).add_user("ada", "viewer", None, PASSWORD)
    people = UsersFile(tmp_path).load()
    ada = people.user("ada")
    assert ada is not None
    logins = Logins(tmp_path / "logins.json", clock.time)

    secret = logins.open(ada)
    assert logins.find(secret, people)
    clock.advance(LIFETIME_S)

    assert logins.find(secret, people) is None


@pytest.mark.parametrize("step_s", [3600, -3600, -3 * 86400, 40 * 86400])
def test_a_login_outlives_a_clock_that_is_set(
    tmp_path: Path, clock: FakeClock, step_s: float
) -> None:
    """A board without a battery learns the time after its start, forward or back: nobody is out.

    Its age is counted by what passes meanwhile: a month later it ends all the same.
    """
    UsersFile(tmp_path).add_user("ada", "viewer", None, PASSWORD)
    people = UsersFile(tmp_path).load()
    ada = people.user("ada")
    assert ada is not None
    passed = FakeClock()
    logins = Logins(tmp_path / "logins.json", clock.time, steady=passed.monotonic)
    secret = logins.open(ada)

    clock.advance(step_s)
    after = logins.find(secret, people)
    for one in (clock, passed):
        one.advance(LIFETIME_S + max(0, -step_s))

    assert after
    assert logins.find(secret, people) is None


def test_the_oldest_login_makes_room(tmp_path: Path) -> None:
    """Browsers that never log out do not pile up."""
    UsersFile(tmp_path).add_user("ada", "viewer", None, PASSWORD)
    people = UsersFile(tmp_path).load()
    ada = people.user("ada")
    assert ada is not None
    logins = Logins(tmp_path / "logins.json")

    secrets = [logins.open(ada) for _ in range(MAX_PER_PERSON + 2)]

    assert [bool(logins.find(secret, people)) for secret in secrets] == [False] * 2 + [
        True
    ] * MAX_PER_PERSON


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"logins": 1}', '{"logins": {"x": ["ada", 1, 2]}}', '{"logins": {"x": 1}}']
)
def test_broken_logins_are_forgotten(tmp_path: Path, text: str) -> None:
    """Everybody has to log in again, and that is all."""
    path = tmp_path / "logins.json"
    path.write_text(text)
    logins = Logins(path)

    logins.load(UsersFile(tmp_path).load())

    assert not logins._logins


def test_presence_ends_each_once() -> None:
    """Who has lost the right is sent away once; who has gone is not sent."""
    connections = Connections()
    ended: list[str] = []
    for key in "abc":
        credential = Credential(Person(key, "viewer"), "bearer")
        connections.enter(key, Connection(credential, lambda key=key: ended.append(key)))  # type: ignore[misc]
    connections.leave("b")

    assert connections.sweep(lambda credential: credential.person.name == "c") == 1
    assert connections.sweep(lambda credential: credential.person.name == "c") == 0
    assert ended == ["a"]


# Addresses.


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1"])
def test_others_reach_no_server_without_users(make_site: Callable[..., Site], host: str) -> None:
    """The one line says the command that makes a user."""
    with pytest.raises(ConfigError, match=r"python manage\.py user add NAME --role operator"):
        require_users(host, make_site().auth)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_reaches_one(make_site: Callable[..., Site], host: str) -> None:
    """Loopback stays open without users."""
    require_users(host, make_site().auth)


def test_users_open_every_address(site: Site) -> None:
    """With users, any address will do."""
    require_users("0.0.0.0", site.auth)


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_this_machine_may_ask_how_it_is(site: Site, path: str) -> None:
    """A monitor on the same machine needs no login; one behind a proxy, or elsewhere, does."""
    site.flask.wsgi_app = Forwarded(site.flask.wsgi_app, [])  # type: ignore[method-assign]
    client = site.client()

    assert client.get(path).json == {"name": None, "by": "local"}
    assert client.get(path, headers=PROXIED).status_code == 401
    assert client.get(path, environ_base={"REMOTE_ADDR": "10.0.0.7"}).status_code == 401


@pytest.mark.parametrize(
    ("remote", "said", "address"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, rubbish", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("192.0.2.5", "127.0.0.1", "192.0.2.5"),
    ],
)
def test_only_a_trusted_proxy_is_believed(remote: str, said: str, address: str) -> None:
    """The client is the last hop that is no proxy of ours; what stands before, anyone may write."""
    seen: dict[str, Any] = {}
    layer = Forwarded(lambda environ, _: (seen.update(environ), [])[1], ["10.0.0.0/24"])
    environ = {
        "REMOTE_ADDR": remote,
        "HTTP_X_FORWARDED_FOR": said,
        "HTTP_X_FORWARDED_PROTO": "https",
        "wsgi.url_scheme": "http",
    }

    layer(environ, lambda *_: None)

    assert seen["REMOTE_ADDR"] == address
    assert seen["wsgi.url_scheme"] == ("https" if remote.startswith("10.") else "http")
    assert not asked_from_here(seen)


def test_a_wrong_proxy_is_refused() -> None:
    """One line says what would be accepted."""
    with pytest.raises(ConfigError, match="trusted_proxies: 'proxy'"):
        Forwarded(lambda *_: [], ["proxy"])


# The audit log.


def test_logins_and_refusals_are_noted(site: Site) -> None:
    """With the name of a user, but never with what else was typed as one."""
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


def test_logins_in_flight_are_answered_in_time(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 64 at once an honest login waited for 5 to 12 s; now it has a yes, a no, or a 429."""
    site = make_site("ada")
    monkeypatch.setattr(auth_module, "check_password", lambda *_: not native.sleep(0.1))  # type: ignore[func-returns-value]
    took_s: list[float] = []
    answers: list[object] = []

    def try_it() -> None:
        begun = time.monotonic()
        try:
            answers.append(site.auth._check("ada", PASSWORD))
        except TooManyAttempts as error:
            answers.append(error.retry_after_s)
        took_s.append(time.monotonic() - begun)

    for _ in range(64):
        hub.spawn(try_it)

    until(lambda: len(answers) == 64, 8.0)
    assert max(took_s) < auth_module.MAX_TURN_S + 0.5
    assert answers.count(2) > 10
    assert len([person for person in answers if isinstance(person, Person)]) > 10
