"""Logins of browsers, the same on every node.

On the bus they are a hash, a number that grows with every change, and an epoch. An epoch that is
missing or new means that Redis has lost its data, and every node puts back what it knows.
"""

import json
import logging
import secrets
from collections.abc import Callable, Mapping

import redis

from server.backoff import Backoff
from server.cluster.bus.bus import BUS_ERRORS, Bus, Client
from server.loop import hub

__all__ = ["SharedLogins", "Values"]

log = logging.getLogger(__name__)

LOOK_PERIOD_S = 0.3

# Requests that look a login up at the same time; one more does without.
CONNECTIONS = 8

# Changes that wait for the bus to come back; the oldest make room.
MAX_PENDING = 1000

MAX_LOGINS = 20_000

Values = list[object]
"""A login as it is kept: name, generation and time; checked by whoever reads it."""


class SharedLogins:
    """Keeps logins on the bus. What cannot be said at once is said when the bus is back.

    Args:
        bus: Where they are.
    """

    def __init__(self, bus: Bus) -> None:
        self._hash = bus.name("logins")
        self._number = bus.name("logins-number")
        self._epoch = bus.name("logins-epoch")
        self._client: Client = redis.Redis(connection_pool=bus.pool(CONNECTIONS))
        self._seen: bytes | None = None
        self._seen_epoch: bytes | None = None
        self._waiting: dict[str, Values | None] = {}
        self._task: hub.Task | None = None

    def open(
        self,
        ours: Callable[[], Mapping[str, Values]],
        on_change: Callable[[Mapping[str, Values]], None],
    ) -> None:
        """Begin to notice what other nodes do.

        Args:
            ours: Returns all logins that this node knows, for a bus that knows none.
            on_change: Called with all logins there are.
        """
        self._task = hub.spawn(self._run, ours, on_change)

    def close(self) -> None:
        """Notice no more."""
        if self._task:
            self._task.kill()
        self._client.connection_pool.disconnect()

    def put(self, key: str, values: Values) -> None:
        """Have every node know a login; waits a moment, and not longer."""
        self._change(key, values)

    def drop(self, key: str) -> None:
        """Have no node know a login any more; waits a moment, and not longer."""
        self._change(key, None)

    def get(self, key: str) -> Values | None:
        """Return a login that another node may have made a moment ago; waits, but not long."""
        if key in self._waiting:
            return self._waiting[key]
        try:
            return _values(self._client.hget(self._hash, key))
        except BUS_ERRORS:
            return None

    def _change(self, key: str, values: Values | None) -> None:
        self._waiting.pop(key, None)
        while len(self._waiting) >= MAX_PENDING:
            self._waiting.pop(next(iter(self._waiting)))
        self._waiting[key] = values
        try:
            self._say_waiting()
        except BUS_ERRORS:
            log.warning("logins are not shared while the bus is away")

    def _say_waiting(self) -> None:
        waiting = dict(self._waiting)
        if not waiting:
            return
        pipeline = self._client.pipeline()
        for key, values in waiting.items():
            if values is None:
                pipeline.hdel(self._hash, key)
            else:
                pipeline.hset(self._hash, key, json.dumps(values))
        pipeline.incr(self._number)
        pipeline.execute()
        for key, values in waiting.items():
            if key in self._waiting and self._waiting[key] is values:
                del self._waiting[key]

    def _run(
        self,
        ours: Callable[[], Mapping[str, Values]],
        on_change: Callable[[Mapping[str, Values]], None],
    ) -> None:
        backoff = Backoff()
        while True:
            try:
                self._look(ours, on_change)
                backoff.reset()
                hub.sleep(LOOK_PERIOD_S)
            except BUS_ERRORS:
                hub.sleep(backoff.next_s())
            except Exception:
                log.exception("cannot look at the shared logins")
                hub.sleep(1)

    def _look(
        self,
        ours: Callable[[], Mapping[str, Values]],
        on_change: Callable[[Mapping[str, Values]], None],
    ) -> None:
        self._say_waiting()
        epoch, number = self._client.mget(self._epoch, self._number)
        if epoch is None:
            # By one node only; the others then see an epoch that is new to them.
            self._client.set(self._epoch, secrets.token_hex(8), nx=True)
            epoch = self._client.get(self._epoch)
            self._put_back(ours())
        elif self._seen_epoch not in (None, epoch):
            self._put_back(ours())
        self._seen_epoch = epoch
        if number == self._seen or self._client.hlen(self._hash) > MAX_LOGINS:
            return
        kept = self._client.hgetall(self._hash)
        if self._waiting:
            return  # Something was changed here meanwhile; the next look sees it.
        self._seen = number
        logins = {key.decode("utf-8", "replace"): _values(text) for key, text in kept.items()}
        on_change({key: values for key, values in logins.items() if values is not None})

    def _put_back(self, logins: Mapping[str, Values]) -> None:
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
