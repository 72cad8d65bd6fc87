"""Browser logins, stored on the server so that each can be ended; they survive restarts."""

import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from server.loop import hub
from server.users.password import digest
from server.users.private import PrivateFile
from server.users.users import Person, Users

__all__ = ["LIFETIME_S", "Login", "Logins", "Shared"]

log = logging.getLogger(__name__)

LIFETIME_S = 30 * 24 * 3600
"""Longest duration of a login."""

# Browsers that never log out leave their logins behind; the oldest are removed.
MAX_PER_PERSON = 20


@dataclass(frozen=True, slots=True)
class Login:
    """A user's login in one browser.

    Attributes:
        name: The user's name.
        generation: The account's generation at that time; when it changes, this login ends.
        at_unix: When the user logged in, in Unix seconds.
    """

    name: str
    generation: str
    at_unix: float


class Shared(Protocol):
    """The store that shares logins between nodes; see :mod:`server.cluster.shared.logins`."""

    def put(self, key: str, values: list[object]) -> None: ...

    def drop(self, key: str) -> None: ...

    def get(self, key: str) -> list[object] | None: ...


class Logins:
    """All logins, by the digest of the secret in the browser's cookie.

    Args:
        path: The file; its contents are not enough to log in.
        clock: Returns Unix seconds.
        shared: The store shared with other nodes; None without a bus.
        steady: Returns monotonic seconds; None to trust the clock.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        shared: Shared | None = None,
        steady: Callable[[], float] | None = None,
    ) -> None:
        self._file = PrivateFile(path)
        self._clock = clock
        self._steady = steady or clock
        self._started = clock() - self._steady()
        self._shared = shared
        self._logins: dict[str, Login] = {}
        self._unsaved = False
        self._saving = False

    def load(self, people: Users) -> None:
        """Load the last run's logins that are still valid. Blocks on the disk."""
        try:
            text = self._file.read()
            kept = json.loads(text)["logins"] if text is not None else {}
            logins = {key: _login(*values) for key, values in kept.items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning(
                "%s cannot be read (%s); everybody has to log in again", self._file.path, error
            )
            return
        self._logins = {key: login for key, login in logins.items() if self._holds(login, people)}

    def open(self, person: Person) -> str:
        """Add a login; return the secret for the browser's cookie."""
        assert person.name is not None
        secret = secrets.token_urlsafe(32)
        own = [key for key, login in self._logins.items() if login.name == person.name]
        for key in own[: max(0, len(own) - MAX_PER_PERSON + 1)]:
            self.close(key)
        login = Login(person.name, person.generation, self._clock())
        self._logins[digest(secret)] = login
        self._unsaved = True
        if self._shared is not None:
            self._shared.put(digest(secret), _stored(login))
        return secret

    def find(self, secret: str, people: Users) -> tuple[str, Person] | None:
        """Return a login's key and its person, if it is still valid."""
        key = digest(secret)
        login = self._logins.get(key) or self._fetch(key)
        if login is None or not self._holds(login, people):
            return None
        person = people.user(login.name)
        return None if person is None else (key, person)

    def holds(self, key: str, people: Users) -> bool:
        """Return whether a login is still valid."""
        login = self._logins.get(key)
        return login is not None and self._holds(login, people)

    def close(self, key: str) -> None:
        """End a login."""
        if self._logins.pop(key, None) is not None:
            self._unsaved = True
            if self._shared is not None:
                self._shared.drop(key)

    def all(self) -> dict[str, list[object]]:
        """Return every login in its stored form, for other nodes."""
        return {key: _stored(login) for key, login in self._logins.items()}

    def replace(self, shared: Mapping[str, list[object]]) -> None:
        """Replace all logins with the shared ones; invalid entries are skipped and removed."""
        logins = {}
        for key, values in shared.items():
            login = _checked(values)
            if login is not None and self._age_s(login) < LIFETIME_S:
                logins[key] = login
            elif self._shared is not None:
                self._shared.drop(key)
        self._unsaved = self._unsaved or logins != self._logins
        self._logins = logins

    def _fetch(self, key: str) -> Login | None:
        """Return a new login of another node that has not been announced here yet."""
        values = self._shared.get(key) if self._shared is not None else None
        login = _checked(values) if values is not None else None
        if login is not None:
            self._logins[key] = login
        return login

    def save(self) -> None:
        """Write changes to disk, and wait for that. Never raises.

        If callers overlap, the first writes for all, and the others do not wait.
        """
        if self._saving:
            return
        self._saving = True
        try:
            while self._unsaved:
                self._unsaved = False
                kept = {
                    key: _stored(login)
                    for key, login in self._logins.items()
                    if self._age_s(login) < LIFETIME_S
                }
                text = json.dumps({"logins": kept}, indent=1)
                hub.run_native(self._file.replace, text.encode())
        except OSError as error:
            log.error("cannot save logins: %s", error)
        finally:
            self._saving = False

    def _holds(self, login: Login, people: Users) -> bool:
        account = people.users.get(login.name)
        return (
            account is not None
            and account.generation == login.generation
            and self._age_s(login) < LIFETIME_S
        )

    def _age_s(self, login: Login) -> float:
        """Return a login's age; negative if it was made before the clock was set back.

        Setting the clock forward while the server runs does not age logins.
        """
        return min(self._clock(), self._started + self._steady()) - login.at_unix


def _stored(login: Login) -> list[object]:
    return [login.name, login.generation, round(login.at_unix, 3)]


def _checked(values: list[object]) -> Login | None:
    try:
        return _login(*values)
    except TypeError:
        return None


def _login(name: object, generation: object, at_unix: object) -> Login:
    """Return a login from its stored form; raise TypeError if invalid."""
    if isinstance(name, str) and isinstance(generation, str) and isinstance(at_unix, int | float):
        return Login(name, generation, float(at_unix))
    raise TypeError("a login is a name, a generation and a time")
