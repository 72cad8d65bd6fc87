"""Who is connected right now, so that whoever loses the right to be is sent away."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from server.users.users import OPEN, Person

__all__ = ["EVERYBODY", "Connections", "Credential"]


@dataclass(frozen=True, slots=True)
class Credential:
    """Who asks, and by what right.

    Attributes:
        person: As the person was when the right was checked.
        by: How it was shown.
        login: Which login, if by cookie.
    """

    person: Person
    by: Literal["open", "local", "cookie", "basic", "bearer"]
    login: str | None = None


EVERYBODY = Credential(OPEN, "open")
"""Whoever asks a server without users."""


class Connections:
    """Every open connection, with the right it was opened by."""

    def __init__(self) -> None:
        self._here: dict[object, tuple[Credential, Callable[[], None]]] = {}

    def enter(self, key: object, credential: Credential, end: Callable[[], None]) -> None:
        """Note a connection; ``end`` is called, once and without waiting, to be rid of it."""
        self._here[key] = credential, end

    def leave(self, key: object) -> None:
        """Forget a connection that has ended by itself."""
        self._here.pop(key, None)

    def sweep(self, holds: Callable[[Credential], bool]) -> int:
        """End every connection whose right no longer holds; return how many."""
        gone = [key for key, (credential, _) in self._here.items() if not holds(credential)]
        for key in gone:
            _, end = self._here.pop(key)
            end()
        return len(gone)
