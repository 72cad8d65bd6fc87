"""Authentication: identifies a person by cookie, token or password, and ends what is revoked."""

import hashlib
import hmac
import ipaddress
import logging
import math
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import flask
import flask_login
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import BadSignature

from server.addresses import network_of
from server.control.audit import Audit, Value
from server.errors import ConfigError
from server.loop import hub
from server.loop.lanes import Lanes, NoLane
from server.users.password import check_password, is_token
from server.users.private import load_secret, make_folder
from server.users.users import Person, UsersFile
from server.web.auth.authorization import Authorization, read_authorization
from server.web.auth.connections import EVERYBODY, Connections, Credential
from server.web.auth.logins import Logins, Shared
from server.web.auth.throttle import LoginThrottle, TooManyAttempts

__all__ = ["UNKNOWN_TOKEN", "Auth", "Common", "is_loopback", "require_users", "shows_token"]

log = logging.getLogger(__name__)

UNKNOWN_TOKEN = "this token is unknown, or was removed"

# A removed user must lose access within a second.
POLL_PERIOD_S = 0.4

# How often connections are checked for logins that have expired.
AGE_PERIOD_S = 60.0

# Passwords hashed at a time, each using a core and 19 MB; others wait. One core is left for
# pictures.
MAX_HASHING = max(1, min(2, len(os.sched_getaffinity(0)) - 1))
MAX_TURN_S = 2.0
TURN_S = 0.01

MAX_PROOFS = 256

# How long after the last login a browser is recognized as a user's device.
DEVICE_LIFETIME_S = 365 * 24 * 3600

# The session key for the users who have logged in from a browser: a device id by user name, under
# which that user's attempts are counted.
DEVICES = "devices"
MAX_DEVICES = 4


class SharedLogins(Shared, Protocol):
    """The store that shares logins between nodes, and reports changes."""

    def open(
        self,
        ours: Callable[[], Mapping[str, list[object]]],
        on_change: Callable[[Mapping[str, list[object]]], None],
    ) -> None: ...


class Common(Protocol):
    """State shared with other nodes; see :mod:`server.cluster.node`."""

    limits_url: str
    limits_options: dict[str, Any]

    @property
    def logins(self) -> SharedLogins: ...


