"""What admins changed of the cameras, kept as ``cameras.json`` in the state folder.

The file has the cameras that were added from the page, in the form of the settings file, what was
changed of the settings file's own cameras, and the order of all. An entry that cannot be used is
kept as it is, because a settings file may change and an upgrade may be taken back.
"""

import copy
import secrets
from pathlib import Path
from typing import Any

from server.errors import ConfigError
from server.loop import hub
from server.state import StateFile

__all__ = ["FILE", "Store"]

FILE = "cameras.json"
VERSION = 1

Entry = dict[str, Any]


class Store:
    """The document, and a revision of each camera, which tells two admins that they conflict.

    Changes are made in memory; :meth:`save` keeps them.

    Args:
        folder: The state folder.

    Attributes:
        fresh: Whether nothing was kept yet.
        entries: What was added from the page, by name, as written in a settings file.
        changes: What was changed of the settings file's cameras: ``title`` and ``group``, by name.
        order: The names of all cameras of this process.
        fault: Why the file is left as it is; empty if it can be written.
    """

    def __init__(self, folder: Path) -> None:
        self._file = StateFile(folder, FILE)
        self.fresh = True
        self.entries: dict[str, Entry] = {}
        self.changes: dict[str, Entry] = {}
        self.order: list[str] = []
        self.fault = ""
        self._revisions: dict[str, str] = {}

    def load(self) -> None:
        """Read the document; raises ConfigError if the folder cannot be used."""
        document = self._file.load()
        if not document:
            return
        self.fresh = False
        if document.get("version") != VERSION:
            self.fault = f"{FILE} was written by another version of Porthole"
        cameras = document.get("cameras")
        for entry in cameras if isinstance(cameras, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                self.entries[entry["name"]] = entry
        changes = document.get("changes")
        for name, change in changes.items() if isinstance(changes, dict) else ():
            if isinstance(change, dict):
                self.changes[name] = change
        order = document.get("order")
        self.order = (
            [one for one in order if isinstance(one, str)] if isinstance(order, list) else []
        )

    def save(self) -> None:
        """Write the document.

        Raises:
            ConfigError: If it cannot be written; the document in memory is then ahead of it.
        """
        if self.fault:
            raise ConfigError(self.fault)
        document = {
            "version": VERSION,
            "cameras": list(self.entries.values()),
            "changes": self.changes,
            "order": self.order,
        }
        try:
            hub.run_native(self._file.save, document)
        except (OSError, RecursionError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise ConfigError(f"{FILE} cannot be written: {why}") from None
        self.fresh = False

    def snapshot(self) -> tuple[Any, ...]:
        """Return what :meth:`revert` goes back to."""
        return copy.deepcopy((self.entries, self.changes, self.order))

    def revert(self, snapshot: tuple[Any, ...]) -> None:
        """Undo what was changed since the snapshot."""
        self.entries, self.changes, self.order = snapshot

    def revision(self, name: str) -> str:
        """Return the revision of a camera's settings; random, so that a restart makes new ones.

        Cameras of the page have a + before their name here: the settings file may have another one
        of the same name.
        """
        return self._revisions.setdefault(name, secrets.token_hex(8))

    def touch(self, name: str) -> None:
        """Give a camera a new revision: its settings have changed."""
        self._revisions.pop(name, None)
