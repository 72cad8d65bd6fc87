"""Browser logins, kept in sync on all nodes.

The bus has a hash of them, a number that grows with every change, and an epoch. A missing or new
epoch means that Redis has lost its data; then every node restores the logins it knows.
"""

import json
import logging
import secrets
from collections.abc import Callable, Mapping

import redis

from server.cluster.bus.bus import BUS_ERRORS, Bus, Client
from server.cluster.shared.poll import poll
from server.loop import hub

__all__ = ["SharedLogins", "Values"]

log = logging.getLogger(__name__)


# Requests that look up a login at the same time; more are answered from this node's copy.
MAX_CONNECTIONS = 8

# Changes waiting for the bus to come back; the oldest are dropped.
MAX_PENDING = 1000

MAX_LOGINS = 20_000

Values = list[object]
"""A stored login: name, generation and time; the reader validates it."""


class SharedLogins:
    """Shares logins over the bus. Changes made during an outage are sent afterwards.

    Args:
        bus: Holds the shared logins.
    """

    def __init__(self, bus: Bus) -> None:
        self._hash = bus.name("logins")
        self._number = bus.name("logins-number")
        self._epoch = bus.name("logins-epoch")
        self._client: Client = redis.Redis(connection_pool=bus.pool(MAX_CONNECTIONS))
        self._seen: bytes | None = None
        self._seen_epoch: bytes | None = None
        self._pending: dict[str, Values | None] = {}
        self._task: hub.Task | None = None

    def open(
        self,
        ours: Callable[[], Mapping[str, Values]],
        on_change: Callable[[Mapping[str, Values]], None],
    ) -> None:
        """Start following the logins of other nodes.

        Args:
            ours: Returns all logins this node knows, to restore them on a bus that has none.
            on_change: Called with all logins after every change.
        """
        self._task = hub.spawn(
            poll, lambda: self._sync(ours, on_change), "cannot read the shared logins"
        )

    def close(self) -> None:
        """Stop following."""
        if self._task:
            self._task.kill()
        self._client.connection_pool.disconnect()

    def put(self, key: str, values: Values) -> None:
        """Add a login on every node; may block briefly."""
        self._change(key, values)

    def drop(self, key: str) -> None:
        """Remove a login on every node; may block briefly."""
        self._change(key, None)

    def get(self, key: str) -> Values | None:
        """Return a login that another node may have just made; may block briefly."""
        if key in self._pending:
            return self._pending[key]
        try:
            return _values(self._client.hget(self._hash, key))
        except BUS_ERRORS:
            return None

    def _change(self, key: str, values: Values | None) -> None:
        self._pending.pop(key, None)
        while len(self._pending) >= MAX_PENDING:
            self._pending.pop(next(iter(self._pending)))
        self._pending[key] = values
        try:
            self._send_pending()
        except BUS_ERRORS:
            log.warning("logins are not shared while the bus is unavailable")

    def _send_pending(self) -> None:
        pending = dict(self._pending)
        if not pending:
            return
        pipeline = self._client.pipeline()
        for key, values in pending.items():
            if values is None:
                pipeline.hdel(self._hash, key)
            else:
                pipeline.hset(self._hash, key, json.dumps(values))
        pipeline.incr(self._number)
        pipeline.execute()
        for key, values in pending.items():
            if key in self._pending and self._pending[key] is values:
                del self._pending[key]

    def _sync(
        self,
        ours: Callable[[], Mapping[str, Values]],
        on_change: Callable[[Mapping[str, Values]], None],
    ) -> None:
        self._send_pending()
        epoch, number = self._client.mget(self._epoch, self._number)
        if epoch is None:
            # Only one node succeeds; the others then see a new epoch.
            self._client.set(self._epoch, secrets.token_hex(8), nx=True)
            epoch = self._client.get(self._epoch)
            self._restore(ours())
        elif self._seen_epoch not in (None, epoch):
            self._restore(ours())
        self._seen_epoch = epoch
        if number == self._seen or self._client.hlen(self._hash) > MAX_LOGINS:
            return
        kept = self._client.hgetall(self._hash)
        if self._pending:
            return  # Changed here meanwhile; the next poll gets it.
        self._seen = number
        logins = {key.decode("utf-8", "replace"): _values(text) for key, text in kept.items()}
        on_change({key: values for key, values in logins.items() if values is not None})

    def _restore(self, logins: Mapping[str, Values]) -> None:
        pipeline = self._client.pipeline()
        for key, values in logins.items():
            pipeline.hset(self._hash, key, json.dumps(values))
        pipeline.incr(self._number)
        pipeline.execute()


def _values(text: object) -> Values | None:
    if not isinstance(text, bytes) or len(text) > 400:
        return None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, list) and len(values) == 3 else None
