"""A file in the state folder that is kept in sync on all nodes: users and tokens, saved views.

Redis has the text, and every state folder a copy. When a copy is changed, as by ``manage.py user``,
its node puts it on the bus, and the other nodes take it from there. Every node reads its own copy,
so that it also works without the bus.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from redis.exceptions import ResponseError

from server.cluster.bus.bus import BUS_ERRORS, Bus, Client
from server.cluster.shared.poll import poll
from server.errors import ConfigError
from server.loop import hub
from server.users.private import write_private

__all__ = ["SharedFile"]

log = logging.getLogger(__name__)


MAX_BYTES = 4 * 1024 * 1024

# Replaces the text if it is still the one that the change was based on. Empty means no text.
REPLACE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


class SharedFile:
    """Keeps a file of the state folder in sync with the one on the bus.

    Args:
        bus: Holds the shared text.
        key: Name of the key on the bus.
        what: Description of the contents, for the log.
        read: Returns this node's copy, None if there is none; may raise ConfigError.
        replace: Replaces this node's copy; raises ConfigError on failure.
        aside: Path for a backup of this node's copy if the bus has another one at the start.
        restore: Called at every poll to restore other data that Redis may have lost.
    """

    def __init__(
        self,
        bus: Bus,
        key: str,
        what: str,
        read: Callable[[], bytes | None],
        replace: Callable[[bytes], None],
        aside: Path,
        restore: Callable[[Client], None] = lambda client: None,
    ) -> None:
        self._restore = restore
        self._bus = bus
        self._key = bus.name(key)
        self._what = what
        self._read = read
        self._replace = replace
        self._aside = aside
        self._synced: bytes | None = None
        self._unusable: bytes | None = None
        self._task: hub.Task | None = None

    def sync_first(self) -> None:
        """Take the file from the bus, or put our own there if there is none.

        Raises:
            ConfigError: If the bus or the folder cannot be used.
        """
        client = self._bus.client()
        try:
            self._sync(client)
        except BUS_ERRORS as error:
            raise self._bus.refusal(error) from None
        finally:
            client.connection_pool.disconnect()

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
            try:
                self._sync(client)
            except ResponseError as error:
                raise ConfigError(f"the bus refuses it: {error}") from None

        try:
            poll(step, f"{self._what} are not shared")
        finally:
            client.connection_pool.disconnect()

    def _sync(self, client: Client) -> None:
        own = self._read()
        shared = self._shared(client)
        if own == shared:
            self._synced = own
        elif own is not None and shared in (None, self._synced):
            # Our copy was changed, or Redis has lost its data and any copy will do.
            if client.eval(REPLACE, 1, self._key, shared or b"", own):
                self._synced = own
        elif shared is not None and shared != self._unusable:
            if own is not None and self._synced is None:
                log.warning("the bus has different %s; moved ours to %s", self._what, self._aside)
                self._set_aside(own)
            elif own not in (None, self._synced):
                log.error("%s were changed on two nodes at once; ours are lost", self._what)
            try:
                self._replace(shared)
            except ConfigError:
                self._unusable = shared  # Report it once.
                raise
            self._synced = shared

    def _set_aside(self, text: bytes) -> None:
        try:
            hub.run_native(write_private, self._aside, text)
        except OSError as error:
            raise ConfigError(
                f"--state: {str(self._aside)!r} cannot be written ({error.strerror}); "
                "accepted: a folder that can be written to"
            ) from error

    def _shared(self, client: Client) -> bytes | None:
        shared = client.get(self._key)
        return shared if isinstance(shared, bytes) and 0 < len(shared) <= MAX_BYTES else None