class Auth:
    """The people who may use this server, their logins and their connections.

    Once there has been an account, the server stays closed until it restarts: removing the last
    user must not let everybody in.

    Args:
        application: The Flask application; sessions and the login limit are set up on it.
        folder: The state folder.
        audit: Where logins and what is rejected are written down; opened by whoever made it.
        common: What other nodes know too; None where there are none.

    Raises:
        ConfigError: If the state folder or the list of users cannot be used.
    """

    def __init__(
        self, application: flask.Flask, folder: Path, audit: Audit, common: Common | None = None
    ) -> None:
        make_folder(folder)
        self._file = UsersFile(folder)
        self._stamp = self._file.stamp()
        self.people = self._file.load()
        self.closed = bool(self.people)
        """Whether a login or token is needed."""
        self.connections = Connections()
        self.audit = audit
        self._common = common
        self.logins = Logins(
            folder / "logins.json",
            shared=common.logins if common else None,
            steady=time.monotonic,
        )
        self.logins.load(self.people)
        if common is None:
            self._throttle = LoginThrottle(application)
        else:
            self._throttle = LoginThrottle(application, common.limits_url, common.limits_options)
        self._lanes = Lanes(MAX_HASHING, MAX_TURN_S)
        self.count_refusal: Callable[[str], None] = lambda reason: None
        """Called with the reason of every refused request."""
        # Passwords that were correct, by network and name, so that a client that sends its password
        # with every request costs only one hash. From another network they prove nothing, or
        # somebody past the limit could still find out which password is correct. The key is random
        # and stays in memory.
        self._proof_key = secrets.token_bytes(32)
        self._proofs: dict[tuple[str, str], tuple[bytes, Person]] = {}
        self._proving: set[bytes] = set()
        self._task: hub.Task | None = None
        _set_up_sessions(application, load_secret(folder / "secret.key"), self)

    def open(self) -> None:
        """Begin to notice changes of the list of users."""
        if self._common is not None:
            self._common.logins.open(self.logins.all, self._update_logins)
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Stop following changes."""
        if self._task:
            self._task.kill()

    # Who is asking.

    def identify(self, token: object = None, basic: bool = False) -> Credential | None:
        """Return who makes the current request, or None if that is unknown.

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
            # A wrong token is refused, even if the request also has a valid cookie.
            person = self.people.bearer(given) if isinstance(given, str) else None
            if given is in_address and person is not None and person.kind != "embed":
                person = None  # URLs get stored and shared: only embed tokens are accepted there.
            return Credential(person, "bearer") if person else None
        user = flask_login.current_user
        if isinstance(user, _LoggedIn):
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
        """Count and log that the current request is refused."""
        self.count_refusal(why)
        self.audit.note(who, what, flask.request.remote_addr or "", why, **more)

    def check(
        self, name: str, password: str, address: str, known_there: bool = False
    ) -> Person | None:
        """Return the user if the password is correct. Takes equally long for unknown names.

        Args:
            name: In any capitalization.
            password: As it was typed.
            address: The client's address.
            known_there: Whether that network has sent the user's correct password before.

        Raises:
            TooManyAttempts: If passwords were tried too often.
        """
        device = self._devices().get(self.people.name_of(name) or "")
        if device is None:
            self._throttle.count(address, name, known_there)
        else:
            self._throttle.count_device(device)
        return self._check(name, password)

    def log_in(self, person: Person) -> None:
        """Log the current request's browser in as that person."""
        if isinstance(flask_login.current_user, _LoggedIn):
            self.logins.close(flask_login.current_user.login)
        assert person.name is not None
        devices = self._devices()
        devices = {person.name: devices.get(person.name) or secrets.token_urlsafe(16)} | devices
        _begin_session(devices)
        secret = self.logins.open(person)
        found = self.logins.find(secret, self.people)
        assert found is not None
        flask_login.login_user(_LoggedIn(secret, *found))
        self.logins.save()
        # The browser's previous login has ended, and maybe the user's oldest one.
        self.connections.sweep(self.holds)

    def log_out(self, credential: Credential) -> None:
        """End the current request's login, and every connection that was made with it."""
        flask_login.logout_user()
        _begin_session(self._devices())
        if credential.login is not None:
            self.logins.close(credential.login)
            self.connections.sweep(self.holds)
            self.logins.save()

    def _devices(self) -> dict[str, str]:
        """Return the device ids of users who have logged in from this browser, the latest first."""
        devices = flask.session.get(DEVICES)
        return devices if isinstance(devices, dict) else {}

    def _by_basic(self, name: str, password: str) -> Person | None:
        if is_token(password):
            return self.people.bearer(password)  # Many players can send a token in no other way.
        address = flask.request.remote_addr or ""
        # Checked first: past the limit, no answer may reveal whether the password is correct.
        self._throttle.check(address)
        place = network_of(address), self.people.name_of(name) or name
        text = "\0".join((*place, password)).encode("utf-8", "replace")
        proof = hmac.digest(self._proof_key, text, hashlib.sha256)
        # A page with nine pictures sends nine requests at once: one check serves all of them.
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
        try:
            with self._lanes.take():
                hashed = self.people.hash_of(name)
                right = hub.run_native(check_password, hashed, password)
        except NoLane:
            raise TooManyAttempts(math.ceil(MAX_TURN_S)) from None
        # The password may have been changed meanwhile.
        same = self.people.hash_of(name) == hashed
        return self.people.user(name) if right and same else None

    # When that access ends.

    def _run(self) -> None:
        aged_at = time.monotonic()
        while True:
            hub.sleep(POLL_PERIOD_S)
            try:
                self._reload()
                if time.monotonic() - aged_at > AGE_PERIOD_S:
                    aged_at = time.monotonic()
                    self.connections.sweep(self.holds)
            except Exception:
                log.exception("cannot check the list of users")

    def _update_logins(self, shared: Mapping[str, list[object]]) -> None:
        """Apply logins and logouts of other nodes."""
        self.logins.replace(shared)
        self.connections.sweep(self.holds)
        self.logins.save()

    def _reload(self) -> None:
        """Load the list of users if it has changed, and end whatever it no longer allows."""
        stamp = hub.run_native(self._file.stamp)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.people = hub.run_native(self._file.load)
        except ConfigError as error:
            log.error("%s; the users loaded before still apply", error)
            return
        self.closed = self.closed or bool(self.people)
        ended = self.connections.sweep(self.holds)
        log.info("the list of users has changed; %s connections ended", ended)


