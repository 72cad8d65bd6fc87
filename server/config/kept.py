"""Settings that admins choose on the page, kept as ``server.json`` in the state folder.

They count more than the defaults, and less than the settings file, the environment and the command
line. Settings that prevent a start are taken back, since nobody could reach the page to do so.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.errors import ConfigError

__all__ = ["FILE", "KEYS", "Kept", "read_kept"]

FILE = "server.json"
MAX_BYTES = 10_000

KEYS = ("host", "tls")
"""The settings that can be chosen on the page."""


@dataclass(frozen=True)
class Kept:
    """What the file has.

    Attributes:
        server: The chosen settings by name.
        before: Those that counted before the last choice, until a start has succeeded with it.
        failed: Why the last choice was taken back; empty if it was not.
    """

    server: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] | None = None
    failed: str = ""

    def chosen(self, server: dict[str, Any]) -> "Kept":
        """Return what to keep when an admin chooses other settings."""
        return Kept(server, self.server)

    def taken_back(self, why: str) -> "Kept":
        """Return what to keep when no start succeeded with the last choice."""
        return Kept(self.before or {}, None, why)

    def text(self) -> bytes:
        """Return it as the file has it."""
        stored = {"version": 1, "server": self.server, "before": self.before, "failed": self.failed}
        return json.dumps(stored, indent=1).encode()


def read_kept(folder: Path) -> Kept:
    """Return what is kept in a state folder; nothing if there is no file.

    Raises:
        ConfigError: If the file cannot be read, or has something else.
    """
    path = folder / FILE
    try:
        document = json.loads(path.read_bytes()[:MAX_BYTES])
        server, before, failed = (document[key] for key in ("server", "before", "failed"))
    except (FileNotFoundError, NotADirectoryError):
        return Kept()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        server = None
    parts = (server, before) if server is not None and before is not None else (server,)
    for part in parts:
        if not isinstance(part, dict) or not set(part) <= set(KEYS):
            raise ConfigError(
                f"{path}: is not what the page keeps there; remove the file, and choose anew"
            )
    return Kept(server, before, str(failed))
