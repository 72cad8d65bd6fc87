"""Accounts: users with passwords and machines with tokens, stored in the state folder.

The commands of ``manage.py`` write the file, and so does a running server on behalf of admins. A
server checks every half second whether it has changed. Every change gives an account a new
*generation*, which invalidates logins and connections of the old one.
"""

import fcntl
import json
import os
import re
import secrets
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from server.config.models import CAMERA_NAME
from server.errors import AccountError, ConfigError
from server.users.password import digest, hash_password, new_token, normalize_password
from server.users.person import OPEN, Kind, Person, Role
from server.users.private import PrivateFile, explain, make_folder, open_private

__all__ = ["OPEN", "Account", "Kind", "Person", "Role", "Stamp", "Users", "UsersFile"]

Stamp = tuple[int, int, int] | None
"""Identifies a version of the file: inode, time and size; None if there is no file."""

# No colon, which ends the name in HTTP Basic, and no character that needs escaping anywhere.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,39}")

NO_ADMIN = (
    "this would leave no admin of all cameras, and nobody could manage users from the page; "
    "add such an admin first, or make another user one"
)


class Account(BaseModel):
    """One account in the file; ``secret`` is an argon2 hash or a token's digest."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    role: Role
    cameras: list[str] | None = None
    generation: Annotated[str, Field(min_length=8, max_length=64)]
    secret: Annotated[str, Field(min_length=32, max_length=512, repr=False)]
    embed: bool = False
    clips: bool = False


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    version: Literal[1] = 1
    users: dict[str, Account] = Field(default_factory=dict)
    tokens: dict[str, Account] = Field(default_factory=dict)


@dataclass(frozen=True)
class Users:
    """A snapshot of all accounts.

    Attributes:
        users: By name.
        tokens: By name.
    """

    users: Mapping[str, Account] = field(default_factory=dict)
    tokens: Mapping[str, Account] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = {account.secret: name for name, account in self.tokens.items()}
        object.__setattr__(self, "_by_digest", names)
        object.__setattr__(self, "_folded", _folded(self.users))

    def __bool__(self) -> bool:
        return bool(self.users or self.tokens)

    def user(self, name: str) -> Person | None:
        """Return the user with this name, ignoring case."""
        found = self.name_of(name)
        return None if found is None else _person(found, self.users[found], "user")

    def hash_of(self, name: str) -> str | None:
        """Return a user's password hash; None if there is no such user."""
        found = self.name_of(name)
        return None if found is None else self.users[found].secret

    def name_of(self, name: str) -> str | None:
        """Return a user's name as it was added; None if there is no such user."""
        folded: dict[str, str] = self._folded  # type: ignore[attr-defined]
        return _find(name, self.users, folded)

    def bearer(self, token: str) -> Person | None:
        """Return the machine that a token belongs to; None if it is unknown."""
        by_digest: dict[str, str] = self._by_digest  # type: ignore[attr-defined]
        name = by_digest.get(digest(token))
        return None if name is None else _person(name, self.tokens[name], "token")

    def has(self, person: Person) -> bool:
        """Return whether an account still exists, unchanged."""
        accounts = self.users if person.kind == "user" else self.tokens
        name = person.name or ""
        return _person(name, accounts.get(name), person.kind) == person


