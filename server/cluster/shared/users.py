"""The list of users and tokens, the same on every node.

Redis has the list, and every state folder has a copy. When ``manage.py user`` changes a copy, its
node puts it on the bus, and the other nodes take it from there. Every node reads its own file, so
that it works without the bus too.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from server.cluster.bus.bus import BUS_ERRORS, Bus, Client
from server.cluster.shared.poll import poll
from server.errors import ConfigError
from server.loop import hub
from server.users.private import write_private
from server.users.users import UsersFile

__all__ = ["SharedUsers"]

log = logging.getLogger(__name__)


MAX_BYTES = 4 * 1024 * 1024

# Replaces the list if it is still the one the change was based on. Empty text means no list.
REPLACE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


class SharedUsers:
    """Keeps a state folder's list of users equal to the one on the bus.

    Args:
        bus: Where the list is.
        folder: The state folder.
        restore: Called at every poll; restores what else Redis may have lost.
    """

    def __init__(
        self, bus: Bus, folder: Path, restore: Callable[[Client], None] = lambda client: None
    ) -> None:
        self._restore = restore
        self._bus = bus
        self._key = bus.name("people")
        self._folder = folder
        self._file = UsersFile(folder)
        self._synced: bytes | None = None
        self._unusable: bytes | None = None
        self._task: hub.Task | None = None

    def sync_first(self) -> None:
        """Take the list from the bus, or put our own there if there is none.

        Raises:
            ConfigError: If the bus or the folder cannot be used.
        """
        client = self._bus.client()
        try:
            own = self._file.text()
            shared = self._shared(client)
            if shared is not None and own not in (None, shared):
                aside = self._folder / "people.before-bus.json"
                log.warning("the bus has another list of users; ours was moved to %s", aside)
                self._set_aside(aside, own or b"")
            self._sync(client)
        except BUS_ERRORS as error:
            raise self._bus.refusal(error) from None
        finally:
            client.connection_pool.disconnect()

    @staticmethod
    def _set_aside(path: Path, text: bytes) -> None:
        try:
            write_private(path, text)
        except OSError as error:
            raise ConfigError(
                f"--state: {str(path)!r} cannot be written ({error.strerror}); "
                "accepted: a folder that can be written to"
            ) from error

    def open(self) -> None:
        """Start following changes on the bus and in the folder."""
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Stop following changes."""
        if self._task:
            self._task.kill()

    def _run(self) -> None:
        client = self._bus.client()

        def step() -> None:
            self._restore(client)
            self._sync(client)

        try:
            poll(step, "the list of users is not shared")
        finally:
            client.connection_pool.disconnect()

    def _sync(self, client: Client) -> None:
        own = hub.run_native(self._file.text)
        shared = self._shared(client)
        if own == shared:
            self._synced = own
        elif own is not None and shared in (None, self._synced):
            # It was changed here; or Redis has lost its data, and any copy will do.
            if client.eval(REPLACE, 1, self._key, shared or b"", own):
                self._synced = own
        elif shared is not None and shared != self._unusable:
            if own not in (None, self._synced) and self._synced is not None:
                log.error("the list of users was changed on two nodes at once; ours is lost")
            try:
                hub.run_native(self._file.replace, shared)
            except ConfigError:
                self._unusable = shared  # Report it once.
                raise
            self._synced = shared

    def _shared(self, client: Client) -> bytes | None:
        shared = client.get(self._key)
        return shared if isinstance(shared, bytes) and 0 < len(shared) <= MAX_BYTES else None
