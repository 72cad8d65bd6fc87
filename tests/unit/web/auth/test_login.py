"""The login page: its form, its cookie, and its messages."""

import re

import pytest

from tests.support.fakes import until
from tests.unit.web.auth.site import PASSWORD, Site, csrf_of, log_in, log_out


def test_page_redirects_to_the_login(site: Site) -> None:
    """A browser is redirected by a relative address, which works under any prefix."""
    answer = site.client().get("/")

    assert (answer.status_code, answer.headers["Location"]) == (303, "login")


def test_logout_invalidates_the_cookie(site: Site) -> None:
    """The right password opens, logging out closes, and the old cookie stays invalid."""
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


def test_second_login_replaces_the_first(site: Site) -> None:
    """A browser has one login; the previous one's cookie is invalid."""
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
def test_failed_login_does_not_reveal_names(site: Site, name: str, password: str) -> None:
    """The answer does not reveal whether the name exists."""
    answer = log_in(site.client(), name, password)

    assert answer.status_code == 401
    assert "Name or password is wrong." in answer.text


def test_a_name_is_escaped(site: Site) -> None:
    """The form shows it again as text, not as HTML."""
    answer = log_in(site.client(), '"><script>alert(1)</script>')

    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("token", ["", "wrong", "ü"])
def test_form_without_its_csrf_token_is_rejected(site: Site, token: str) -> None:
    """Another site cannot log a browser in or out."""
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
def test_only_a_small_form_is_parsed(site: Site, kind: str, body: str) -> None:
    """Anything other than a login form gets an error and is not parsed."""
    answer = site.client().post("/login", data=body, content_type=kind)

    assert (answer.status_code, answer.mimetype) == (400, "text/plain")
    assert "fields name, password and csrf" in answer.text


def test_login_replaces_a_planted_session(site: Site) -> None:
    """Logging in starts a new session: one planted in the browser before is useless."""
    client = site.client()
    planted = csrf_of(client)

    log_in(client)

    with client.session_transaction() as session:
        assert session.get("csrf") != planted


def test_login_cookie_is_protected(site: Site) -> None:
    """Scripts cannot read it, other sites cannot send it, and over TLS it stays on TLS."""
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


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("users", "This server has users now. Log in to continue."),
        ("ended", "Your login has ended"),
        ("<b>", None),
        ("", None),
    ],
)
def test_login_page_gives_the_reason(site: Site, why: str, said: str | None) -> None:
    """The reason is in our own words; the login returns to the page without them."""
    text = site.client().get(f"/login?camera=door&why={why}").text

    assert ('role="alert"' in text) == (said is not None)
    assert said is None or said in text
    assert 'action="login?camera=door"' in text


def test_ended_login_is_explained(site: Site) -> None:
    """This works without scripts, too: the browser still sends the expired login."""
    client = site.client()
    log_in(client)

    site.file.set_password("ada", "another horse")

    until(lambda: client.get("/").status_code == 303)
    assert "Your login has ended" in client.get("/login").text
    assert "Name or password is wrong." in log_in(client).text
    log_in(client, "ada", "another horse")
    log_out(client)
    assert "Your login has ended" not in client.get("/login").text
