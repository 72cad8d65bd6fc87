"""Passwords as argon2id hashes, and tokens as plain digests."""

import hashlib
import re
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.errors import ConfigError

__all__ = ["check_password", "digest", "hash_password", "is_token", "new_token", "take_password"]

SHORTEST, LONGEST = 8, 256

# RFC 9106's argon2id at OWASP's memory and passes for one lane: about 50 ms of one core. More lanes
# would take cores from encoding, and more memory would let a few guesses at once fill a small
# machine.
HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, hash_len=32, salt_len=16)

# The hash of something random nobody knows, held against whatever is said for an unknown name.
NOBODYS_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$R2+/3M1q000pCcU+/i/o0A"
    "$P0mVUtGC2y+LQxWUX5OgyfKjjynet8hJfIYpFVvgjF8"
)

TOKEN_PREFIX = "porthole_"
"""Lets people and scanners of published code see what a leaked token is."""

TOKEN = re.compile(TOKEN_PREFIX + r"[A-Za-z0-9_-]{43}")


def take_password(text: str) -> str:
    """Return a new password in the form that is hashed.

    Raises:
        ConfigError: If it is too short or too long; does not quote it.
    """
    password = _normal(text)
    if not SHORTEST <= len(password) <= LONGEST:
        raise ConfigError(
            f"the password has {len(password)} characters; accepted: {SHORTEST} to {LONGEST}"
        )
    return password


def hash_password(password: str) -> str:
    """Return a password's argon2id hash, with a salt of its own. Blocks for tens of ms."""
    return HASHER.hash(_normal(password))


def check_password(hashed: str | None, password: str) -> bool:
    """Return whether a password is right; takes as long when there is no hash to hold it against.

    Blocks for tens of ms: call it through ``hub.run_native``.
    """
    password = _normal(password)
    if len(password) > LONGEST:
        password = ""
    try:
        HASHER.verify(hashed or NOBODYS_HASH, password)
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None


def new_token() -> str:
    """Return a new token, 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def is_token(text: str) -> bool:
    """Return whether this is a token by its looks, known or not."""
    return TOKEN.fullmatch(text) is not None


def digest(token: str) -> str:
    """Return what is kept of a token or a login.

    A plain SHA-256 is enough: slow hashes make up for passwords that can be guessed, and nobody
    guesses 256 random bits. For the same reason it may be looked up instead of compared.
    """
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _normal(password: str) -> str:
    """Return a password as the same bytes whatever keyboard it was typed on."""
    return unicodedata.normalize("NFKC", password)
