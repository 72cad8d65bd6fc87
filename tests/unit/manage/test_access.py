"""How others reach the server: which choice is kept, and which settings outrank it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from server.config.chosen import FILE, read_chosen
from server.config.load import load_settings
from server.config.models import Settings
from server.errors import ConfigError
from server.manage.access import LOOPBACK, NETWORK, Access, confirm, revert
from server.manage.form import FormError


def settings(
    state: Path, config: Path | None = None, environment: Mapping[str, str] = {}
) -> Settings:
    return load_settings((), config, state, {}, environment)


def test_choice_applies_from_the_next_start(tmp_path: Path) -> None:
    """A choice stays once a start has succeeded; making the same one again changes nothing."""
    assert Access(settings(tmp_path)).choose({"host": NETWORK})

    assert settings(tmp_path).server.host == NETWORK
    assert not Access(settings(tmp_path)).choose({"host": NETWORK})
    confirm(tmp_path)
    assert not revert(tmp_path, "the port is taken")
    assert settings(tmp_path).server.host == NETWORK
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_failed_choice_is_reverted(tmp_path: Path) -> None:
    """The previous value applies again, and the reason is kept for the page."""
    Access(settings(tmp_path)).choose({"host": NETWORK})

    assert revert(tmp_path, "the port is taken")

    assert settings(tmp_path).server.host == LOOPBACK
    assert read_chosen(tmp_path).failed == "the port is taken"
    assert not revert(tmp_path, "again")


def test_file_and_environment_override_the_choice(tmp_path: Path) -> None:
    """The page says where the setting must be changed, and cannot change it."""
    Access(settings(tmp_path)).choose({"host": NETWORK})
    config = tmp_path / "porthole.toml"
    config.write_text('[server]\nhost = "127.0.0.2"\n')

    of_file = settings(tmp_path, config)
    of_environment = settings(tmp_path, config, {"PORTHOLE_HOST": "127.0.0.3"})

    assert (of_file.server.host, of_file.fixed) == ("127.0.0.2", {"host": "in the settings file"})
    assert of_environment.server.host == "127.0.0.3"
    assert of_environment.fixed["host"] == "in the environment, as PORTHOLE_HOST"
    with pytest.raises(FormError, match="change it there"):
        Access(of_file).choose({"host": LOOPBACK})


@pytest.mark.parametrize("choice", [{}, {"host": "8.8.8.8"}, {"host": 1}, {"port": 1}])
def test_only_loopback_or_network_can_be_chosen(tmp_path: Path, choice: dict[str, object]) -> None:
    """The page offers this machine only, or every address; nothing else is accepted."""
    if choice:
        with pytest.raises(FormError):
            Access(settings(tmp_path)).choose(choice)
    else:
        assert not Access(settings(tmp_path)).choose(choice)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"server": {"port": 1}, "before": null, "failed": ""}']
)
def test_damaged_file_is_reported(tmp_path: Path, text: str) -> None:
    """Only the page writes this file, so invalid contents are an error."""
    (tmp_path / FILE).write_text(text)

    with pytest.raises(ConfigError, match=r"server\.json"):
        settings(tmp_path)
