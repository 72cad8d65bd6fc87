"""What operators changed at run time, kept on disk so that a restart keeps it."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from server.errors import ConfigError
from server.users.private import PrivateFile, make_folder

__all__ = ["StateFile"]

log = logging.getLogger(__name__)


class StateFile:
    """A small JSON document that is always whole: it is replaced, never written into.

    Args:
        folder: Made if missing; the document is its ``state.json``.
    """

    def __init__(self, folder: Path) -> None:
        self._file = PrivateFile(folder / "state.json")

    def load(self) -> dict[str, Any]:
        """Return the document; the start goes on without one that cannot be used.

        A broken one is set aside. One that cannot be read, most often because it is another
        account's, is left as it is, and :meth:`save` refuses to replace it.

        Raises:
            ConfigError: If the folder cannot be made or written to.
        """
        path = self._file.path
        make_folder(path.parent)
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise ConfigError(
                f"--state: {str(path.parent)!r} cannot be written to; "
                "accepted: a folder that can be written to"
            )
        try:
            text = self._file.read()
            document = json.loads(text.decode("utf-8")) if text is not None else {}
            if not isinstance(document, dict):
                raise ValueError("not an object")
        except (OSError, ValueError, RecursionError) as error:
            if self._file.unread is not None:
                log.error("%s cannot be read (%s) and is left as it is", path, error)
                return {}
            aside = path.with_suffix(".broken")
            log.warning("%s cannot be read (%s); set aside as %s", path, error, aside)
            try:
                os.replace(path, aside)
            except OSError as refused:
                self._file.unread = refused  # It stays, then.
            return {}
        return document

    def save(self, document: dict[str, Any]) -> None:
        """Replace the document. Blocks on the disk: call it through ``hub.run_native``.

        Raises:
            OSError: If the disk refuses, or the document that is there could not be read.
        """
        self._file.replace(json.dumps(document, indent=1, sort_keys=True).encode())
