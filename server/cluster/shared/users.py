"""The users and tokens, kept in sync on all nodes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from server.cluster.bus.bus import Bus, Client
from server.cluster.shared.file import SharedFile
from server.loop import hub
from server.users.users import UsersFile

__all__ = ["share_users"]


def share_users(
    bus: Bus, folder: Path, restore: Callable[[Client], None] = lambda client: None
) -> SharedFile:
    """Return the :class:`SharedFile` for a state folder's list of users.

    Args:
        bus: Holds the shared list.
        folder: The state folder.
        restore: Called at every poll to restore other data that Redis may have lost.
    """
    users = UsersFile(folder)
    return SharedFile(
        bus,
        "people",
        "users and tokens",
        partial(hub.run_native, users.text),
        partial(hub.run_native, users.replace),
        folder / "people.before-bus.json",
        restore,
    )
