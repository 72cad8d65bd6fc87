"""Hash test users' passwords cheaply, as they are known anyway."""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from server.users import password

__all__ = ["cheap_passwords", "ordinary_passwords"]

HASHER = password.HASHER


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hash test passwords in a millisecond; checking uses the parameters stored in the hash.

    Servers hash with the usual cost.
    """
    password.HASHER = PasswordHasher(1, 64, 1)
    yield
    password.HASHER = HASHER


@pytest.fixture
def ordinary_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash at the servers' cost. Request it before fixtures that make users."""
    monkeypatch.setattr(password, "HASHER", HASHER)
