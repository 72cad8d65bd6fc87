"""Authentication: identifies people by cookie, token or password, and revokes access."""

import hashlib
import hmac
import ipaddress
import logging
import math
import os
import secrets
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import flask
import flask_login

from server.addresses import network_of
from server.control.audit import Audit, Value
from server.errors import ConfigError, RequestError
from server.loop import hub
from server.loop.concurrency import ConcurrencyLimit, LimitBusy
from server.users.password import check_password, is_token
from server.users.private import load_secret, make_folder
from server.users.users import Person, UsersFile
from server.web.auth.authorization import Authorization, read_authorization
from server.web.auth.connections import EVERYBODY, Connections, Credential
from server.web.auth.cookies import LoggedIn, begin_session, devices, set_up_sessions
from server.web.auth.logins import Logins, Shared
from server.web.auth.throttle import LoginThrottle, TooManyAttempts

__all__ = [
    "UNKNOWN_TOKEN",
    "Auth",
    "SharedState",
    "require_users",
    "resolves_to_loopback",
    "shows_token",
]

log = logging.getLogger(__name__)

UNKNOWN_TOKEN = "this token is unknown, or was removed"

# A removed user must lose access within a second.
POLL_PERIOD_S = 0.7

# Longest time that a change to the list of users waits for the one before it.
MAX_CHANGE_S = 20.0

# How often connections are checked for logins that have expired.
AGE_PERIOD_S = 60.0

# Passwords hashed at a time, each using a core and 19 MB; others wait. Leaves a core for pictures.
MAX_HASHING = max(1, min(2, len(os.sched_getaffinity(0)) - 1))
MAX_TURN_S = 2.0
TURN_S = 0.01

MAX_PROOFS = 256

P = ParamSpec("P")
R = TypeVar("R")


class SharedLogins(Shared, Protocol):
    """The store that shares logins between nodes, and reports changes."""

    def open(
        self,
        ours: Callable[[], Mapping[str, list[object]]],
        on_change: Callable[[Mapping[str, list[object]]], None],
    ) -> None: ...


class SharedState(Protocol):
    """What is shared with other nodes; see :mod:`server.cluster.node`."""

    limits_url: str
    limits_options: dict[str, Any]

    @property
    def logins(self) -> SharedLogins: ...


