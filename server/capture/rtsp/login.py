"""Answers a server's login challenge: Basic (RFC 7617) or Digest (RFC 7616). No I/O."""

import base64
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

__all__ = ["Login"]

CHALLENGE = re.compile(r"(?:^|,)\s*(Basic|Digest)\s+", re.I)
FIELD = re.compile(r'([A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]*))')

# In order of preference.
ALGORITHMS = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}


@dataclass(frozen=True)
class _Challenge:
    scheme: str
    fields: dict[str, str]

    @property
    def algorithm(self) -> str:
        return self.fields.get("algorithm", "MD5").upper().removesuffix("-SESS")

    @property
    def preference(self) -> int:
        """Rank of this challenge, higher is better; negative if it is not supported."""
        if self.scheme == "basic":
            return 0
        if self.algorithm not in ALGORITHMS or "nonce" not in self.fields:
            return -1
        qops = self.fields.get("qop", "auth")
        if "auth" not in re.split(r"[\s,]+", qops):
            return -1
        return len(ALGORITHMS) - list(ALGORITHMS).index(self.algorithm)


class Login:
    """A user name and password, sent only when a server asks for them.

    Args:
        user: The user name from a URL, perhaps percent-encoded.
        password: The password from a URL, perhaps percent-encoded.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = unquote_to_bytes(user), unquote_to_bytes(password)
        self._challenge: _Challenge | None = None
        self._count = 0

    def accept(self, texts: Iterable[str]) -> bool:
        """Read the ``WWW-Authenticate`` headers of a 401; return whether to repeat the request.

        If the login was already sent by the same method, that only helps against a stale nonce.
        """
        challenges = [one for text in texts for one in _challenges_in(text)]
        best = max(challenges, key=lambda one: one.preference, default=None)
        if best is None or best.preference < 0:
            return False
        before, self._challenge = self._challenge, best
        if before is None or before.scheme != best.scheme or before.algorithm != best.algorithm:
            self._count = 0
            return True
        if before.fields.get("nonce") != best.fields.get("nonce"):
            self._count = 0
        return best.fields.get("stale", "").lower() == "true"

    def renew(self, texts: Iterable[str]) -> bool:
        """Do as :meth:`accept` after a successful login: a new nonce means the old one is stale."""
        before = self._challenge
        again = self.accept(texts)
        nonce = "" if self._challenge is None else self._challenge.fields.get("nonce")
        return again or (before is not None and nonce != before.fields.get("nonce"))

    def header(self, method: str, url: str) -> str:
        """Return the value of ``Authorization`` for a request; empty before any challenge."""
        if self._challenge is None:
            return ""
        if self._challenge.scheme == "basic":
            return f"Basic {base64.b64encode(self._user + b':' + self._password).decode()}"
        return self._digest(self._challenge, method, url)

    def _digest(self, challenge: _Challenge, method: str, url: str) -> str:
        fields = challenge.fields
        new = ALGORITHMS[challenge.algorithm]

        def hashed(*parts: bytes) -> bytes:
            return new(b":".join(parts), usedforsecurity=False).hexdigest().encode()

        self._count += 1
        count, client_nonce = f"{self._count:08x}", os.urandom(8).hex()
        realm, nonce = _bytes(fields.get("realm", "")), _bytes(fields["nonce"])
        secret = hashed(self._user, realm, self._password)
        if fields.get("algorithm", "").upper().endswith("-SESS"):
            secret = hashed(secret, nonce, client_nonce.encode())
        request = hashed(_bytes(method), _bytes(url))
        if "qop" in fields:
            proof = (count.encode(), client_nonce.encode(), b"auth")
            response = hashed(secret, nonce, *proof, request)
        else:
            response = hashed(secret, nonce, request)
        user = self._user.decode("utf-8", "surrogateescape")
        parts = [f"username={_quoted(user)}"]
        parts += [f"realm={_quoted(fields.get('realm', ''))}", f"nonce={_quoted(fields['nonce'])}"]
        parts += [f"uri={_quoted(url)}", f'response="{response.decode()}"']
        if "algorithm" in fields:
            parts.append(f"algorithm={fields['algorithm']}")
        if "opaque" in fields:
            parts.append(f"opaque={_quoted(fields['opaque'])}")
        if "qop" in fields:
            parts.append(f'qop=auth, nc={count}, cnonce="{client_nonce}"')
        return f"Digest {', '.join(parts)}"


def _challenges_in(text: str) -> Iterable[_Challenge]:
    """Yield the challenges in a header, which may hold several."""
    found = list(CHALLENGE.finditer(text))
    for at, one in enumerate(found):
        stop = found[at + 1].start() if at + 1 < len(found) else len(text)
        fields = {
            field[1].lower(): re.sub(r"\\(.)", r"\1", field[2]) if field[3] is None else field[3]
            for field in FIELD.finditer(text, one.end(), stop)
        }
        yield _Challenge(one[1].lower(), fields)


def _quoted(text: str) -> str:
    escaped = re.sub(r'(["\\])', r"\\\1", text)
    return f'"{escaped}"'


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
