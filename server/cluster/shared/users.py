"""The users and tokens, the same on every node."""

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
    """Return what keeps a state folder's list of users equal to the one on the bus.

    Args:
        bus: Where the list is.
        folder: The state folder.
        restore: Called at every poll; restores what else Redis may have lost.
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
