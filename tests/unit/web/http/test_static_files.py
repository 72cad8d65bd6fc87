"""Scripts and style sheets, as browsers load and cache them; without a server."""

import gzip
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from server.web.http.static_files import StaticAssets, StaticFiles, accepts_gzip

SCRIPT = "import { one } from './one.js';\n" + "one();\n" * 300
KEPT = "public, max-age=31536000, immutable"


def elsewhere(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The application behind."""
    start_response("404 Not Found", [])
    return (b"elsewhere",)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of files, and a secret beside it."""
    root = tmp_path / "static"
    for path, text in {
        "js/main.js": SCRIPT,
        "js/one.js": "export const one = () => 1;\n",
        "css/all.css": '@import url("a.css");\n',
        "css/a.css": ".a {}\n",
        "vendor/lib.js": "import x from './y.js';\n",
        "app.webmanifest": "{}",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (tmp_path / "secret").write_text("secret")
    return root


@pytest.fixture
def assets(root: Path) -> StaticAssets:
    assets = StaticAssets(root)
    assert len(assets.version) == 12
    return assets


@pytest.fixture
def client(assets: StaticAssets) -> Client:
    return Client(StaticFiles(assets, elsewhere, stay_secure=True))


def ask(client: Client, path: str, **headers: str) -> TestResponse:
    return client.get(f"/static/{path}", headers=headers)


def test_versioned_files_are_joined_and_cached(client: Client, assets: StaticAssets) -> None:
    """Under the version, all imports are in one file, which is cached for good."""
    script = ask(client, f"{assets.version}/js/main.js")
    sheet = ask(client, f"{assets.version}/css/all.css")
    others = ask(client, f"{assets.version}/vendor/lib.js")

    assert (script.status_code, script.headers["Cache-Control"]) == (200, KEPT)
    assert script.content_type == "text/javascript; charset=utf-8"
    assert script.text.startswith("// js/one.js\n")
    assert (sheet.text, sheet.content_type) == (".a {}\n", "text/css; charset=utf-8")
    assert others.text == "import x from './y.js';\n"


def test_unversioned_files_are_revalidated(client: Client) -> None:
    """Without a version browsers revalidate each time, and get 304."""
    first = ask(client, "js/main.js")
    again = ask(client, "js/main.js", **{"If-None-Match": f'W/{first.headers["ETag"]}, "other"'})

    assert (first.text, first.headers["Cache-Control"]) == (SCRIPT, "no-cache")
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert ask(client, "app.webmanifest").content_type == "application/manifest+json"
    assert client.head("/static/js/one.js").headers["Content-Length"] == "28"


def test_other_versions_are_served_without_caching(client: Client) -> None:
    """The page may have been opened before an upgrade, or come from another node."""
    answer = ask(client, "0123456789ab/js/main.js")

    assert answer.text.startswith("// js/one.js\n")
    assert answer.headers["Cache-Control"] == "no-cache"


def test_changed_file_changes_the_version(client: Client, assets: StaticAssets, root: Path) -> None:
    """The next page opened has it, without a restart of the server."""
    before = assets.version
    (root / "js" / "one.js").write_text("export const one = () => 2;\n")
    os.utime(root / "js" / "one.js", (1, 1))

    after = assets.version

    assert after != before
    assert "() => 2" in ask(client, f"{after}/js/main.js").text


def test_large_texts_are_compressed_if_accepted(client: Client) -> None:
    """Only large files, and only for browsers that accept gzip."""
    packed = ask(client, "js/main.js", **{"Accept-Encoding": "br, gzip"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data).decode() == SCRIPT
    assert len(packed.data) == int(packed.headers["Content-Length"]) < len(SCRIPT) / 10
    for plain in (ask(client, "js/main.js"), ask(client, "js/one.js")):
        assert "Content-Encoding" not in plain.headers
    assert packed.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip; q=0", False),
        ("", False),
        ("identity", False),
    ],
)
def test_accept_encoding_is_parsed(text: str, accepted: bool) -> None:
    """An encoding with quality 0 is not accepted."""
    assert accepts_gzip(text) is accepted


@pytest.mark.parametrize(
    "path",
    ["js/two.js", "../secret", "..%2fsecret", "js", "", "0123456789ab/", "0123456789ab/../secret"],
)
def test_other_paths_are_passed_on(client: Client, path: str) -> None:
    """Anything outside of the folder is left to the application behind."""
    assert ask(client, path).text == "elsewhere"
    assert client.post("/static/js/one.js").text == "elsewhere"


def test_files_have_security_headers(client: Client) -> None:
    """A worker uses its own file's policy; only over TLS is a browser told to stay there."""
    answer = ask(client, "js/one.js", Host="cams.example:8000")
    secure = client.get("/static/js/one.js", base_url="https://cams.example")

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "ws://cams.example:8000 " in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Strict-Transport-Security" not in answer.headers
    assert "Strict-Transport-Security" in secure.headers
