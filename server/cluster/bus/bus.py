"""Redis as Porthole uses it: where it is, what its keys and channels are called, and patience.

Every green thread that talks to it has a connection of its own: redis-py's are not to be shared by
two that wait at the same time. All methods may wait up to a second or two, so nothing on the way of
a frame to a local viewer calls them.
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
"""A ``redis.Redis``. Its types are those of its asynchronous twin too, which checks nothing."""

BUS_ERRORS = (redis.RedisError, OSError)
"""What comes of a bus that is not there, hangs, or refuses."""

ACCEPTED = "redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS"

# A server in the same house answers within a millisecond; one that needs this long is as good as
# gone, and whoever waits has better things to do.
TIMEOUT_S = 1.0

# After so many messages the hub gets a turn, so that a flood delays nobody.
MESSAGES_PER_TURN = 32


class Bus:
    """One Redis server and this installation's part of it.

    Args:
        url: With user and password if need be; neither is ever shown.
        prefix: Begins every key and channel, so that installations can share a server.

    Raises:
        ConfigError: If the URL cannot be used.
    """

    def __init__(self, url: str, prefix: str) -> None:
        try:
            options = parse_url(url)  # type: ignore[no-untyped-call]
        except ValueError:
            raise ConfigError(f"--bus: that is no address of Redis; accepted: {ACCEPTED}") from None
        tls = options.pop("connection_class", None) is not None
        self._prefix = prefix
        self._kind = TlsConnection if tls else PlainConnection
        self._options: dict[str, Any] = options | {
            "socket_timeout": TIMEOUT_S,
            "socket_connect_timeout": TIMEOUT_S,
            # Who calls knows better whether to try again, and when.
            "retry": Retry(NoBackoff(), 0),
            "driver_info": None,
            "protocol": 2,
            "decode_responses": False,
        }
        self.url = url
        self.place = f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
        """Where it is, for people."""

    def name(self, *parts: str) -> str:
        """Return a key or channel of this installation."""
        return ":".join((self._prefix, *parts))

    def pool(self, connections: int = 1) -> redis.ConnectionPool:
        """Return connections that are made when they are needed."""
        return redis.ConnectionPool(
            connection_class=self._kind, max_connections=connections, **self._options
        )

    def client(self) -> Client:
        """Return a client for one green thread; it has one connection, made anew after a fault."""
        return redis.Redis(connection_pool=self.pool())

    def check(self) -> None:
        """Return if the server is there and lets us in.

        Raises:
            ConfigError: In one line that says what is wrong and holds no password.
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
        """Return the error that ends a start for which the bus was needed."""
        # Another password is not going to be right later; everything else may be.
        wrong = redis.AuthenticationError, redis.exceptions.NoPermissionError
        kind = ConfigError if isinstance(error, wrong) else NotYetError
        return kind(f"--bus: redis at {self.place} {reason_of(error)}; accepted: {ACCEPTED}")


class Subscription:
    """One connection that hears channels. Used by one green thread; close it at the end.

    Args:
        bus: The server.
        channels: What to hear; heard from when the constructor returns.

    Raises:
        RedisError, OSError: If the bus is not there.
    """

    def __init__(self, bus: Bus, *channels: str) -> None:
        # Of any type: half of its methods are without types.
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
        """Hear no more."""
        self._connection.disconnect()

    def messages(self) -> Iterator[tuple[str, bytes] | None]:
        """Yield channel and data of what comes, and None for every second without.

        A server that hangs says nothing, like one that has nothing to say: so in silence it is
        asked, and must answer.

        Raises:
            RedisError, OSError: When the bus is lost.
        """
        asked = False
        heard = 0
        while True:
            if not self._connection.can_read(timeout=TIMEOUT_S):
                if asked:
                    raise redis.TimeoutError("no answer")
                asked = True
                self._connection.send_command("PING")
                yield None
                continue
            asked = False
            heard += 1
            if heard % MESSAGES_PER_TURN == 0:
                hub.sleep(0)  # Reading what is already there never waits, and lets nobody else run.
            message = self._read()
            if message is not None:
                yield message

    def more(self) -> tuple[str, bytes] | None:
        """Return what has already come after the last message, if there is any."""
        while self._connection.can_read(timeout=0):
            message = self._read()
            if message is not None:
                return message
        return None

    def _read(self) -> tuple[str, bytes] | None:
        response = self._connection.read_response()
        # A pong, or the confirmation of a subscription, is no message.
        if not isinstance(response, list) or len(response) != 3 or response[0] != b"message":
            return None
        _, channel, data = response
        if not isinstance(channel, bytes) or not isinstance(data, bytes):
            return None
        return channel.decode("utf-8", "replace"), data


def reason_of(error: BaseException) -> str:
    """Return what is wrong, for people. Says nothing of what Redis said, which may quote."""
    if isinstance(error, redis.AuthenticationError):
        return "refuses the user or password"
    if isinstance(error, redis.exceptions.NoPermissionError):
        return "does not permit this user what is needed"
    if isinstance(error, redis.TimeoutError | TimeoutError):
        return "does not answer"
    if isinstance(error, redis.ConnectionError | OSError):
        return "cannot be reached"
    return f"refuses ({type(error).__name__})"
