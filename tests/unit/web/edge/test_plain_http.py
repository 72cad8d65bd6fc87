"""What a TLS server answers to a request without TLS."""

from typing import Any

import pytest

from server.web.edge.plain_http import redirect_to_tls


def ask(method: str, path: str = "/", query: str = "") -> tuple[str, dict[str, str], str]:
    """Return status, headers and body."""
    told: list[Any] = []
    environ = {
        "REQUEST_METHOD": method,
        "HTTP_HOST": "cameras.example:8000",
        "RAW_PATH_INFO": path,
        "QUERY_STRING": query,
    }
    body = b"".join(redirect_to_tls(environ, lambda *answer: told.extend(answer))).decode()
    return told[0], dict(told[1]), body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "query", "place"),
    [
        ("/", "", "/"),
        ("/snapshot/a%20b.jpg", "rendition=640&x", "/snapshot/a%20b.jpg?rendition=640&x"),
        # The form of a request to a proxy.
        ("http://elsewhere.example/", "", "/"),
        ("//elsewhere.example/", "", "//elsewhere.example/"),
        ("/\r\nSet-Cookie: a=b", "", "/%0D%0ASet-Cookie:%20a=b"),
    ],
)
def test_get_is_redirected_to_the_same_path_over_tls(
    method: str, path: str, query: str, place: str
) -> None:
    """The target is on this server, whatever the path, and not cached: TLS may be turned off."""
    status, headers, _ = ask(method, path, query)

    assert status.startswith("308 ")
    assert headers["Location"] == f"https://cameras.example:8000{place}"
    assert headers["Cache-Control"] == "no-store"


def test_post_in_the_clear_is_rejected() -> None:
    """A password sent in the clear must not work as if nothing had happened."""
    status, headers, body = ask("POST", "/login")

    assert status.startswith("400 ")
    assert "Location" not in headers
    assert "https://" in body
