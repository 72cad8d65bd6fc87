"""Serves ``static/`` from memory: modules and style sheets bundled, compressed and cacheable.

A page requests ``static/VERSION/...``, where VERSION is a hash of all files, so that browsers cache
them until one changes. Each file is also served unbundled at ``static/...``, where browsers ask
every time whether it has changed.
"""

import functools
import gzip
import hashlib
import mimetypes
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.web.http.bundle import VENDOR, join_modules, join_sheets
from server.web.http.headers import restrictions

__all__ = ["StaticAssets", "StaticFiles", "open_assets"]

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

VERSION_DIGITS = 12
VERSIONED = re.compile(rf"([0-9a-f]{{{VERSION_DIGITS}}})/(.+)")

CACHE_FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

# Below this size, compression adds more headers than it saves.
MIN_PACKED_BYTES = 1024
PACKED_TYPES = ("text/", "image/svg", "application/manifest")

# Types that some systems do not know.
TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json"}


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent.

    Attributes:
        body: The contents.
        packed: The contents compressed by gzip; None if that is not worth it.
        kind: The content type.
        tag: The ETag.
    """

    body: bytes
    packed: bytes | None
    kind: str
    tag: str


class StaticAssets:
    """The files below a folder, and their bundles. Reads all of them; blocks for a few ms.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[str, tuple[int, int]] = {}
        self._contents: dict[str, bytes] = {}
        self._files: dict[tuple[str, bool], File] = {}
        self._version = ""

    @property
    def version(self) -> str:
        """A hash of the contents of all files; rereads them if any has changed."""
        seen = dict(scan(self._root))
        if seen != self._seen:
            self._seen = seen
            self._contents = {path: (self._root / path).read_bytes() for path in sorted(seen)}
            self._files = {}
            digest = hashlib.sha256()
            for path, body in self._contents.items():
                digest.update(f"{path}\0{len(body)}\0".encode() + body)
            self._version = digest.hexdigest()[:VERSION_DIGITS]
        return self._version

    def find(self, path: str, joined: bool) -> File | None:
        """Return a file by its path; None if there is none. If joined, its imports are included."""
        if path not in self._contents:
            return None
        key = path, joined
        if key not in self._files:
            self._files[key] = self._make(path, joined)
        return self._files[key]

    def _make(self, path: str, joined: bool) -> File:
        body = self._contents[path]
        suffix = Path(path).suffix
        if joined and not path.startswith(VENDOR):
            if suffix == ".js":
                body = join_modules(path, self._read).encode()
            elif suffix == ".css":
                body = join_sheets(path, self._read).encode()
        kind = TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
        packed = None
        if len(body) >= MIN_PACKED_BYTES and kind.startswith(PACKED_TYPES):
            packed = gzip.compress(body, 6, mtime=0)
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        return File(body, packed, kind, f'"{hashlib.sha256(body).hexdigest()[:16]}"')

    def _read(self, path: str) -> str:
        return self._contents[path].decode()


@functools.cache
def open_assets(root: Path) -> StaticAssets:
    """Return the assets of a folder, with their version computed."""
    assets = StaticAssets(root)
    _ = assets.version
    return assets


class StaticFiles:
    """Answers requests for ``/static/...``, and passes on all others.

    Needs no login: the files are not secret, and the login page uses them.

    Args:
        assets: The files.
        application: Answers all other requests.
        stay_secure: Whether to tell browsers that came over TLS to use only TLS.
    """

    PREFIX = "/static/"

    def __init__(self, assets: StaticAssets, application: Application, stay_secure: bool) -> None:
        self._assets = assets
        self._application = application
        self._stay_secure = stay_secure

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Send the file, or 304 if the browser has it already."""
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD") or not path.startswith(self.PREFIX):
            return self._application(environ, start_response)
        path = path.removeprefix(self.PREFIX)
        versioned = VERSIONED.fullmatch(path)
        # The page may be of another version: from before an upgrade, or from another node.
        keep = versioned is not None and versioned[1] == self._assets.version
        file = self._assets.find(versioned[2] if versioned else path, versioned is not None)
        if file is None:
            return self._application(environ, start_response)
        headers = [
            ("Content-Type", file.kind),
            ("Cache-Control", CACHE_FOREVER if keep else REVALIDATE),
            ("ETag", file.tag),
            *restrictions(
                environ.get("HTTP_HOST", ""),
                stay_secure=self._stay_secure and environ["wsgi.url_scheme"] == "https",
            ),
        ]
        body = file.body
        if file.packed is not None:
            headers.append(("Vary", "Accept-Encoding"))
            if accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
                headers.append(("Content-Encoding", "gzip"))
                body = file.packed
        if file.tag in environ.get("HTTP_IF_NONE_MATCH", ""):
            start_response("304 Not Modified", headers)
            return ()
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return () if environ["REQUEST_METHOD"] == "HEAD" else (body,)


def accepts_gzip(text: str) -> bool:
    """Return whether an Accept-Encoding header allows gzip."""
    for part in text.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def scan(root: Path) -> Iterable[tuple[str, tuple[int, int]]]:
    """Yield each file below a folder: path, modification time in ns, and size."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            about = os.stat(path)
            yield os.path.relpath(path, root), (about.st_mtime_ns, about.st_size)
