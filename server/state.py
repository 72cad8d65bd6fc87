"""Keeps run-time changes on disk, so that they survive a restart."""

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
    """A small JSON document that is replaced as a whole, so that it is never half written.

    Args:
        folder: Created if missing.
        name: The document's name in it.
    """

    def __init__(self, folder: Path, name: str = "state.json") -> None:
        self._file = PrivateFile(folder / name)

    def load(self) -> dict[str, Any]:
        """Return the document, or an empty one if it cannot be used.

        An invalid file is renamed and kept. A file that cannot be read, usually because it belongs
        to another account, is left as it is, and :meth:`save` refuses to replace it.

        Raises:
            ConfigError: If the folder cannot be created or written to.
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
                self._file.unread = refused  # So it is left in place.
            return {}
        return document

    def save(self, document: dict[str, Any]) -> None:
        """Replace the document. Blocks on the disk: call it through ``hub.run_native``.

        Raises:
            OSError: If it cannot be written, or the existing document could not be read.
        """
        self._file.replace(json.dumps(document, indent=1, sort_keys=True).encode())
