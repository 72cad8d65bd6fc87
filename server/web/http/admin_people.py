"""The HTTP API with which admins change users and tokens; see ``docs/manage.md``."""

import time
from typing import Any

import flask
from flask import Blueprint, Response

from server.errors import RequestError
from server.manage.accounts import (
    ChangedToken,
    NewPassword,
    NewToken,
    NewUser,
    Rights,
    read_account,
)
from server.users.password import make_password
from server.users.users import Account, UsersFile
from server.web.auth.auth import Auth
from server.web.auth.guard import current_credential
from server.web.edge.bucket import Bucket
from server.web.http.changes import answer_json, json_errors, keep_csrf, read_change, refuse_change

__all__ = ["create_people"]

# Hashing a password takes tens of ms of a core.
PASSWORDS_PER_S = 0.5
PASSWORDS_AT_ONCE = 20


def create_people(auth: Auth) -> Blueprint:
    """Return the routes below ``/api/admin/people``."""
    routes = Blueprint("people", __name__)
    passwords = Bucket(PASSWORDS_PER_S, PASSWORDS_AT_ONCE, time.monotonic())

    @routes.get("/api/admin/people")
    def everybody() -> Response:
        people = auth.people
        return answer_json(
            {
                "you": current_credential().person.name,
                "open": not auth.closed,
                "users": [describe(*one) for one in sorted(people.users.items())],
                "tokens": [describe(*one) for one in sorted(people.tokens.items())],
                "connections": [
                    {
                        "name": one.credential.person.name,
                        "by": one.credential.by,
                        "address": one.address,
                        "since": round(one.since_unix, 3),
                        "watching": sorted(one.watching()),
                    }
                    for one in sorted(auth.connections, key=lambda one: one.since_unix)
                ],
            }
        )

    @routes.post("/api/admin/people/users")
    @json_errors(auth)
    def add_user() -> Response:
        user = read_account(NewUser, read_change(auth))
        password = user.password or make_password()
        is_first = not auth.closed
        with hashing():
            auth.change(
                current_credential(),
                UsersFile.add_user,
                user.name,
                user.role,
                user.cameras,
                password,
            )
        note("user add", user.name, role=user.role, cameras=listed(user.cameras))
        if is_first and "Origin" in flask.request.headers:
            log_in(user.name)
        return answer_json(described(user.name, password, user.password), 201)

    @routes.put("/api/admin/people/users/<name>")
    @json_errors(auth)
    def change_user(name: str) -> Response:
        rights = read_account(Rights, read_change(auth))
        name = find_user(name)
        auth.change(
            current_credential(),
            UsersFile.change_user,
            name,
            rights.role,
            rights.cameras,
            rights.cameras is None,
        )
        note("user change", name, role=rights.role, cameras=listed(rights.cameras))
        return answer_json(described(name))

    @routes.post("/api/admin/people/users/<name>/password")
    @json_errors(auth)
    def set_password(name: str) -> Response:
        given = read_account(NewPassword, read_change(auth)).password
        name = find_user(name)
        if current_credential().by == "cookie" and name == current_credential().person.name:
            raise RequestError("forbidden", "change your own password under your name in the menu")
        password = given or make_password()
        with hashing():
            auth.change(current_credential(), UsersFile.set_password, name, password)
        note("user passwd", name)
        return answer_json(described(name, password, given))

    @routes.post("/api/admin/people/users/<name>/sign-out")
    @json_errors(auth)
    def sign_out(name: str) -> Response:
        read_change(auth)
        name = find_user(name)
        auth.change(current_credential(), UsersFile.sign_out, name)
        note("user sign out", name)
        return answer_json(described(name))

    @routes.delete("/api/admin/people/users/<name>")
    @json_errors(auth)
    def remove_user(name: str) -> Response:
        read_change(auth)
        name = find_user(name)
        auth.change(current_credential(), UsersFile.remove_user, name)
        note("user remove", name)
        return answer_json({"removed": name})

    @routes.post("/api/admin/people/tokens")
    @json_errors(auth)
    def add_token() -> Response:
        new = read_account(NewToken, read_change(auth))
        rights = new.role, new.cameras, new.embed, new.clips
        token = auth.change(current_credential(), UsersFile.add_token, new.name, *rights)
        kind = ("embed with clips" if new.clips else "embed") if new.embed else new.role
        note("token add", new.name, role=kind, cameras=listed(new.cameras))
        account = describe(new.name, auth.people.tokens.get(new.name))
        return answer_json(account | {"token": token}, 201)

    @routes.put("/api/admin/people/tokens/<name>")
    @json_errors(auth)
    def change_token(name: str) -> Response:
        to = read_account(ChangedToken, read_change(auth))
        check_token(name)
        auth.change(
            current_credential(), UsersFile.change_token, name, to.name, to.role, to.cameras
        )
        renamed = to.name if to.name != name else None
        note("token change", name, to=renamed, role=to.role, cameras=listed(to.cameras))
        return answer_json(describe(to.name, auth.people.tokens.get(to.name)))

    @routes.delete("/api/admin/people/tokens/<name>")
    @json_errors(auth)
    def remove_token(name: str) -> Response:
        read_change(auth)
        check_token(name)
        auth.change(current_credential(), UsersFile.remove_token, name)
        note("token remove", name)
        return answer_json({"removed": name})

    def find_user(name: str) -> str:
        """Return a user's name in its original capitalization."""
        found = auth.people.name_of(name)
        if found is None:
            raise unknown(f"there is no user {name[:40]!r}; perhaps they were removed")
        return found

    def check_token(name: str) -> None:
        if name not in auth.people.tokens:
            raise unknown(f"there is no token {name[:40]!r}; perhaps it was removed")

    def unknown(message: str) -> Exception:
        return refuse_change(auth, 404, "unknown_account", message)

    def hashing() -> Any:
        if not passwords.take(time.monotonic()):
            raise RequestError("rate_limited", "too many passwords were set; wait a few seconds")
        return auth.hashing()

    def log_in(name: str) -> None:
        """Log in the browser that added the first user, before which no login was needed."""
        person = auth.people.user(name)
        if person is not None:
            with keep_csrf():
                auth.log_in(person)

    def described(name: str, password: str = "", given: str | None = None) -> dict[str, Any]:
        """Return the changed user, with the password if the server made it up."""
        made = password if given is None and password else None
        return describe(name, auth.people.users.get(name)) | (
            {"password": made} if password else {}
        )

    def note(what: str, account: str, **more: str | None) -> None:
        where = flask.request.remote_addr or ""
        who = current_credential().person.name or where
        auth.audit.note(who, what, where, "ok", by=current_credential().by, account=account, **more)

    return routes


def describe(name: str, account: Account | None) -> dict[str, Any]:
    """Return an account without its secret; raise RequestError if it no longer exists."""
    if account is None:
        raise RequestError("unavailable", f"{name} was removed meanwhile")
    described: dict[str, Any] = {"name": name, "role": account.role, "cameras": account.cameras}
    scope = {"embed": account.embed, "clips": account.clips}
    return described | {name: True for name, given in scope.items() if given}


def listed(cameras: list[str] | None) -> str | None:
    return None if cameras is None else ",".join(cameras)