class Auth:
    """The people who may use this server, their logins and their connections.

    Once there has been an account, the server requires a login until it restarts: removing the last
    user must not let everybody in.

    Args:
        application: The Flask application; sessions and the login limit are set up on it.
        folder: The state folder.
        audit: Logs logins and refusals; opened by its creator.
        shared_state: The state shared with other nodes; None without a bus.

    Raises:
        ConfigError: If the state folder or the list of users cannot be used.
    """

    def __init__(
        self,
        application: flask.Flask,
        folder: Path,
        audit: Audit,
        shared_state: SharedState | None = None,
    ) -> None:
        make_folder(folder)
        self._file = UsersFile(folder, keeps_admin=True)
        self._stamp = self._file.stamp()
        self.people = self._file.load()
        self.closed = bool(self.people)
        """Whether a login or token is needed."""
        self.connections = Connections()
        self.audit = audit
        self._shared_state = shared_state
        self.logins = Logins(
            folder / "logins.json",
            shared=shared_state.logins if shared_state else None,
            steady=time.monotonic,
        )
        self.logins.load(self.people)
        if shared_state is None:
            self._throttle = LoginThrottle(application)
        else:
            self._throttle = LoginThrottle(
                application, shared_state.limits_url, shared_state.limits_options
            )
        self._limit = ConcurrencyLimit(MAX_HASHING, MAX_TURN_S)
        # One at a time, so that an older load of the list of users cannot replace a newer one.
        self._loading = ConcurrencyLimit(1, MAX_CHANGE_S)
        self.count_refusal: Callable[[str], None] = lambda reason: None
        """Called with the reason for every refused request."""
        self.on_people: Callable[[Collection[str]], None] = lambda names: None
        """Called with the names of all users, at the start and when the list has changed."""
        # Keyed digests of correct passwords, by network and name: a client that sends its password
        # with every request costs only one hash. They do not count for other networks, or a client
        # past the limit could still learn which password is correct. The key is random and never
        # leaves memory.
        self._proof_key = secrets.token_bytes(32)
        self._proofs: dict[tuple[str, str], tuple[bytes, Person]] = {}
        self._proving: set[bytes] = set()
        self._task: hub.Task | None = None
        set_up_sessions(
            application,
            load_secret(folder / "secret.key"),
            lambda login: self.logins.find(login, self.people),
        )

    def open(self) -> None:
        """Start following changes of the list of users."""
        if self._shared_state is not None:
            self._shared_state.logins.open(self.logins.all, self._update_logins)
        self.on_people(self.people.users)
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Stop following changes."""
        if self._task:
            self._task.kill()

    # Identifying.

    def identify(self, token: object = None, basic: bool = False) -> Credential | None:
        """Return who makes the current request, or None if unknown.

        Args:
            token: The ``auth: {token}`` of a Socket.IO client.
            basic: Whether HTTP Basic is accepted; checking a password may take a while.

        Raises:
            TooManyAttempts: If passwords were tried too often.
        """
        if not self.closed:
            return EVERYBODY
        header = _authorization()
        in_address = flask.request.args.get("token")
        given = header.token if header and header.scheme == "bearer" else token or in_address
        if given is not None:
            # Refuse a wrong token even if the request also has a valid cookie.
            person = self.people.bearer(given) if isinstance(given, str) else None
            if given is in_address and person is not None and person.kind != "embed":
                person = None  # URLs get stored and shared, so only embed tokens count there.
            return Credential(person, "bearer") if person else None
        user = flask_login.current_user
        if isinstance(user, LoggedIn):
            return Credential(user.person, "cookie", user.login)
        if basic and header is not None and header.scheme == "basic":
            person = self._by_basic(header.name, header.password)
            return Credential(person, "basic") if person else None
        return None

    def holds(self, credential: Credential) -> bool:
        """Return whether a credential is still valid."""
        if credential.by in ("open", "local"):
            return credential.by == "local" or not self.closed
        if credential.login is not None and not self.logins.holds(credential.login, self.people):
            return False
        return self.people.has(credential.person)

    def refuse(self, who: str | None, what: str, why: str, **more: Value) -> None:
        """Count and log the refusal of the current request."""
        self.count_refusal(why)
        self.audit.note(who, what, flask.request.remote_addr or "", why, **more)

    def check(
        self, name: str, password: str, address: str, known_there: bool = False
    ) -> Person | None:
        """Return the user if the password is correct. Takes as long for unknown names.

        Args:
            name: The user name, in any capitalization.
            password: The password as typed.
            address: The client's address.
            known_there: Whether that network has sent the user's correct password before.

        Raises:
            TooManyAttempts: If passwords were tried too often.
        """
        device = devices().get(self.people.name_of(name) or "")
        if device is None:
            self._throttle.count(address, name, known_there)
        else:
            self._throttle.count_device(device)
        return self._check(name, password)

    @contextmanager
    def hashing(self) -> Iterator[None]:
        """Occupy one of the slots for hashing passwords; wait until one is free.

        Raises:
            TooManyAttempts: If too many are being hashed.
        """
        try:
            with self._limit.take():
                yield
        except LimitBusy:
            raise TooManyAttempts(math.ceil(MAX_TURN_S)) from None

    def change(
        self,
        credential: Credential,
        write: Callable[Concatenate[UsersFile, P], R],
        *values: P.args,
        **more: P.kwargs,
    ) -> R:
        """Change the list of users, and close the connections that lose access as a result.

        Args:
            credential: Who requests the change.
            write: A method of the list.
            values: Its positional arguments.
            more: Its keyword arguments.

        Raises:
            ConfigError: If the change is invalid, or the list cannot be written.
            RequestError: If an earlier change is not finished, or has revoked this access.
        """
        result = self._change(credential, partial(write, self._file, *values, **more))
        self.sweep()
        return result

    def renew(self, credential: Credential, person: Person, password: str) -> None:
        """Give a user a new password, and the current request's browser a new login.

        Connections made with the old password end at the next :meth:`sweep`, to be called once this
        browser has its new cookie.
        """
        assert person.name is not None
        with self.hashing():
            self._change(credential, partial(self._file.set_password, person.name, password))
        renewed = self.people.user(person.name)
        if renewed is not None:
            self._open_login(renewed)

    def sweep(self) -> int:
        """Close every connection that is no longer allowed; return how many."""
        return self.connections.sweep(self.holds)

    def log_in(self, person: Person) -> None:
        """Log the current request's browser in as a person."""
        self._open_login(person)
        # This has ended the browser's previous login, and perhaps the user's oldest one.
        self.sweep()

    def _open_login(self, person: Person) -> None:
        if isinstance(flask_login.current_user, LoggedIn):
            self.logins.close(flask_login.current_user.login)
        assert person.name is not None
        known = devices()
        begin_session({person.name: known.get(person.name) or secrets.token_urlsafe(16)} | known)
        secret = self.logins.open(person)
        found = self.logins.find(secret, self.people)
        assert found is not None
        flask_login.login_user(LoggedIn(secret, *found))
        self.logins.save()

    def log_out(self, credential: Credential) -> None:
        """End the current request's login and every connection made with it."""
        flask_login.logout_user()
        begin_session(devices())
        if credential.login is not None:
            self.logins.close(credential.login)
            self.sweep()
            self.logins.save()

    def _by_basic(self, name: str, password: str) -> Person | None:
        if is_token(password):
            return self.people.bearer(password)  # Many players cannot send a token otherwise.
        address = flask.request.remote_addr or ""
        # Check first: past the limit, no answer may reveal whether the password is correct.
        self._throttle.check(address)
        place = network_of(address), self.people.name_of(name) or name
        text = "\0".join((*place, password)).encode("utf-8", "replace")
        proof = hmac.digest(self._proof_key, text, hashlib.sha256)
        # A page with nine pictures sends nine requests at once; one check serves them all.
        waited = proof in self._proving
        while proof in self._proving:
            hub.sleep(TURN_S)
        proved, person = self._proofs.get(place, (b"", None))
        if person is not None and not self.people.has(person):
            person = None
        if person is not None and hmac.compare_digest(proved, proof):
            return person
        if waited:
            return None
        self._proving.add(proof)
        try:
            person = self.check(name, password, address, person is not None)
        finally:
            self._proving.discard(proof)
        if person is not None:
            while len(self._proofs) >= MAX_PROOFS:
                self._proofs.pop(next(iter(self._proofs)))
            self._proofs[place] = proof, person
        return person

    def _check(self, name: str, password: str) -> Person | None:
        with self.hashing():
            hashed = self.people.hash_of(name)
            right = hub.run_native(check_password, hashed, password)
        # The password may have been changed meanwhile.
        same = self.people.hash_of(name) == hashed
        return self.people.user(name) if right and same else None

    # Revoking.

    def _run(self) -> None:
        aged_at = time.monotonic()
        while True:
            hub.rest(POLL_PERIOD_S)
            try:
                with self._loading.take():
                    is_new = self._reload()
                if is_new:
                    log.info("the list of users has changed; %s connections ended", self.sweep())
                if time.monotonic() - aged_at > AGE_PERIOD_S:
                    aged_at = time.monotonic()
                    self.sweep()
            except Exception:
                log.exception("cannot check the list of users")

    def _update_logins(self, shared: Mapping[str, list[object]]) -> None:
        """Apply logins and logouts of other nodes."""
        self.logins.replace(shared)
        self.sweep()
        self.logins.save()

    def _change(self, credential: Credential, write: Callable[[], R]) -> R:
        try:
            with self._loading.take():
                # Another request, or the command line, may just have changed the list.
                self._reload()
                if not self.holds(credential):
                    message = "your user was changed meanwhile; log in again"
                    raise RequestError("forbidden", message)
                result = hub.run_native(write)
                self._reload()
        except LimitBusy:
            message = "another change is not finished; try again"
            raise RequestError("unavailable", message) from None
        except (ConfigError, RequestError):
            self.sweep()  # The list may have been reloaded nevertheless.
            raise
        return result

    def _reload(self) -> bool:
        """Load the list of users if it has changed; return whether it was loaded."""
        stamp = hub.run_native(self._file.stamp)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.people = hub.run_native(self._file.load)
        except ConfigError as error:
            log.error("%s; the users loaded before still apply", error)
            return False
        self.closed = self.closed or bool(self.people)
        self.on_people(self.people.users)
        return True


def require_users(host: str, auth: Auth, state_dir: Path = Path(".porthole")) -> None:
    """Refuse to listen where others can reach this server while it has no users.

    Raises:
        ConfigError: If so; the message has the command that adds a user.
    """
    if auth.closed or resolves_to_loopback(host):
        return
    raise ConfigError(
        f"host {host!r}: others can reach this address, and there are no users yet; make one with "
        f"`python manage.py user add NAME --role admin --state {state_dir}`, "
        "or listen on 127.0.0.1"
    )


def shows_token(token: object = None) -> bool:
    """Return whether the current request has a token, known or not.

    Args:
        token: The ``auth: {token}`` of a Socket.IO client.
    """
    header = _authorization()
    return token is not None or (
        header is not None and (header.scheme == "bearer" or is_token(header.password))
    )


def _authorization() -> Authorization | None:
    return read_authorization(flask.request.headers.get("Authorization"))


def resolves_to_loopback(host: str) -> bool:
    """Return whether a host name resolves to loopback addresses only."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return True  # Listening there will fail with a clearer message.
    return all(
        ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found
    )