def require_users(host: str, auth: Auth, state_dir: Path = Path(".porthole")) -> None:
    """Refuse to listen where others can reach this server while it has no users.

    Raises:
        ConfigError: With the command that adds a user.
    """
    if auth.closed or is_loopback(host):
        return
    raise ConfigError(
        f"host {host!r}: others can reach this address, and there are no users yet; make one with "
        f"`python manage.py user add NAME --role operator --state {state_dir}`, "
        "or listen on 127.0.0.1"
    )


class _LoggedIn(flask_login.UserMixin):  # type: ignore[misc]
    """A user for Flask-Login, identified by the login, so that each login can end by itself."""

    def __init__(self, secret: str, login: str, person: Person) -> None:
        self._secret = secret
        self.login = login
        self.person = person

    def get_id(self) -> str:
        """Return the value stored in the cookie."""
        return self._secret


class _Sessions(SecureCookieSessionInterface):
    def open_session(self, app: flask.Flask, request: flask.Request) -> SecureCookieSession | None:
        """Accept any cookie we have signed, whatever its age: ``Logins`` limits a login's lifetime.

        Flask's own method also rejects cookies signed in the future, which includes all of them
        after the clock was set back.
        """
        serializer = self.get_signing_serializer(app)
        cookie = request.cookies.get(self.get_cookie_name(app))
        if serializer is None:
            return None
        try:
            return self.session_class(serializer.loads(cookie) if cookie else None)
        except BadSignature:
            return self.session_class()

    def get_cookie_secure(self, app: flask.Flask) -> bool:
        """Return whether the cookie is for TLS only: if the login was made over TLS."""
        return flask.request.is_secure


def _set_up_sessions(application: flask.Flask, secret: bytes, auth: Auth) -> None:
    application.secret_key = secret
    application.session_interface = _Sessions()
    application.config.update(
        # Cookies know no ports: two servers on one machine need names of their own.
        SESSION_COOKIE_NAME="porthole_" + hashlib.sha256(secret).hexdigest()[:8],
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        # Logins end sooner, on the server; the device ids stay.
        PERMANENT_SESSION_LIFETIME=DEVICE_LIFETIME_S,
    )
    manager = flask_login.LoginManager(application)
    # It would end logins whose address or browser changes; the server decides that by itself.
    manager.session_protection = None

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(login: str) -> _LoggedIn | None:
        found = auth.logins.find(login, auth.people)
        return _LoggedIn(login, *found) if found else None


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


def _begin_session(devices: Mapping[str, str]) -> None:
    """Start a new session that keeps only the device ids, so that no planted value survives."""
    flask.session.clear()
    flask.session.permanent = True
    flask.session[DEVICES] = dict(list(devices.items())[:MAX_DEVICES])


def is_loopback(host: str) -> bool:
    """Return whether a host name resolves to loopback addresses only."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return True  # Listening there will fail, with a message of its own.
    return all(
        ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found
    )
