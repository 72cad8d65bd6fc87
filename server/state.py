"""What operators changed at run time, kept on disk so that a restart keeps it."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from server.errors import ConfigError

__all__ = ["StateFile"]

log = logging.getLogger(__name__)


class StateFile:
    """A small JSON document that is always whole: it is replaced, never written into.

    Args:
        folder: Made if missing; the document is its ``state.json``.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "state.json"

    def load(self) -> dict[str, Any]:
        """Return the document; an unreadable one is set aside, and the start goes on without it.

        Raises:
            ConfigError: If the folder cannot be made or written to.
        """
        folder = self._path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"--state: {str(folder)!r} cannot be used ({error.strerror}); "
                "accepted: a folder that can be written to"
            ) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ConfigError(
                f"--state: {str(folder)!r} cannot be written to; "
                "accepted: a folder that can be written to"
            )
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            if not isinstance(document, dict):
                raise ValueError("not an object")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            aside = self._path.with_suffix(".broken")
            log.warning("%s cannot be read (%s); set aside as %s", self._path, error, aside)
            try:
                os.replace(self._path, aside)
            except OSError:
                pass
            return {}
        return document

    def save(self, document: dict[str, Any]) -> None:
        """Replace the document. Blocks on the disk: call it through ``hub.run_native``.

        Written aside, flushed and renamed, so that neither a crash nor a power cut leaves half.

        Raises:
            OSError: If the disk refuses.
        """
        aside = self._path.with_suffix(".new")
        with open(aside, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
