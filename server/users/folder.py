"""The state folder's lock, and checks that other accounts cannot use its files."""

import errno
import fcntl
import logging
import os
import re
import shlex
import socket
import stat
from pathlib import Path
from typing import Literal

from server.errors import ConfigError
from server.users.private import explain, make_folder, open_private

__all__ = ["FolderLock", "Use", "find_faults"]

log = logging.getLogger(__name__)

Use = Literal["cameras", "web"]
"""What a process stores in the folder: `camera` nodes cameras, `web` nodes web, `run` both."""

# What is lost at a restart if a file cannot be used.
KEPT = {
    "state.json": "changes at run time",
    "cameras.json": "changes to cameras from the page",
    "views.json": "saved views",
    "server.json": "changes to how others reach the server",
    "logins.json": "logins",
    "timeline.jsonl": "the timeline",
    "audit.log": "the audit log",
}

SECRET = ("secret.key", "people.json", "logins.json", "cameras.json", "tls-key.pem")


class FolderLock:
    """Locks a state folder against other servers for as long as this process lives.

    Two servers would overwrite each other's files. The kernel holds the lock, so a killed process
    leaves none behind.

    Args:
        folder: Created if missing.
        uses: What this process stores there.

    Raises:
        ConfigError: If another server has the folder; the message names it.
    """

    def __init__(self, folder: Path, *uses: Use) -> None:
        self._folder = folder
        make_folder(folder)
        # Held until the process ends; child processes do not inherit them.
        self._locks = [self._take(use) for use in uses]
        self.tell("")

    def tell(self, place: str) -> None:
        """Write this server's address into the lock, for the error message of a second server."""
        for lock in self._locks:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()} {socket.gethostname()} {place}\n".encode(), 0)

    def _take(self, use: Use) -> int:
        path = self._folder / f"{use}.lock"
        try:
            lock = open_private(path, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _holder(os.pread(lock, 200, 0))
                raise ConfigError(
                    f"--state: {str(self._folder)!r} is in use by another Porthole{holder}; "
                    f"accepted: a folder of its own for each, such as --state {self._folder}-2"
                ) from None
        except OSError as error:
            raise ConfigError(
                f"--state: {str(self._folder)!r} cannot be used ({explain(error, path)}); "
                "accepted: a folder that can be written to"
            ) from error
        return lock


def _holder(text: bytes) -> str:
    """Return who holds the lock, for a message; empty if the lock does not say."""
    found = re.match(rb"(\d+) ([\w.-]+) ([\x21-\x7e]*)\n", text)
    if found is None:
        return ""
    process, host, place = (part.decode("ascii") for part in found.groups())
    return f" (process {process} on {host}{', ' + place if place else ''})"


def find_faults(folder: Path) -> list[str]:
    """Return problems of a state folder that do not prevent a start, as text for people.

    Logs them too, with paths and the command that fixes each.
    """
    faults = []
    for name, what in KEPT.items():
        path = folder / name
        if path.exists() and not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
            denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            log.error("%s is left as it is, and not written to: %s", path, explain(denied, path))
            faults.append(f"{name} cannot be used: {what} will not survive a restart")
    ours = (folder, *(folder / name for name in dict.fromkeys((*SECRET, *KEPT))))
    loose = [path for path in ours if path.exists() and _is_open_to_others(path)]
    for path in loose:
        mode = stat.S_IMODE(path.stat().st_mode)
        cure = f"chmod {'700' if path == folder else '600'} {shlex.quote(str(path))}"
        log.warning("%s is open to other accounts (mode %04o): run `%s`", path, mode, cure)
    if loose:
        faults.append("The state folder is open to other accounts of this machine; see the log")
    return faults


def _is_open_to_others(path: Path) -> bool:
    """Return whether other accounts can change the file, or read it if it is secret."""
    return bool(path.stat().st_mode & (0o077 if path.name in SECRET else 0o022))