class UsersFile:
    """The file ``people.json`` of a state folder.

    All methods block on the disk; those that take a password block for tens of ms more.

    Args:
        folder: The state folder.
        keeps_admin: Whether changes that would leave no admin to manage users from the page raise
            AccountError. On the command line they are allowed.
    """

    def __init__(self, folder: Path, keeps_admin: bool = False) -> None:
        self._folder = folder
        self._keeps_admin = keeps_admin
        self._path = folder / "people.json"
        self._file = PrivateFile(self._path)

    def stamp(self) -> Stamp:
        """Return a value that changes when the file does."""
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def load(self) -> Users:
        """Return all accounts; none if there is no file.

        Raises:
            ConfigError: If the file cannot be read; ignoring it would open the server to everybody.
        """
        document = self._read()
        return Users(document.users, document.tokens)

    def text(self) -> bytes | None:
        """Return the file's bytes; None if there is no file.

        Raises:
            ConfigError: If it cannot be read; it must then not be replaced by another node's.
        """
        try:
            return self._file.read()
        except OSError as error:
            raise self._unusable(explain(error, self._path)) from None

    def replace(self, text: bytes) -> None:
        """Replace the file with another node's.

        Raises:
            ConfigError: If that is not a valid list of users, or the folder cannot be written to.
        """
        try:
            _Document.model_validate_json(text)
        except ValidationError:
            raise ConfigError("the bus has an invalid list of users") from None
        with self._locked():
            self._file.replace(text)

    def check_free(self, name: str) -> None:
        """Raise ConfigError if no account with this name can be added."""
        _check_free(name, self._read())

    def add_user(self, name: str, role: Role, cameras: list[str] | None, password: str) -> None:
        """Add a user; raise ConfigError if the name is taken or invalid."""
        secret = hash_password(normalize_password(password))
        with self._changing() as document:
            _check_free(name, document)
            _check_cameras(cameras)
            document.users[name] = _account(role, cameras, secret)

    def change_user(
        self, name: str, role: Role | None, cameras: list[str] | None, all_cameras: bool
    ) -> None:
        """Change a user's role or cameras; None leaves them unchanged, unless ``all_cameras``."""
        with self._changing() as document:
            name, account = _known(name, document.users, "user")
            _check_cameras(cameras)
            seen = None if all_cameras else cameras if cameras is not None else account.cameras
            document.users[name] = _account(role or account.role, seen, account.secret)

    def find_user(self, name: str) -> tuple[str, Account]:
        """Return a user's name as it was added and the account, ignoring case.

        Raises:
            ConfigError: If there is no such user; lists the existing ones.
        """
        return _known(name, self._read().users, "user")

    def set_password(self, name: str, password: str) -> None:
        """Change a user's password."""
        self.find_user(name)
        secret = hash_password(normalize_password(password))
        with self._changing() as document:
            name, account = _known(name, document.users, "user")
            document.users[name] = _account(account.role, account.cameras, secret)

    def sign_out(self, name: str) -> None:
        """End all of a user's logins and connections."""
        self.change_user(name, None, None, False)

    def remove_user(self, name: str) -> None:
        """Remove a user."""
        with self._changing() as document:
            name, _ = _known(name, document.users, "user")
            del document.users[name]

    def add_token(
        self,
        name: str,
        role: Role,
        cameras: list[str] | None,
        embed: bool = False,
        clips: bool = False,
    ) -> str:
        """Add a token and return it; it cannot be shown again.

        Raises:
            ConfigError: If the name is taken or invalid, an embed token is not for viewing exactly
                one camera, or ``clips`` is set without ``embed``.
        """
        if clips and not embed:
            raise ConfigError(
                f"--clips: token {name[:60]!r} has access to clips anyway; "
                "accepted: only together with --embed"
            )
        if embed and (role != "viewer" or cameras is None or len(set(cameras)) != 1):
            raise ConfigError(
                f"--embed: token {name[:60]!r} must be for viewing one camera; "
                "accepted: --embed with one --camera, and no --role but viewer"
            )
        token = new_token()
        with self._changing() as document:
            _check_free(name, document)
            _check_cameras(cameras)
            document.tokens[name] = _account(role, cameras, digest(token), embed, clips)
        return token

    def change_token(self, name: str, new: str, role: Role, cameras: list[str] | None) -> None:
        """Change a token's name and permissions; its secret stays the same.

        Raises:
            ConfigError: If the new name is taken or invalid, or an embed token is not for viewing
                exactly one camera.
        """
        with self._changing() as document:
            name, account = _known(name, document.tokens, "token")
            _check_cameras(cameras)
            if account.embed and (role != "viewer" or cameras is None or len(set(cameras)) != 1):
                raise AccountError("cameras", "an embed link is for viewing one camera")
            del document.tokens[name]
            if new != name:
                _check_free(new, document)
            rights = role, cameras, account.secret, account.embed, account.clips
            document.tokens[new] = _account(*rights)

    def remove_token(self, name: str) -> None:
        """Remove a token."""
        with self._changing() as document:
            name, _ = _known(name, document.tokens, "token")
            del document.tokens[name]

    def rename_camera(self, name: str, new: str) -> None:
        """Update the camera lists of accounts after a camera was renamed.

        Their connections end, because what they may see has changed, but their logins stay valid.
        """
        known = self._read()
        if not any(name in (one.cameras or ()) for one in _all(known)):
            return
        with self._changing() as document:
            for accounts in (document.users, document.tokens):
                for who, account in accounts.items():
                    cameras = account.cameras and [
                        new if one == name else one for one in account.cameras
                    ]
                    accounts[who] = account.model_copy(update={"cameras": cameras})

    @contextmanager
    def _changing(self) -> Iterator[_Document]:
        """Read the file, yield it for changes, and write it; one process at a time."""
        with self._locked():
            document = self._read()
            had_admin = _has_admin(document) or not _all(document)
            yield document
            if self._keeps_admin and had_admin and not _has_admin(document):
                raise AccountError("role", NO_ADMIN)
            # Without defaults: nodes of an older version reject keys they do not know.
            stored = document.model_dump(mode="json", exclude_defaults=True)
            stored["version"] = document.version
            text = json.dumps(stored, indent=1, sort_keys=True)
            self._file.replace(text.encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        make_folder(self._folder)
        try:
            lock = open_private(self._folder / "people.lock", os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)
        except OSError as error:
            raise ConfigError(
                f"--state: {str(self._folder)!r} cannot be written to "
                f"({explain(error, Path(error.filename or self._folder))}); "
                "accepted: a folder that can be written to"
            ) from error

    def _read(self) -> _Document:
        try:
            text = self._file.read()
            return _Document() if text is None else _Document.model_validate_json(text)
        except OSError as error:
            reason = explain(error, self._path)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}".lstrip(": ")
            path = shlex.quote(str(self._path))
            reason += f"; repair it, or set it aside with `mv {path} {path}.broken`"
        # Quote neither the value nor the cause: they may contain a hash.
        raise self._unusable(reason)

    def _unusable(self, reason: str) -> ConfigError:
        return ConfigError(f"{self._path}: the list of users cannot be read: {reason}")


