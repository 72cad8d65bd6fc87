"""Passwords as argon2id hashes, and tokens as plain digests."""

import hashlib
import re
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.errors import ConfigError

__all__ = [
    "check_password",
    "digest",
    "hash_password",
    "is_token",
    "make_password",
    "new_token",
    "normalize_password",
]

MIN_LENGTH, MAX_LENGTH = 8, 256

# RFC 9106's argon2id with OWASP's memory and passes for one lane: about 50 ms of one core. More
# lanes would take cores from encoding, and with more memory a few guesses at once would fill a
# small machine.
HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, hash_len=32, salt_len=16)

# The hash of a discarded random password; checked for unknown names, which must take as long.
NOBODYS_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$R2+/3M1q000pCcU+/i/o0A"
    "$P0mVUtGC2y+LQxWUX5OgyfKjjynet8hJfIYpFVvgjF8"
)

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Characters of generated passwords, which are not easily mistaken for each other."""

TOKEN_PREFIX = "porthole_"
"""Makes a leaked token recognizable to people and to secret scanners."""

TOKEN = re.compile(TOKEN_PREFIX + r"[A-Za-z0-9_-]{43}")


def normalize_password(text: str) -> str:
    """Check a new password, and return its normalized form.

    Raises:
        ConfigError: If it is too short or too long; the message does not quote it.
    """
    password = _normalize(text)
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise ConfigError(
            f"the password has {len(password)} characters; accepted: {MIN_LENGTH} to {MAX_LENGTH}"
        )
    return password


def hash_password(password: str) -> str:
    """Return a password's argon2id hash with a new salt. Blocks for tens of ms."""
    return HASHER.hash(_normalize(password))


def check_password(hashed: str | None, password: str) -> bool:
    """Return whether a password is correct; takes equally long when there is no hash.

    Blocks for tens of ms: call it through ``hub.run_native``.
    """
    password = _normalize(password)
    if len(password) > MAX_LENGTH:
        password = ""
    try:
        HASHER.verify(hashed or NOBODYS_HASH, password)
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None


def make_password() -> str:
    """Return a new password that can be read aloud and typed: about 79 random bits."""
    return "-".join("".join(map(secrets.choice, [LETTERS] * 4)) for _ in range(4))


def new_token() -> str:
    """Return a new token, 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def is_token(text: str) -> bool:
    """Return whether the text has the form of a token, known or not."""
    return TOKEN.fullmatch(text) is not None


def digest(token: str) -> str:
    """Return the digest that is stored for a token or a login.

    A plain SHA-256 is enough: slow hashes protect passwords that can be guessed, and nobody guesses
    256 random bits. For the same reason a dictionary lookup is safe, without a constant-time
    comparison.
    """
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _normalize(password: str) -> str:
    """Normalize a password, so that it is the same typed on any keyboard."""
    return unicodedata.normalize("NFKC", password)
