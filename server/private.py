"""Files that only the account Porthole runs under may read, written whole or not at all."""

import os
import secrets
from pathlib import Path

from server.errors import ConfigError

__all__ = ["SECRET_BYTES", "load_secret", "make_folder", "write_private"]

SECRET_BYTES = 32


def make_folder(folder: Path) -> None:
    """Make the state folder, for its owner only; one that is there keeps its mode.

    Raises:
        ConfigError: If it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--state: {str(folder)!r} cannot be used ({error.strerror}); "
            "accepted: a folder that can be written to"
        ) from error


def write_private(path: Path, data: bytes) -> None:
    """Replace a file, mode 0600. Blocks on the disk; not for two writers at once.

    Written aside, flushed and renamed, so that neither a crash nor a power cut leaves half of it.

    Raises:
        OSError: If the disk refuses.
    """
    aside = path.with_suffix(".new")
    # What an earlier crash left behind may have any mode, or be a link to somewhere else.
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load_secret(path: Path) -> bytes:
    """Return the random key kept in a file; make one if there is none that can be used.

    Raises:
        ConfigError: If it can be neither read nor written.
    """
    try:
        secret = path.read_bytes() if path.exists() else b""
        if len(secret) != SECRET_BYTES:
            secret = secrets.token_bytes(SECRET_BYTES)
            write_private(path, secret)
    except OSError as error:
        raise ConfigError(
            f"--state: {str(path)!r} cannot be used ({error.strerror}); "
            "accepted: a folder whose files can be read and written"
        ) from error
    return secret
