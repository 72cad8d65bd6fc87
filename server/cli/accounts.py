"""The commands that manage accounts: ``user`` and ``token``."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from server.config.load import load_settings
from server.errors import ConfigError
from server.users.password import normalize_password
from server.users.users import Account, Role, UsersFile

__all__ = ["state_options", "token", "user"]

ROLES = click.Choice(["viewer", "operator", "admin"])


def state_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that select the state folder."""
    config = click.option(
        "--config", type=click.Path(path_type=Path), help="The settings file given to `run`."
    )
    state = click.option(
        "--state",
        type=click.Path(path_type=Path),
        help="The state folder given to `run`. Default: .porthole beside the settings file.",
    )
    return config(state(command))


def _camera_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--camera",
        "cameras",
        multiple=True,
        metavar="NAME",
        help="A camera this account may see; can be given several times. Default: all cameras.",
    )(command)


_password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of stdin."
)


@click.group()
def user() -> None:
    """Manage users: who may log in, and what they may do."""


@user.command("add")
@click.argument("name")
@click.option(
    "--role",
    type=ROLES,
    required=True,
    help="Viewers see, operators also control, admins also change cameras and users.",
)
@_camera_option
@_password_option
@state_options
def _add_user(
    name: str, role: Role, cameras: tuple[str, ...], password_stdin: bool, **where: Any
) -> None:
    """Add a user; asks for the password."""
    file = _people_file(**where)
    file.check_free(name)  # Before anybody types a password for nothing.
    file.add_user(name, role, list(cameras) or None, _ask_password(password_stdin))
    click.echo(f"User {name} may {_describe(role, cameras)}.")


@user.command("change")
@click.argument("name")
@click.option(
    "--role",
    type=ROLES,
    help="Viewers see, operators also control, admins also change cameras and users.",
)
@_camera_option
@click.option("--all-cameras", is_flag=True, help="May see all cameras again.")
@state_options
def _change_user(
    name: str, role: Role | None, cameras: tuple[str, ...], all_cameras: bool, **where: Any
) -> None:
    """Change a user's role or cameras; closes the user's connections."""
    if not (role or cameras or all_cameras):
        raise ConfigError("nothing to change; accepted: --role, --camera or --all-cameras")
    file = _people_file(**where)
    file.change_user(name, role, list(cameras) or None, all_cameras)
    name, account = file.find_user(name)
    click.echo(f"User {name} may {_describe(account.role, account.cameras or ())}.")


@user.command("list")
@state_options
def _list_users(**where: Any) -> None:
    """List the users."""
    _list(_people_file(**where).load().users, "No users.")


@user.command("passwd")
@click.argument("name")
@_password_option
@state_options
def _set_password(name: str, password_stdin: bool, **where: Any) -> None:
    """Change a user's password; closes the user's connections."""
    file = _people_file(**where)
    name, _ = file.find_user(name)  # Before anybody types a password for nothing.
    file.set_password(name, _ask_password(password_stdin))
    click.echo(f"User {name} has a new password.")


@user.command("remove")
@click.argument("name")
@state_options
def _remove_user(name: str, **where: Any) -> None:
    """Remove a user; closes the user's connections."""
    file = _people_file(**where)
    file.remove_user(name)
    click.echo(f"User {name} was removed.")
    _warn_if_empty(file)


@click.group()
def token() -> None:
    """Manage tokens, for machines: scripts, printers, recorders."""


@token.command("add")
@click.argument("name")
@click.option(
    "--role",
    type=ROLES,
    help="Viewers see, operators also control, admins also change cameras and users.",
)
@_camera_option
@click.option(
    "--embed",
    is_flag=True,
    help="For other websites: prints URLs that contain the token, and show one camera and nothing "
    "else.",
)
@click.option(
    "--clips",
    is_flag=True,
    help="With --embed, whoever has the URLs may also have clips and pictures of the past.",
)
@click.option(
    "--url",
    metavar="URL",
    default="http://localhost:8000/",
    help="With --embed, the dashboard's URL for browsers. Default: http://localhost:8000/.",
)
@state_options
def _add_token(
    name: str,
    role: Role | None,
    cameras: tuple[str, ...],
    embed: bool,
    clips: bool,
    url: str,
    **where: Any,
) -> None:
    """Add a token and print it; it cannot be shown again."""
    file = _people_file(**where)
    if embed:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"--url {url!r} is not a URL; accepted: http://... or https://...")
        value = file.add_token(name, role or "viewer", list(cameras), True, clips)
        past = " and its past" if clips else ""
        click.echo(
            f"Token {name} shows {cameras[0]}{past} to whoever has one of these addresses, "
            "until it is removed. They are shown only now:",
            err=True,
        )
        for path in ("", f"video_feed/{cameras[0]}", f"snapshot/{cameras[0]}.jpg"):
            click.echo(f"{url.rstrip('/')}/{path}?token={value}")
        if clips:
            times = "from=SECONDS&to=SECONDS"
            click.echo(f"{url.rstrip('/')}/clip/{cameras[0]}.mp4?token={value}&{times}")
        return
    if role is None:
        raise ConfigError("--role is missing; accepted: --role viewer, --role operator, or --embed")
    value = file.add_token(name, role, list(cameras) or None, clips=clips)
    # Only the token goes to standard output, so that it can be piped.
    click.echo(f"Token {name} may {_describe(role, cameras)}. It is shown only now:", err=True)
    click.echo(value)


@token.command("list")
@state_options
def _list_tokens(**where: Any) -> None:
    """List the tokens by name."""
    _list(_people_file(**where).load().tokens, "No tokens.")


@token.command("remove")
@click.argument("name")
@state_options
def _remove_token(name: str, **where: Any) -> None:
    """Remove a token; closes its connections."""
    file = _people_file(**where)
    file.remove_token(name)
    click.echo(f"Token {name} was removed.")
    _warn_if_empty(file)


def _people_file(config: Path | None, state: Path | None) -> UsersFile:
    return UsersFile(load_settings((), config, state, {}, {}).state_dir)


def _ask_password(from_input: bool) -> str:
    if from_input:
        text = sys.stdin.readline().removeprefix("\ufeff").rstrip("\r\n")
    elif not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask for the password; use --password-stdin")
    else:
        text = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return normalize_password(text)


def _list(accounts: Any, nothing: str) -> None:
    width = max(map(len, accounts), default=0)
    for name, account in sorted(accounts.items()):
        role = "embed" if account.embed else account.role
        clips = ", with clips" * account.clips
        click.echo(f"{name:{width}}  {role:8}  {_cameras(account)}{clips}")
    if not accounts:
        click.echo(nothing)


def _cameras(account: Account) -> str:
    return "all cameras" if account.cameras is None else ", ".join(account.cameras)


def _describe(role: str, cameras: tuple[str, ...] | list[str]) -> str:
    verb = "see" if role == "viewer" else "see and control"
    return f"{verb} {', '.join(cameras) or 'all cameras'}"


def _warn_if_empty(file: UsersFile) -> None:
    if not file.load():
        click.echo(
            "No accounts are left: after its next start, Porthole listens on this machine only, "
            "and is open to everybody on it.",
            err=True,
        )
