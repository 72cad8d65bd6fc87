"""Settings that admins choose on the page, kept as ``server.json`` in the state folder.

They override the defaults, and are overridden by the settings file, the environment and the command
line. Settings that prevent a start are reverted, because nobody could reach the page to do so.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.errors import ConfigError

__all__ = ["FILE", "KEYS", "ChosenSettings", "read_chosen"]

FILE = "server.json"
MAX_BYTES = 10_000

KEYS = ("host", "tls")
"""The settings that can be chosen on the page."""


@dataclass(frozen=True)
class ChosenSettings:
    """The content of the file.

    Attributes:
        server: The chosen settings by name.
        before: The previous settings, until a start has succeeded with the chosen ones.
        failed: Why the last choice was reverted; empty if it was not.
    """

    server: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] | None = None
    failed: str = ""

    def chosen(self, server: dict[str, Any]) -> "ChosenSettings":
        """Return the content after an admin has chosen other settings."""
        return ChosenSettings(server, self.server)

    def reverted(self, why: str) -> "ChosenSettings":
        """Return the content after a start has failed with the last choice."""
        return ChosenSettings(self.before or {}, None, why)

    def text(self) -> bytes:
        """Serialise it for the file."""
        stored = {"version": 1, "server": self.server, "before": self.before, "failed": self.failed}
        return json.dumps(stored, indent=1).encode()


def read_chosen(folder: Path) -> ChosenSettings:
    """Read the file in a state folder; without one, return an empty :class:`ChosenSettings`.

    Raises:
        ConfigError: If the file cannot be read or is invalid.
    """
    path = folder / FILE
    try:
        document = json.loads(path.read_bytes()[:MAX_BYTES])
        server, before, failed = (document[key] for key in ("server", "before", "failed"))
    except (FileNotFoundError, NotADirectoryError):
        return ChosenSettings()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        server = None
    parts = (server, before) if server is not None and before is not None else (server,)
    for part in parts:
        if not isinstance(part, dict) or not set(part) <= set(KEYS):
            raise ConfigError(
                f"{path}: has invalid content; remove the file, and choose the settings again"
            )
    return ChosenSettings(server, before, str(failed))
