"""Stores admins' changes to cameras as ``cameras.json`` in the state folder.

The file has the cameras added from the page, in the form of the settings file, the changes to the
settings file's own cameras, and the order of all. Unusable entries are kept unchanged, because the
settings file may change and an upgrade may be rolled back.
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
    """The document, and a revision of each camera, by which conflicting edits are detected.

    Changes are made in memory; :meth:`save` writes them.

    Args:
        folder: The state folder.

    Attributes:
        fresh: Whether nothing has been stored yet.
        entries: The cameras added from the page, by name, as written in a settings file.
        changes: Changed ``title`` and ``group`` of the settings file's cameras, by name.
        order: The names of all cameras of this process.
        fault: Why the file must not be written; empty if it may be.
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
            ConfigError: If it cannot be written; the document in memory is then newer.
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
        """Return a copy of the document for :meth:`revert`."""
        return copy.deepcopy((self.entries, self.changes, self.order))

    def revert(self, snapshot: tuple[Any, ...]) -> None:
        """Undo the changes since the snapshot."""
        self.entries, self.changes, self.order = snapshot

    def revision(self, name: str) -> str:
        """Return the revision of a camera's settings, a random key that a restart renews.

        Prefix the names of cameras added on the page with +: the settings file may have another
        camera of the same name.
        """
        return self._revisions.setdefault(name, secrets.token_hex(8))

    def touch(self, name: str) -> None:
        """Give a camera a new revision, because its settings have changed."""
        self._revisions.pop(name, None)
