"""Open connections and their credentials, so that they can be closed when access is revoked."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from server.users.users import OPEN, Person

__all__ = ["EVERYBODY", "Connection", "Connections", "Credential"]


@dataclass(frozen=True, slots=True)
class Credential:
    """A person who makes requests, and how they proved who they are.

    Attributes:
        person: The person as of when the credential was checked.
        by: How the person was identified.
        login: Key of the login, if by cookie.
    """

    person: Person
    by: Literal["open", "local", "cookie", "basic", "bearer"]
    login: str | None = None


EVERYBODY = Credential(OPEN, "open")
"""Anyone, on a server without users."""


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection of a dashboard, a program or a stream.

    Attributes:
        credential: Who is connected.
        end: Closes the connection; called at most once; must not block.
        address: The client's address.
        watching: Returns the names of the cameras being watched.
        since_unix: When it connected, in Unix seconds.
    """

    credential: Credential
    end: Callable[[], None]
    address: str = ""
    watching: Callable[[], Iterable[str]] = tuple
    since_unix: float = field(default_factory=time.time)


class Connections:
    """All open connections."""

    def __init__(self) -> None:
        self._open: dict[object, Connection] = {}

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._open.values()))

    def enter(self, key: object, connection: Connection) -> None:
        """Add a connection."""
        self._open[key] = connection

    def leave(self, key: object) -> None:
        """Remove a connection that has ended."""
        self._open.pop(key, None)

    def sweep(self, holds: Callable[[Credential], bool]) -> int:
        """Close every connection whose credential is no longer valid; return how many."""
        revoked = [key for key, one in self._open.items() if not holds(one.credential)]
        for key in revoked:
            self._open.pop(key).end()
        return len(revoked)
