"""Who is asking: from a cookie, a token or a password to a person, and when that ends."""

import hashlib
import hmac
import ipaddress
import logging
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

from server import hub
from server.errors import ConfigError
from server.password import check_password
from server.people import PeopleFile, Person
from server.private import load_secret, make_folder
from server.web.audit import Audit
from server.web.guesses import Guesses, TooManyGuesses
from server.web.logins import LIFETIME_S, Logins, Shared
from server.web.presence import EVERYBODY, Credential, Presence

__all__ = ["Auth", "Common", "require_people"]

log = logging.getLogger(__name__)

# A removed user must be gone within a second.
LOOK_PERIOD_S = 0.4

# How often connections are held against the clock: logins end by age, too.
AGE_PERIOD_S = 60.0

# Password hashes at a time, each a core and 19 MB; further ones wait their turn.
MOST_HASHING = 2
TURN_S = 0.01
LONGEST_TURN_S = 5.0

MOST_PROVED = 256


class SharedLogins(Shared, Protocol):
    """Where logins are kept for every node, and followed."""

    def open(
        self,
        ours: Callable[[], Mapping[str, list[object]]],
        on_change: Callable[[Mapping[str, list[object]]], None],
    ) -> None: ...


class Common(Protocol):
    """What this process has in common with other nodes; see :mod:`server.cluster.node`."""

    limits_url: str
    limits_options: dict[str, Any]

    @property
    def logins(self) -> SharedLogins: ...


class Auth:
    """Knows people, their logins and their connections.

    Once there has been anybody, the server stays closed until it is started anew: taking away the
    last user must not let everybody in.

    Args:
        application: Where sessions and the login limit are set up.
        folder: The state folder.
        common: What other nodes know too; None where there are none.

    Raises:
        ConfigError: If the state folder or the list of users cannot be used.
    """

    def __init__(
        self, application: flask.Flask, folder: Path, common: Common | None = None
    ) -> None:
        make_folder(folder)
        self._file = PeopleFile(folder)
        self._stamp = self._file.stamp()
        self.people = self._file.load()
        self.closed = bool(self.people)
        """Whether one has to be known to come in."""
        self.presence = Presence()
        self.audit = Audit(folder)
        self._common = common
        self.logins = Logins(
            folder / "logins.json",
            shared=common.logins if common else None,
            steady=time.monotonic,
        )
        self.logins.load(self.people)
        if common is None:
            self._guesses = Guesses(application)
        else:
            self._guesses = Guesses(application, common.limits_url, common.limits_options)
        self._hashing = 0
        # Passwords that were right, so that a client which sends its own with every request costs
        # a hash only once. The key is random and stays in memory.
        self._proof_key = secrets.token_bytes(32)
        self._proved: dict[bytes, Person] = {}
        self._proving: set[bytes] = set()
        self._task: hub.Task | None = None
        _set_up_sessions(application, load_secret(folder / "secret.key"), self)

    def open(self) -> None:
        """Begin to notice changes of the list of users."""
        self.audit.open()
        if self._common is not None:
            self._common.logins.open(self.logins.all, self._take_up)
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Notice no more."""
        if self._task:
            self._task.kill()
        self.audit.close()

    # Who asks.

    def identify(self, token: object = None, basic: bool = False) -> Credential | None:
        """Return who makes the running request, or None for nobody known.

        Args:
            token: What a Socket.IO client gave as ``auth: {token}``.
            basic: Whether a password may come with the request. Then it may take a while.

        Raises:
            TooManyGuesses: If passwords were tried too often.
        """
        if not self.closed:
            return EVERYBODY
        given = _bearer_token() or token
        if given is not None:
            # Whoever shows a token means to be that machine, and nobody else if it is wrong.
            person = self.people.bearer(given) if isinstance(given, str) else None
            return Credential(person, "bearer") if person else None
        user = flask_login.current_user
        if isinstance(user, _LoggedIn):
            return Credential(user.person, "cookie", user.login)
        if basic:
            person = self._by_basic()
            return Credential(person, "basic") if person else None
        return None

    def holds(self, credential: Credential) -> bool:
        """Return whether a credential would still be accepted."""
        if credential.by in ("open", "local"):
            return credential.by == "local" or not self.closed
        if credential.login is not None and not self.logins.holds(credential.login, self.people):
            return False
        return self.people.has(credential.person)

    def check(self, name: str, password: str, address: str) -> Person | None:
        """Return the user if the password is right. Takes as long for a name that does not exist.

        Raises:
            TooManyGuesses: If passwords were tried too often.
        """
        self._guesses.count(address, name)
        return self._check(name, password)

    def log_in(self, person: Person) -> None:
        """Make the running request's browser that person's from now on."""
        if isinstance(flask_login.current_user, _LoggedIn):
            self.logins.close(flask_login.current_user.login)
        flask.session.clear()  # Nothing that somebody planted before may live on.
        secret = self.logins.open(person)
        flask.session.permanent = True
        found = self.logins.find(secret, self.people)
        assert found is not None
        flask_login.login_user(_LoggedIn(secret, *found))
        self.logins.save()
        # The login before, and the oldest of many, have made room.
        self.presence.sweep(self.holds)

    def log_out(self, credential: Credential) -> None:
        """End the running request's login, and every connection that was made by it."""
        flask_login.logout_user()
        flask.session.clear()
        if credential.login is not None:
            self.logins.close(credential.login)
            self.presence.sweep(self.holds)
            self.logins.save()

    def _by_basic(self) -> Person | None:
        given = flask.request.authorization
        if given is None or given.type != "basic":
            return None
        name, password = given.username or "", given.password or ""
        text = f"{name}\0{password}".encode("utf-8", "replace")
        proof = hmac.digest(self._proof_key, text, hashlib.sha256)
        # A page of nine pictures asks nine times at once: one check for all of them.
        waited = proof in self._proving
        while proof in self._proving:
            hub.sleep(TURN_S)
        person = self._proved.get(proof)
        if person is not None and self.people.has(person):
            return person
        if waited:
            return None
        self._proving.add(proof)
        try:
            person = self.check(name, password, flask.request.remote_addr or "")
        finally:
            self._proving.discard(proof)
        if person is not None:
            while len(self._proved) >= MOST_PROVED:
                self._proved.pop(next(iter(self._proved)))
            self._proved[proof] = person
        return person

    def _check(self, name: str, password: str) -> Person | None:
        waited_s = 0.0
        while self._hashing >= MOST_HASHING:
            hub.sleep(TURN_S)
            waited_s += TURN_S
            if waited_s > LONGEST_TURN_S:
                raise TooManyGuesses(5)
        self._hashing += 1
        try:
            hashed = self.people.hash_of(name)
            right = hub.run_native(check_password, hashed, password)
        finally:
            self._hashing -= 1
        # The password may have been changed meanwhile.
        same = self.people.hash_of(name) == hashed
        return self.people.user(name) if right and same else None

    # When that ends.

    def _run(self) -> None:
        aged_at = time.monotonic()
        while True:
            hub.sleep(LOOK_PERIOD_S)
            try:
                self._look()
                if time.monotonic() - aged_at > AGE_PERIOD_S:
                    aged_at = time.monotonic()
                    self.presence.sweep(self.holds)
            except Exception:
                log.exception("cannot look at the list of users")

    def _take_up(self, shared: Mapping[str, list[object]]) -> None:
        """Take up what was logged in and out on other nodes."""
        self.logins.take_up(shared)
        self.presence.sweep(self.holds)
        self.logins.save()

    def _look(self) -> None:
        """Take up a changed list of users, and end whatever it no longer allows."""
        stamp = hub.run_native(self._file.stamp)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.people = hub.run_native(self._file.load)
        except ConfigError as error:
            log.error("%s; those known so far stay", error)
            return
        self.closed = self.closed or bool(self.people)
        ended = self.presence.sweep(self.holds)
        log.info("the list of users has changed; %s connections ended", ended)


