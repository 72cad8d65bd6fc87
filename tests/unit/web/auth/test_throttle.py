"""Guessing passwords is slow, and does not lock out known browsers and players."""

import time
from collections.abc import Callable

import pytest
from argon2 import extract_parameters

from server.addresses import network_of
from server.loop import hub, native
from server.users import password as password_module
from server.users.password import HASHER
from server.users.users import Person
from server.web.auth import auth as auth_module
from server.web.auth import throttle as guesses
from server.web.auth.throttle import TooManyAttempts
from tests.support.fakes import until
from tests.unit.web.auth.site import PASSWORD, Site, basic, from_there, log_in, log_out, written


def test_guessing_the_old_password_is_limited(site: Site) -> None:
    """On a page left open, nobody can try more passwords than at the login."""
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


def test_attempts_from_the_future_lock_nobody_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a clock that was ahead used to count for a year, or until a restart."""
    right = time.time
    ahead_s = 365 * 86400.0
    monkeypatch.setattr(time, "time", lambda: right() + ahead_s)
    client = site.client()
    codes = [log_in(client, "ada", f"guess {number}").status_code for number in range(11)]

    ahead_s = 0.0

    assert codes == [401] * 10 + [429]
    assert log_in(client).status_code == 303
    codes = [log_in(site.client(), "ada", "guess").status_code for _ in range(10)]
    assert codes == [401] * 9 + [429], "current tries count"


def test_guesses_are_limited_per_name(site: Site) -> None:
    """All addresses together have thirty tries at a name, whether it exists or not."""
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


def test_answers_past_the_limit_reveal_nothing(site: Site) -> None:
    """Five hundred guesses, and then the right one, look the same from the eleventh on.

    If the password was already proved elsewhere by Basic, it was accepted immediately, and not
    counted: a guesser could learn it at a thousand guesses a second.
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
    assert here.status_code == 200, "a client that proved it before continues"
    assert counted.count("rate_limited") == 495
    first, last = [e for e in written(site.folder, "refused.log") if e["result"] == "rate_limited"]
    assert (first["from"], last["repeated"]) == ("10.0.0.2", 494)


def test_remembered_password_is_not_exempt_from_the_limit(site: Site) -> None:
    """An attacker at a player's address cannot learn the player's password either."""
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
    """Let strangers use up a name's tries, from four addresses."""
    for number in range(31):
        with site.flask.test_request_context():
            try:
                site.auth._throttle.count(f"10.9.{number % 4}.1", name)
            except guesses.TooManyAttempts:
                return
    raise AssertionError("the name is not locked")


def test_a_known_browser_is_not_locked_out(site: Site) -> None:
    """Strangers' tries lock a name's owner only out of new browsers, logged out or not."""
    client = site.client()
    log_in(client)
    log_out(client)

    lock_out(site, "ada")

    assert log_in(site.client()).status_code == 429, "an unknown browser"
    for number in range(8):
        assert log_in(client, "Ada", f"guess {number}").status_code == 401
    assert log_in(client).status_code == 303
    log_out(client)
    assert log_in(client, "ada", "guess").status_code == 401
    assert log_in(client).status_code == 429, "its own tries are counted, too"


def test_known_browser_is_exempt_for_its_owner_only(site: Site) -> None:
    """A browser that a user logged in from gives no extra tries at other names."""
    site.file.add_user("eve", "viewer", None, PASSWORD)
    until(lambda: site.auth.people.user("eve"))
    client = site.client()
    log_in(client, "eve")
    log_out(client)

    lock_out(site, "ada")

    assert log_in(client, "ada").status_code == 429
    assert log_in(client, "eve").status_code == 303


def test_a_known_player_is_not_locked_out(site: Site) -> None:
    """A password sent with every request keeps working where it was right before."""
    client, mine = site.client(), from_there("10.0.0.1")
    right = basic("ada", PASSWORD)
    assert client.get("/api/cameras", headers=right, **mine).status_code == 200

    lock_out(site, "ada")

    wrong = client.get("/api/cameras", headers=basic("ada", "wrong horse"), **mine)
    assert wrong.status_code == 401
    assert client.get("/api/cameras", headers=right, **mine).status_code == 200
    elsewhere = client.get("/api/cameras", headers=right, **from_there("10.0.0.3"))
    assert elsewhere.status_code == 429


def test_one_address_cannot_lock_out_a_name() -> None:
    """One address has fewer tries than lock a name for everybody."""
    per_address, per_name = guesses.PER_ADDRESS, guesses.PER_NAME
    tries = per_address.amount * per_name.get_expiry() / per_address.get_expiry()

    assert tries < per_name.amount


def test_existing_login_is_not_limited(site: Site) -> None:
    """Guesses from the same address do not end a login."""
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
def test_attempts_are_counted_per_network(address: str, network: str) -> None:
    """One IPv6 network has more addresses than there are tries."""
    assert network_of(address) == network


@pytest.mark.usefixtures("ordinary_passwords")
def test_unknown_name_takes_as_long_to_check(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Timing does not reveal names: an equally strong hash is checked for unknown ones."""
    verify, checked = HASHER.verify, []

    class Watching:
        """Verifies passwords and records the parameters of each hash."""

        def verify(self, hashed: str, password: str) -> bool:
            checked.append(extract_parameters(hashed))
            return verify(hashed, password)

    monkeypatch.setattr(password_module, "HASHER", Watching())

    for name in ("ada", "nobody"):
        assert site.auth._check(name, "wrong password") is None

    known, unknown = checked
    assert known == unknown


def test_parallel_logins_are_answered_in_time(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 64 in parallel an honest login waited 5 to 12 s; now it gets a yes, a no, or a 429."""
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
