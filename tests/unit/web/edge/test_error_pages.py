"""Errors as people and programs see them: a whole server, called without a socket."""

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from werkzeug.test import Client, TestResponse

from server.app import App, create_app
from server.config.load import load_settings
from server.users.users import UsersFile
from server.web.edge.error_pages import ErrorPages, say

PASSWORD = "correct horse"

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture(scope="module")
def open_app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """A server without users."""
    return create_app(load_settings(["door=test:"], None, tmp_path_factory.mktemp("open"), {}, {}))


@pytest.fixture(scope="module")
def closed_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A server where ann may see only a camera that does not exist."""
    folder = tmp_path_factory.mktemp("closed")
    UsersFile(folder).add_user("ann", "viewer", ["shed"], PASSWORD)
    app = create_app(load_settings(["door=test:"], None, folder, {}, {}))
    app.runtime.audit.open()
    yield app
    app.runtime.audit.close()


def ask(app: App, path: str, accept: str = BROWSER, **more: Any) -> TestResponse:
    """Return the answer of a whole server, its outer layers included."""
    base = {"base_url": "http://localhost/", "environ_base": {"REMOTE_ADDR": "127.0.0.1"}}
    return Client(app._front).open(path, **base | more, headers={"Accept": accept})


def title_of(answer: TestResponse) -> str:
    """Return a page's title, which must equal its heading."""
    found = re.search(r"<title>(.+) – Porthole</title>", answer.text)
    assert found, answer.text[:200]
    assert f'<h1 class="error-title">{found[1]}</h1>' in answer.text
    return found[1]


ERRORS = [
    ("/nothing/here", {}, 404, "There is nothing here"),
    ("/video_feed/shed", {}, 404, "There is nothing here"),
    ("/?action=foo", {}, 404, "There is nothing here"),
    ("/static/js/nothing.js", {}, 404, "There is nothing here"),
    ("/clip/door.mp4?from=1700000000&to=1700000001", {}, 404, "This is no longer kept"),
    ("/clip/door_x.mp4", {}, 404, "This is no longer kept"),
    ("/event/door_20261126_120000000.jpg", {}, 404, "This is no longer kept"),
    ("/clip/shed.mp4?from=1&to=2", {}, 404, "There is nothing here"),
    ("/clip/door.mp4", {}, 400, "That did not work"),
    ("/api/admin/cameras/try", {}, 405, "This is not a page"),
    ("/api/clips", {"method": "POST"}, 415, "That did not work"),
    ("/stream/door.mp4", {}, 406, "There is no video"),
    ("/?" + "x" * 5000, {}, 414, "This address is too long"),
    ("/", {"base_url": "http://evil.example/"}, 421, "This server has another name"),
    ("/socket.io/", {}, 400, "That did not work"),
]


@pytest.mark.parametrize(
    ("path", "more", "status", "title"), ERRORS, ids=[one[0][:24] for one in ERRORS]
)
def test_errors_are_html_for_browsers_and_text_for_programs(
    open_app: App, path: str, more: dict[str, Any], status: int, title: str
) -> None:
    """A mistyped address, a deleted clip, a wrong name: a browser used to show one bare line."""
    page = ask(open_app, path, **more)
    text = ask(open_app, path, "*/*", **more)

    assert (page.status_code, text.status_code) == (status, status)
    assert page.content_type == "text/html; charset=utf-8"
    assert title_of(page) == title
    assert text.content_type.partition(";")[0] in ("text/plain", "application/json")
    assert "<" not in text.text


def test_error_page_is_self_contained(open_app: App) -> None:
    """Under a foreign name no other file is served, so the page may only use its own style."""
    for base in ("http://evil.example/", "http://localhost/"):
        page = ask(open_app, "/nothing", base_url=base)
        (style,) = re.findall("<style>(.*)</style>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

        assert "--ground" in style
        assert ".lone-card" in style
        assert "@import" not in style
        assert f"style-src 'sha256-{digest}'" in page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("path", "home"), [("/nothing", "./"), ("/a/b/c", "../../"), ("/video_feed/a%2Fb", "../")]
)
def test_link_to_the_dashboard_is_relative(open_app: App, path: str, home: str) -> None:
    """A proxy may serve everything below a prefix that we do not know."""
    page = ask(open_app, path, environ_overrides={"RAW_PATH_INFO": path})

    assert f'href="{home}">Open the dashboard</a>' in page.text


