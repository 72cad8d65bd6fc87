"""Shows errors as a page to browsers; programs get a line of text."""

import base64
import functools
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.exceptions import default_exceptions

__all__ = ["ErrorPages"]

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# Titles, and the text for responses without their own.
DEFAULT_TEXTS: Mapping[int, tuple[str, str]] = {
    400: ("That did not work", "The server does not understand this request."),
    401: ("Log in first", "Only people who are logged in may see this."),
    403: ("This is not allowed", "An admin of this server can change that."),
    404: ("There is nothing here", "The address may be mistyped, or what was there was removed."),
    405: ("This is not a page", "This address is for programs, which use another request method."),
    406: ("There is no video", "The camera sends none that can be shown here."),
    410: ("This is no longer kept", "What was at this address has been deleted."),
    413: ("That is too large", "The server does not accept requests of this size."),
    414: ("This address is too long", "Some of it may have been pasted twice."),
    421: ("This server has another name", "It does not answer to the one in the address."),
    429: ("Please wait a moment", "There were too many requests."),
    500: ("Something went wrong", "The server could not do this. Its log says why."),
    503: ("Not available right now", "This may be temporary."),
}
OTHER = ("That did not work", "The server could not do this.")

NOT_KEPT = "This is no longer kept"
DEAD_LINK = "This link does not work"

# Paths of recordings and clips, which are kept for a limited time.
KEPT = ("/clip/", "/recording/", "/event/")

# Errors that may pass: the page offers to try again.
PASSING = (429, 500, 503)

MAX_TEXT = 600

FORBIDDEN = re.compile(r"(\S+) may not see this")

# Unix seconds, as written for programs.
MOMENT = re.compile(r"\b\d{10}\.\d{3}\b")

COMMENT = re.compile(r"/\*.*?\*/|^\s+", re.DOTALL | re.MULTILINE)

POLICY = "Content-Security-Policy"

# For responses without a policy.
STRICT = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"


class ErrorPages:
    """A WSGI layer that turns the text of an error into a page if a browser requests a page.

    The page needs no further files, because they may not load either: under a wrong host name, or
    with too many connections. Status and headers stay as they are.

    Args:
        application: Answers the requests.
        render: Renders the page with the given values.
        sheet: Returns the style sheet.
    """

    def __init__(
        self, application: Application, render: Callable[..., str], sheet: Callable[[], bytes]
    ) -> None:
        self._application = application
        self._render = render
        self._sheet = sheet

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve the request."""
        if not wants_page(environ):
            return self._application(environ, start_response)
        held: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            if status < "400" or kind_of(Headers(headers)) not in (
                "text/plain",
                "application/json",
            ):
                return start_response(status, headers, *more)
            held[:] = [(status, headers)]
            return None

        answer = self._application(environ, start)
        if not held:
            return answer
        try:
            body = b"".join(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
        status, headers = held[0][0], Headers(held[0][1])
        text = read_text(kind_of(headers), body)
        style, digest = minify(self._sheet())
        policy = headers.get(POLICY, "")
        page = self._render(
            **page_values(int(status[:3]), text, environ), style=style, is_served=bool(policy)
        ).encode()
        headers.setdefault("Cache-Control", "no-store")
        headers["Content-Type"] = "text/html; charset=utf-8"
        headers["Content-Length"] = str(len(page))
        policy = policy or STRICT
        headers[POLICY] = policy.replace("style-src 'self'", f"style-src '{digest}'")
        start_response(status, headers.to_wsgi_list())
        return [page]


def wants_page(environ: dict[str, Any]) -> bool:
    """Return whether a browser is opening a page: its Accept header then has text/html."""
    return environ["REQUEST_METHOD"] in ("GET", "POST") and "text/html" in environ.get(
        "HTTP_ACCEPT", ""
    )


def kind_of(headers: Headers) -> str:
    return headers.get("Content-Type", "").partition(";")[0].strip()


def read_text(kind: str, body: bytes) -> str:
    """Return the message of a response; empty if it has none for people."""
    text = body.decode("utf-8", "replace").strip()
    if kind == "application/json":
        try:
            text = json.loads(text)["message"]
        except (ValueError, KeyError, TypeError):
            return ""
    return text[:MAX_TEXT] if isinstance(text, str) else ""


def page_values(status: int, text: str, environ: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that the page shows for an error."""
    path = environ.get("RAW_PATH_INFO") or environ.get("PATH_INFO", "/")
    title, own = DEFAULT_TEXTS.get(status, OTHER)
    usual = default_exceptions.get(status)
    has_token = "token=" in environ.get("QUERY_STRING", "")
    # Drop werkzeug's own descriptions and the 401 texts: they are for programs.
    if (usual is not None and text == usual.description) or (status == 401 and not has_token):
        text = ""
    if status == 404 and path.startswith(KEPT) and not text.startswith("there is no camera"):
        title = NOT_KEPT
    if status == 401 and has_token:
        title = DEAD_LINK
    # A token's owner has no password to log in with.
    leads_home = status != 421 and not has_token
    is_passing = status in PASSING and environ["REQUEST_METHOD"] == "GET"
    return {
        "status": status,
        "title": title,
        # Text between backticks is code.
        "parts": list(enumerate((say(text, has_token) or own).split("`"))),
        # Relative: a proxy may have cut a prefix off the path.
        "home": "../" * (path.count("/") - 1) or "./",
        "home_word": leads_home and ("Log in" if status == 401 else "Open the dashboard"),
        "is_passing": is_passing,
    }


def say(text: str, has_token: bool = False) -> str:
    """Turn a message for programs into a sentence for people.

    Args:
        text: The message.
        has_token: Whether the address has a token; then nobody is logged in.
    """
    forbidden = FORBIDDEN.fullmatch(text)
    if forbidden and has_token:
        text = f"The token {forbidden[1]} does not give access to this"
    elif forbidden:
        text = f"You are logged in as {forbidden[1]}, who may not see this"
    text = MOMENT.sub(
        lambda match: time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(match[0]))), text
    )
    if text and text[-1] not in ".!?":
        text += "."
    return text[:1].upper() + text[1:]


@functools.lru_cache(maxsize=2)
def minify(sheet: bytes) -> tuple[str, str]:
    """Return a style sheet without comments, and the CSP hash that permits it in the page."""
    style = COMMENT.sub("", sheet.decode())
    digest = hashlib.sha256(style.encode()).digest()
    return style, f"sha256-{base64.b64encode(digest).decode()}"
