"""Passwords of test users, which are known anyway, take less to check."""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from server.users import password

__all__ = ["cheap_passwords", "ordinary_passwords"]

HASHER = password.HASHER


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hash what tests hash in a millisecond; whoever checks a hash goes by what is written in it.

    Servers hash as they always do.
    """
    password.HASHER = PasswordHasher(1, 64, 1)
    yield
    password.HASHER = HASHER


@pytest.fixture
def ordinary_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash as servers do. Name it before what makes users."""
    monkeypatch.setattr(password, "HASHER", HASHER)