def require_people(host: str, auth: Auth, state_dir: Path = Path(".porthole")) -> None:
    """Refuse an address that others can reach while nobody has to say who they are.

    Raises:
        ConfigError: With the command that makes a user.
    """
    if auth.closed or _is_loopback(host):
        return
    raise ConfigError(
        f"host {host!r}: others can reach this address, and there are no users yet; make one with "
        f"`python manage.py user add NAME --role operator --state {state_dir}`, "
        "or listen on 127.0.0.1"
    )


class _LoggedIn(flask_login.UserMixin):  # type: ignore[misc]
    """A user as Flask-Login knows one: by the login, so that logins can end one by one."""

    def __init__(self, secret: str, login: str, person: Person) -> None:
        self._secret = secret
        self.login = login
        self.person = person

    def get_id(self) -> str:
        """Return what the cookie holds."""
        return self._secret


class _Sessions(SecureCookieSessionInterface):
    def open_session(self, app: flask.Flask, request: flask.Request) -> SecureCookieSession | None:
        """Take what we have signed, whenever that was: how long a login holds, ``Logins`` knows.

        Flask's own also refuses what was signed later than it is now, which every cookie is after
        the clock was set back.
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
        """Keep the cookie off plain HTTP, where the login was made over TLS."""
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
        PERMANENT_SESSION_LIFETIME=LIFETIME_S,
    )
    manager = flask_login.LoginManager(application)
    # It would look at address and browser; what holds and what does not is known here.
    manager.session_protection = None

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(login: str) -> _LoggedIn | None:
        found = auth.logins.find(login, auth.people)
        return _LoggedIn(login, *found) if found else None


def _bearer_token() -> str | None:
    kind, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _is_loopback(host: str) -> bool:
    """Return whether only this machine can reach every address that a host name stands for."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return True  # Nothing can be bound there, which is said when it is tried.
    return all(
        ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found
    )
