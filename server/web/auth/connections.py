"""Open connections and their credentials, so that they can be closed when access is revoked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from server.users.users import OPEN, Person

__all__ = ["EVERYBODY", "Connections", "Credential"]


@dataclass(frozen=True, slots=True)
class Credential:
    """Who makes a request, and how that was proved.

    Attributes:
        person: The person, as of when the credential was checked.
        by: How the person was identified.
        login: The key of the login, if by cookie.
    """

    person: Person
    by: Literal["open", "local", "cookie", "basic", "bearer"]
    login: str | None = None


EVERYBODY = Credential(OPEN, "open")
"""Anybody, on a server without users."""


class Connections:
    """All open connections, with their credentials."""

    def __init__(self) -> None:
        self._open: dict[object, tuple[Credential, Callable[[], None]]] = {}

    def enter(self, key: object, credential: Credential, end: Callable[[], None]) -> None:
        """Add a connection; ``end`` is called at most once to close it, and must not block."""
        self._open[key] = credential, end

    def leave(self, key: object) -> None:
        """Remove a connection that has ended by itself."""
        self._open.pop(key, None)

    def sweep(self, holds: Callable[[Credential], bool]) -> int:
        """Close every connection whose credential is no longer valid; return how many."""
        revoked = [key for key, (credential, _) in self._open.items() if not holds(credential)]
        for key in revoked:
            _, end = self._open.pop(key)
            end()
        return len(revoked)
