"""The browser's cookie: its login, and which users have logged in from this browser."""

import hashlib
from collections.abc import Callable, Mapping

import flask
import flask_login
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import BadSignature

from server.users.users import Person

__all__ = ["LoggedIn", "begin_session", "devices", "set_up_sessions"]

# Time after the last login for which a browser counts as a user's device.
DEVICE_LIFETIME_S = 365 * 24 * 3600

# Session key of a browser's device ids, by user name. Login attempts from a known browser are
# counted by device id.
DEVICES = "devices"
MAX_DEVICES = 4


class LoggedIn(flask_login.UserMixin):  # type: ignore[misc]
    """A user for Flask-Login, identified by a login, so that each login can end separately."""

    def __init__(self, secret: str, login: str, person: Person) -> None:
        self._secret = secret
        self.login = login
        self.person = person

    def get_id(self) -> str:
        """Return the value stored in the cookie."""
        return self._secret


class _Sessions(SecureCookieSessionInterface):
    def open_session(self, app: flask.Flask, request: flask.Request) -> SecureCookieSession | None:
        """Accept any cookie that we signed, however old: ``Logins`` limits a login's lifetime.

        Flask's method also rejects cookies signed in the future: all of them, after the clock was
        set back.
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
        """Restrict the cookie to TLS if the login was made over TLS."""
        return flask.request.is_secure


def set_up_sessions(
    application: flask.Flask, secret: bytes, find: Callable[[str], tuple[str, Person] | None]
) -> None:
    """Set up an application to keep logins in signed cookies.

    Args:
        application: The Flask application.
        secret: Key that signs the cookies.
        find: Returns the key and person for a login's secret; None if the login has ended.
    """
    application.secret_key = secret
    application.session_interface = _Sessions()
    application.config.update(
        # Cookies ignore ports, so two servers on one machine need different names.
        SESSION_COOKIE_NAME="porthole_" + hashlib.sha256(secret).hexdigest()[:8],
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        # The server ends logins sooner; the device ids stay.
        PERMANENT_SESSION_LIFETIME=DEVICE_LIFETIME_S,
    )
    manager = flask_login.LoginManager(application)
    # It would end logins when the client's address or browser changes.
    manager.session_protection = None

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(login: str) -> LoggedIn | None:
        found = find(login)
        return LoggedIn(login, *found) if found else None


def devices() -> dict[str, str]:
    """Return the device ids of users who have logged in from this browser, latest first."""
    known = flask.session.get(DEVICES)
    return known if isinstance(known, dict) else {}


def begin_session(known: Mapping[str, str]) -> None:
    """Start a session with only the device ids, so that no planted value survives."""
    flask.session.clear()
    flask.session.permanent = True
    flask.session[DEVICES] = dict(list(known.items())[:MAX_DEVICES])
