"""Stored logins: how long they last, across restarts, and how many there may be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from server.users.users import Person, UsersFile
from server.web.auth.logins import LIFETIME_S, MAX_PER_PERSON, Logins
from tests.support.fakes import FakeClock
from tests.unit.web.auth.site import PASSWORD, Site, log_in


def test_logins_survive_a_restart(make_site: Callable[..., Site]) -> None:
    """A browser continues where it was; one that logged out does not."""
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


def test_login_file_contains_no_cookie_values(site: Site) -> None:
    """It contains digests, and only its owner can read it."""
    secret = site.auth.logins.open(Person("ada", "viewer", generation="x"))
    site.auth.logins.save()

    text = (site.folder / "logins.json").read_text()
    assert secret not in text
    assert (site.folder / "logins.json").stat().st_mode & 0o777 == 0o600


def test_a_login_ends_after_a_month(tmp_path: Path, clock: FakeClock) -> None:
    """A forgotten browser does not stay logged in forever."""
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
def test_login_survives_a_clock_change(tmp_path: Path, clock: FakeClock, step_s: float) -> None:
    """A board without a battery sets its clock after its start, which logs nobody out.

    A login's age is the time that passes meanwhile: a month later it still ends.
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


def test_oldest_login_is_dropped_at_the_limit(tmp_path: Path) -> None:
    """Browsers that never log out do not accumulate."""
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
def test_broken_login_file_is_ignored(tmp_path: Path, text: str) -> None:
    """Everybody has to log in again, and nothing else happens."""
    path = tmp_path / "logins.json"
    path.write_text(text)
    logins = Logins(path)

    logins.load(UsersFile(tmp_path).load())

    assert not logins._logins
