"""Files of the state folder: readable by its owner only, and written atomically.

All files in the folder are written by this module, so that one rule applies to them: mode 0600,
owned by the folder's owner (even when root writes, as ``sudo manage.py user add`` does), and never
through a symbolic link.
"""

import codecs
import errno
import os
import pwd
import secrets
import shlex
import stat
from pathlib import Path

from server.errors import ConfigError

__all__ = [
    "SECRET_BYTES",
    "PrivateFile",
    "add_folder",
    "explain",
    "load_secret",
    "make_folder",
    "open_private",
    "write_private",
]

SECRET_BYTES = 32


class PrivateFile:
    """One file of the state folder. A file that could not be read is never replaced.

    An existing file that cannot be read, usually because another account owns it, is not broken:
    replacing it would lose its content.

    Attributes:
        path: The file's path.
        unread: Why the last :meth:`read` could not read an existing file; None if it could.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unread: OSError | None = None

    def read(self, newest_bytes: int = -1) -> bytes | None:
        """Return the file's content, or None if there is no file.

        Args:
            newest_bytes: Bytes to read from its end; everything if negative.

        Raises:
            OSError: If it cannot be read, or is not a regular file.
        """
        self.unread = None
        try:
            # Non-blocking, because opening a pipe in its place would block forever.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
            with open(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                if stat.S_ISREG(status.st_mode):
                    if newest_bytes >= 0:
                        file.seek(max(0, status.st_size - newest_bytes))
                    # Editors on Windows put a byte order mark in front of UTF-8.
                    return file.read(newest_bytes).removeprefix(codecs.BOM_UTF8)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.EISDIR:
                self.unread = error
            raise
        raise OSError(errno.EINVAL, "it is not a regular file", str(self.path))

    def replace(self, data: bytes) -> None:
        """Replace the file, as :func:`write_private` does.

        Raises:
            OSError: If it cannot be written, or if the existing file could not be read.
        """
        if self.unread is not None:
            reason = f"{self.path.name} could not be read and is left as it is"
            raise PermissionError(errno.EACCES, reason, str(self.path))
        write_private(self.path, data)


def make_folder(folder: Path) -> None:
    """Create the state folder, for its owner only; an existing folder keeps its mode.

    When root creates it, it belongs to the owner of its parent folder.

    Raises:
        ConfigError: If it cannot be created.
    """
    try:
        add_folder(folder)
    except OSError as error:
        raise ConfigError(
            f"--state: {str(folder)!r} cannot be used ({error.strerror}); "
            "accepted: a folder that can be written to"
        ) from error


def add_folder(folder: Path) -> None:
    """Create a folder, for its owner only, and missing parents, like :func:`make_folder`.

    Raises:
        OSError: If it cannot be created.
    """
    for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        missing.mkdir(mode=0o700 if missing == folder else 0o777, exist_ok=True)
        owner = missing.parent.stat()
        if os.geteuid() == 0 and _has_other_owner(missing.stat(), owner):
            os.chown(missing, owner.st_uid, owner.st_gid, follow_symlinks=False)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def open_private(path: Path, flags: int) -> int:
    """Open a file of the state folder for writing; create it if it is missing.

    Args:
        path: The file's path; a symbolic link is not followed.
        flags: For ``os.open``, such as ``os.O_WRONLY | os.O_APPEND``.

    Raises:
        OSError: If it cannot be opened.
    """
    # Non-blocking, so that a pipe in its place is an error instead of a hang.
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK
    while True:
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            pass
        try:
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue  # Another process has just created it.
        # Change the owner of new files only: an existing one may be a hard link to a file that root
        # owns.
        _give_to_owner(descriptor, path.parent)
        return descriptor


def write_private(path: Path, data: bytes) -> None:
    """Replace a file of the state folder. Blocks on the disk.

    Writes a temporary file, flushes and renames it, so that neither a crash nor a power cut leaves
    half a file.

    Raises:
        OSError: If it cannot be written.
    """
    # A random name, so that nobody can create the file beforehand.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            _give_to_owner(descriptor, path.parent)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(aside, path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load_secret(path: Path) -> bytes:
    """Return the random key stored in a file; create one if there is no valid key.

    Raises:
        ConfigError: If the file cannot be read or written.
    """
    file = PrivateFile(path)
    try:
        secret = file.read() or b""
        if len(secret) != SECRET_BYTES:
            secret = secrets.token_bytes(SECRET_BYTES)
            file.replace(secret)
    except OSError as error:
        raise ConfigError(
            f"--state: {str(path)!r} cannot be used ({explain(error, path)}); "
            "accepted: a folder whose files can be read and written"
        ) from error
    return secret


def explain(error: OSError, path: Path) -> str:
    """Return why a file of the state folder cannot be used, and the command that fixes it."""
    reason = error.strerror or str(error)
    if not isinstance(error, PermissionError):
        return reason
    try:
        owner, folder_owner = path.stat().st_uid, path.parent.stat().st_uid
    except OSError:
        return reason
    us = os.geteuid()
    if folder_owner != us:
        return (
            f"{reason}: the folder belongs to {_name_of(folder_owner)}, and this runs as "
            f"{_name_of(us)}; run it as {_name_of(folder_owner)}"
        )
    if owner != us:
        return (
            f"{reason}: the file belongs to {_name_of(owner)}, and this runs as {_name_of(us)}; "
            f"give it back with `sudo chown {_name_of(us)} {shlex.quote(str(path))}`"
        )
    return f"{reason}: run `chmod 600 {shlex.quote(str(path))}`"


def _give_to_owner(descriptor: int, folder: Path) -> None:
    """Give a file that root has just created to the owner of its folder."""
    owner = folder.stat()
    if os.geteuid() == 0 and _has_other_owner(os.fstat(descriptor), owner):
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _has_other_owner(status: os.stat_result, owner: os.stat_result) -> bool:
    # Checked first, because the shipped units forbid changing owners.
    return (status.st_uid, status.st_gid) != (owner.st_uid, owner.st_gid)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