def _person(name: str, account: Account | None, kind: Kind) -> Person | None:
    if account is None:
        return None
    cameras = None if account.cameras is None else frozenset(account.cameras)
    kind = "embed" if account.embed else kind
    return Person(name, account.role, cameras, kind, account.generation, account.clips)


def _account(
    role: Role,
    cameras: list[str] | None,
    secret: str,
    embed: bool = False,
    clips: bool = False,
) -> Account:
    return Account(
        role=role,
        cameras=None if cameras is None else sorted(set(cameras)),
        generation=secrets.token_hex(8),
        secret=secret,
        embed=embed,
        clips=clips,
    )


def _all(document: _Document) -> list[Account]:
    return [*document.users.values(), *document.tokens.values()]


def _has_admin(document: _Document) -> bool:
    people = [_person(name, account, "user") for name, account in document.users.items()]
    return any(person is not None and person.administers for person in people)


def _check_free(name: str, document: _Document) -> None:
    if not NAME.fullmatch(name):
        raise AccountError(
            "name",
            f"name {name[:60]!r} cannot be used; accepted: "
            "1 to 40 letters, digits and . _ @ -, beginning with a letter or digit",
        )
    # A name identifies one user or machine, so that notices and the audit log are unambiguous.
    # Names that differ only in capitals would be confused.
    for kind, accounts in (("user", document.users), ("token", document.tokens)):
        for taken in accounts:
            if taken.casefold() == name.casefold():
                raise AccountError(
                    "name",
                    f"name {name!r} is taken by a {kind} ({taken}); accepted: a name of its own",
                )


def _check_cameras(cameras: list[str] | None) -> None:
    for camera in cameras or ():
        if not CAMERA_NAME.fullmatch(camera):
            raise ConfigError(
                f"--camera {camera[:60]!r} is not a camera name; "
                "accepted: letters, digits and dashes"
            )


def _known(name: str, accounts: dict[str, Account], kind: str) -> tuple[str, Account]:
    """Return an account's name as it was added and the account, ignoring case."""
    found = _find(name, accounts, _folded(accounts))
    if found is None:
        known = ", ".join(sorted(accounts)) or "none"
        raise ConfigError(f"there is no {kind} {name[:60]!r}; known: {known}")
    return found, accounts[found]


def _folded(accounts: Mapping[str, Account]) -> dict[str, str]:
    """Return the names by their case-folded form.

    Earlier releases accepted names that differ only in case; those are left out, so that each is
    found by its exact spelling only.
    """
    names: dict[str, list[str]] = {}
    for name in accounts:
        names.setdefault(name.casefold(), []).append(name)
    return {folded: same[0] for folded, same in names.items() if len(same) == 1}


def _find(name: str, accounts: Mapping[str, Account], folded: Mapping[str, str]) -> str | None:
    return name if name in accounts else folded.get(name.casefold())