def test_requested_path_is_escaped_on_the_page(open_app: App) -> None:
    """The author of a link controls the path."""
    page = ask(open_app, "/video_feed/<img src=x>")

    assert "&lt;img src=x&gt;" in page.text
    assert "<img" not in page.text


def test_server_error_is_a_page_without_details(
    open_app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It can be retried; the log has the details that clients do not get."""

    def fail() -> NoReturn:
        raise RuntimeError("a secret")

    monkeypatch.setitem(open_app.flask.view_functions, "web.healthz", fail)

    page, text = ask(open_app, "/healthz"), ask(open_app, "/healthz", "*/*")

    assert (page.status_code, text.status_code) == (500, 500)
    assert title_of(page) == "Something went wrong"
    assert 'href="">Try again</a>' in page.text
    assert text.content_type.startswith("text/plain")
    assert "secret" not in page.text + text.text
    assert "a secret" in caplog.text


def test_denied_requests_explain_what_to_do(closed_app: App) -> None:
    """Strangers are asked to log in; to a user, a hidden camera does not exist. The page for an
    expired embed link has no link, since its users have no password."""
    proof = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
    known = {"HTTP_AUTHORIZATION": f"Basic {proof}"}

    stranger = ask(closed_app, "/video_feed")
    ann = ask(closed_app, "/api/admin/people", environ_overrides=known)
    hers = ask(closed_app, "/video_feed/door", environ_overrides=known)
    framed = ask(closed_app, "/?token=gone&view=kiosk")

    assert (stranger.status_code, title_of(stranger)) == (401, "Log in first")
    assert stranger.headers["WWW-Authenticate"].startswith("Basic")
    assert 'href="./">Log in</a>' in stranger.text
    assert "token" not in stranger.text
    assert (ann.status_code, ann.content_type.partition(";")[0]) == (401, "text/html")
    assert (hers.status_code, title_of(hers)) == (404, "There is nothing here")
    assert (framed.status_code, title_of(framed)) == (401, "This link does not work")
    assert "<a " not in framed.text


def test_failed_login_keeps_the_login_page(closed_app: App) -> None:
    """It answers a wrong password with 401 and a form, which must not become an error page."""
    client = Client(closed_app._front)
    options = {"base_url": "http://localhost/", "headers": {"Accept": BROWSER}}
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/login", **options).text)
    assert found

    answer = client.post(
        "/login", data={"name": "ann", "password": "wrong", "csrf": found[1]}, **options
    )

    assert answer.status_code == 401
    assert "Name or password is wrong." in answer.text
    assert 'class="login-form"' in answer.text


def test_error_page_keeps_all_response_headers() -> None:
    """Two cookies are two headers of one name; only the text's length is replaced."""

    def refuse(_environ: object, start_response: Any) -> list[bytes]:
        cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
        start_response("403 Forbidden", [("Content-Type", "text/plain"), *cookies])
        return [b"no"]

    pages = ErrorPages(refuse, lambda **values: values["title"], lambda: b"")

    answer = Client(pages).get("/", headers={"Accept": BROWSER})

    assert (answer.status_code, answer.text) == (403, "This is not allowed")
    assert answer.headers.getlist("Set-Cookie") == ["a=1", "b=2"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.getlist("Content-Length") == [str(len(answer.data))]


def test_error_text_becomes_sentences() -> None:
    """Unix seconds become a time of day; names stay as they are."""
    assert say("there is no camera 'x'; cameras here: none") == (
        "There is no camera 'x'; cameras here: none."
    )
    assert say("ada may not see this") == "You are logged in as ada, who may not see this."
    assert say("hall may not see this", has_token=True) == (
        "The token hall does not give access to this."
    )
    assert "1795681234" not in say("there is 1795681234.000 to 1795681290.500")
    assert say("") == ""
