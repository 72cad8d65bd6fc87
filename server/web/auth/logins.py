"""Logins of browsers, kept on the server so that each can be ended, over restarts too."""

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
"""After so long one has to log in again, whatever happens."""

# Browsers that never log out leave theirs behind; the oldest make room.
MAX_PER_PERSON = 20


@dataclass(frozen=True, slots=True)
class Login:
    """One browser that somebody has logged in from.

    Attributes:
        name: Of the user.
        generation: Of the user's account at that time; another one has ended this login.
        at_unix: When, in Unix seconds.
    """

    name: str
    generation: str
    at_unix: float


class Shared(Protocol):
    """Where logins are kept for every node; see :mod:`server.cluster.shared.logins`."""

    def put(self, key: str, values: list[object]) -> None: ...

    def drop(self, key: str) -> None: ...

    def get(self, key: str) -> list[object] | None: ...


class Logins:
    """All logins, by the digest of what the browser's cookie holds.

    Args:
        path: Where they are kept; whoever reads the file cannot log in with what is in it.
        clock: Unix seconds.
        shared: Where other nodes keep theirs; None where there are none.
        steady: Seconds that pass evenly, whatever the clock is set to; None to trust the clock.
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
        """Take up the logins of the last run that still hold. Blocks on the disk."""
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
        """Note that somebody logged in; return what the browser shows from now on."""
        assert person.name is not None
        secret = secrets.token_urlsafe(32)
        own = [key for key, login in self._logins.items() if login.name == person.name]
        for key in own[: max(0, len(own) - MAX_PER_PERSON + 1)]:
            self.close(key)
        login = Login(person.name, person.generation, self._clock())
        self._logins[digest(secret)] = login
        self._unsaved = True
        if self._shared is not None:
            self._shared.put(digest(secret), _kept(login))
        return secret

    def find(self, secret: str, people: Users) -> tuple[str, Person] | None:
        """Return the key of a login and whose it is, if it still holds."""
        key = digest(secret)
        login = self._logins.get(key) or self._made_elsewhere(key)
        if login is None or not self._holds(login, people):
            return None
        person = people.user(login.name)
        return None if person is None else (key, person)

    def holds(self, key: str, people: Users) -> bool:
        """Return whether a login still holds."""
        login = self._logins.get(key)
        return login is not None and self._holds(login, people)

    def close(self, key: str) -> None:
        """End a login."""
        if self._logins.pop(key, None) is not None:
            self._unsaved = True
            if self._shared is not None:
                self._shared.drop(key)

    def all(self) -> dict[str, list[object]]:
        """Return every login as it is kept, for other nodes."""
        return {key: _kept(login) for key, login in self._logins.items()}

    def take_up(self, shared: Mapping[str, list[object]]) -> None:
        """Replace the logins by those that all nodes share; invalid entries are skipped."""
        logins = {}
        for key, values in shared.items():
            login = _checked(values)
            if login is not None and self._age_s(login) < LIFETIME_S:
                logins[key] = login
            elif self._shared is not None:
                self._shared.drop(key)
        self._unsaved = self._unsaved or logins != self._logins
        self._logins = logins

    def _made_elsewhere(self, key: str) -> Login | None:
        """Return a login that another node made so lately that this one has not heard of it."""
        values = self._shared.get(key) if self._shared is not None else None
        login = _checked(values) if values is not None else None
        if login is not None:
            self._logins[key] = login
        return login

    def save(self) -> None:
        """Write what has changed, and return when it is on the disk. Never raises.

        Of several who call at once, one writes for all.
        """
        if self._saving:
            return
        self._saving = True
        try:
            while self._unsaved:
                self._unsaved = False
                kept = {
                    key: _kept(login)
                    for key, login in self._logins.items()
                    if self._age_s(login) < LIFETIME_S
                }
                text = json.dumps({"logins": kept}, indent=1)
                hub.run_native(self._file.replace, text.encode())
        except OSError as error:
            log.error("logins cannot be kept: %s", error)
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
        """Return how old a login is; below 0 for one made before the clock was set back.

        A clock that is set forward under a running server makes nobody a month older.
        """
        return min(self._clock(), self._started + self._steady()) - login.at_unix


def _kept(login: Login) -> list[object]:
    return [login.name, login.generation, round(login.at_unix, 3)]


def _checked(values: list[object]) -> Login | None:
    try:
        return _login(*values)
    except TypeError:
        return None


def _login(name: object, generation: object, at_unix: object) -> Login:
    """Return a login as it was kept; raises TypeError for anything else."""
    if isinstance(name, str) and isinstance(generation, str) and isinstance(at_unix, int | float):
        return Login(name, generation, float(at_unix))
    raise TypeError("a login is a name, a generation and a time")
