"""Address and TLS of the server as admins choose them on the page, for the next start."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from server.config.chosen import FILE, KEYS, ChosenSettings, read_chosen
from server.config.models import Settings
from server.errors import ConfigError
from server.manage.form import FormError
from server.users.private import explain, make_folder, write_private

__all__ = ["LOOPBACK", "NETWORK", "Access", "confirm", "revert"]

LOOPBACK, NETWORK = "127.0.0.1", "0.0.0.0"

ACCEPTED = {"host": f"{LOOPBACK} for this machine only, {NETWORK} for all", "tls": "off or auto"}


class _Choice(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    host: Literal["127.0.0.1", "0.0.0.0"] = "127.0.0.1"
    tls: Literal["off", "auto"] = "off"


class Access:
    """The current choice and the one for the next start. Its methods block on the disk.

    Args:
        settings: The settings in use.
    """

    def __init__(self, settings: Settings) -> None:
        self._server = settings.server
        self._fixed = settings.fixed
        self._folder = settings.state_dir

    def describe(self) -> dict[str, Any]:
        """Return how the server is reached, and why the last choice was reverted, if it was."""
        now = {key: getattr(self._server, key) for key in (*KEYS, "port")}
        return now | {"fixed": dict(self._fixed), "failed": read_chosen(self._folder).failed}

    def choose(self, values: dict[str, Any]) -> bool:
        """Save an admin's choice; return whether it differs from the current one.

        Raises:
            FormError: If it is invalid or fixed by the settings.
            ConfigError: If it cannot be saved.
        """
        try:
            _Choice.model_validate(values)
        except ValidationError as error:
            keys = [str(one["loc"][0]) for one in error.errors(include_input=False)]
            wrong = {key[:40]: ACCEPTED.get(key, "there is no such setting") for key in keys}
            raise FormError(wrong) from None
        for key, value in values.items():
            if key in self._fixed and value != getattr(self._server, key):
                raise FormError({key: f"is set {self._fixed[key]}; change it there"})
        chosen = {key: value for key, value in values.items() if key not in self._fixed}
        if all(getattr(self._server, key) == value for key, value in chosen.items()):
            return False
        _write(self._folder, read_chosen(self._folder).chosen(chosen))
        return True


def confirm(folder: Path) -> None:
    """Record that the server has started with the choice."""
    chosen = read_chosen(folder)
    if chosen.before is not None:
        _write(folder, ChosenSettings(chosen.server))


def revert(folder: Path, why: str) -> bool:
    """Revert to the previous choice if no start has succeeded since; return whether it did."""
    chosen = read_chosen(folder)
    if chosen.before is None:
        return False
    _write(folder, chosen.reverted(why))
    return True


def _write(folder: Path, chosen: ChosenSettings) -> None:
    try:
        make_folder(folder)
        write_private(folder / FILE, chosen.text())
    except OSError as error:
        raise ConfigError(f"{FILE} cannot be written: {explain(error, folder / FILE)}") from None
