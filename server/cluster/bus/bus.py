"""Access to Redis: its address, the names of keys and channels, and timeouts.

Every green thread that uses Redis has its own connection, because two threads must not wait on one
redis-py connection at the same time. All methods may block for a second or two, so nothing on the
path of a frame to a local viewer calls them.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias, cast

import redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from server.cluster.bus.connection import PlainConnection, TlsConnection
from server.errors import ConfigError, NotYetError
from server.loop import hub

__all__ = ["BUS_ERRORS", "Bus", "Client", "Subscription", "reason_of"]

Client: TypeAlias = Any
"""A ``redis.Redis``. Its type hints also cover the asynchronous client, so they check nothing."""

BUS_ERRORS = (redis.RedisError, OSError)
"""Raised when the bus is unreachable, hangs, or refuses a command."""

ACCEPTED = "redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS"

# A server on the same network answers within a millisecond; one this slow is treated as gone.
TIMEOUT_S = 1.0

# Yield to the hub after this many messages, so that a flood does not delay other green threads.
MESSAGES_PER_TURN = 32


class Bus:
    """One Redis server and this installation's part of it.

    Args:
        url: The address; may contain a user and password, which are never shown.
        prefix: Prefix of every key and channel, so that installations can share a server.

    Raises:
        ConfigError: If the URL cannot be used.
    """

    def __init__(self, url: str, prefix: str) -> None:
        try:
            options = parse_url(url)  # type: ignore[no-untyped-call]
        except ValueError:
            raise ConfigError(f"--bus: not a Redis URL; accepted: {ACCEPTED}") from None
        tls = options.pop("connection_class", None) is not None
        self._prefix = prefix
        self._kind = TlsConnection if tls else PlainConnection
        self._options: dict[str, Any] = options | {
            "socket_timeout": TIMEOUT_S,
            "socket_connect_timeout": TIMEOUT_S,
            # Callers decide whether and when to retry.
            "retry": Retry(NoBackoff(), 0),
            "driver_info": None,
            "protocol": 2,
            "decode_responses": False,
        }
        self.url = url
        self.place = f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
        """Host and port, for messages."""

    def name(self, *parts: str) -> str:
        """Return a key or channel of this installation."""
        return ":".join((self._prefix, *parts))

    def pool(self, connections: int = 1) -> redis.ConnectionPool:
        """Return a pool whose connections are opened on first use."""
        return redis.ConnectionPool(
            connection_class=self._kind, max_connections=connections, **self._options
        )

    def client(self) -> Client:
        """Return a client for one green thread; its one connection is reopened after a fault."""
        return redis.Redis(connection_pool=self.pool())

    def check(self) -> None:
        """Check that the server can be reached and accepts our credentials.

        Raises:
            ConfigError: If not; one line that says what is wrong and contains no password.
        """
        client = self.client()
        try:
            client.ping()
        except BUS_ERRORS as error:
            raise self.refusal(error) from None
        finally:
            client.close()
            client.connection_pool.disconnect()

    def refusal(self, error: BaseException) -> ConfigError:
        """Return the error that aborts a start if the bus cannot be used."""
        # A wrong password stays wrong; anything else may work later.
        wrong = redis.AuthenticationError, redis.exceptions.NoPermissionError
        kind = ConfigError if isinstance(error, wrong) else NotYetError
        return kind(f"--bus: redis at {self.place} {reason_of(error)}; accepted: {ACCEPTED}")


class Subscription:
    """One connection subscribed to channels. Used by one green thread, which must close it.

    Args:
        bus: The Redis server.
        channels: The channels; subscribed when the constructor returns.

    Raises:
        RedisError, OSError: If the bus is unavailable.
    """

    def __init__(self, bus: Bus, *channels: str) -> None:
        # Cast to Any: half of its methods have no type hints.
        self._connection = cast(Any, bus.pool().make_connection())
        try:
            self._connection.connect()
            self._connection.send_command("SUBSCRIBE", *channels)
            for _ in channels:
                self._connection.read_response()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()

    def messages(self) -> Iterator[tuple[str, bytes] | None]:
        """Yield the channel and data of each message, and None for every second without one.

        After a second without messages, pings the server, to tell a hanging server from an idle
        one.

        Raises:
            RedisError, OSError: When the bus is lost.
        """
        pinged = False
        received = 0
        while True:
            if not self._connection.can_read(timeout=TIMEOUT_S):
                if pinged:
                    raise redis.TimeoutError("no answer")
                pinged = True
                self._connection.send_command("PING")
                yield None
                continue
            pinged = False
            received += 1
            if received % MESSAGES_PER_TURN == 0:
                hub.sleep(0)  # Reading buffered data does not block, so it never yields.
            message = self._read()
            if message is not None:
                yield message

    def more(self) -> tuple[str, bytes] | None:
        """Return the next message if it has already arrived, else None."""
        while self._connection.can_read(timeout=0):
            message = self._read()
            if message is not None:
                return message
        return None

    def _read(self) -> tuple[str, bytes] | None:
        response = self._connection.read_response()
        # Pongs and subscription confirmations are not messages.
        if not isinstance(response, list) or len(response) != 3 or response[0] != b"message":
            return None
        _, channel, data = response
        if not isinstance(channel, bytes) or not isinstance(data, bytes):
            return None
        return channel.decode("utf-8", "replace"), data


def reason_of(error: BaseException) -> str:
    """Return the reason, for people. Never quotes Redis, whose text may contain credentials."""
    if isinstance(error, redis.AuthenticationError):
        return "refuses the user or password"
    if isinstance(error, redis.exceptions.NoPermissionError):
        return "does not give this user the necessary permissions"
    if isinstance(error, redis.TimeoutError | TimeoutError):
        return "does not answer"
    if isinstance(error, redis.ConnectionError | OSError):
        return "cannot be reached"
    return f"refuses ({type(error).__name__})"
