"""HTTP over the hub: accept, read one request at a time, and hand it to a WSGI application.

This is eventlet's server with differences: connections are admitted, ambiguous framing is rejected,
heads and bodies have a deadline, and requests take turns, so that a flood leaves the hub to others.
"""

import errno
import functools
import io
import socket
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import eventlet
from eventlet import greenio, wsgi

from server.loop import hub
from server.loop.tls import TlsEnd
from server.loop.turns import Turns

__all__ = ["Application", "Limiter", "Secured", "answer_was_sent", "serve"]

Application = Callable[..., Any]

HANDSHAKE_DEADLINE_S = 10.0
"""For a connection's first byte and its TLS handshake; a request's head has its own deadline."""


class Limiter(Protocol):
    """Decides which connections and requests :func:`serve` lets in."""

    def enter(self, key: object, address: str, end: Callable[[], None]) -> None:
        """Note a new connection; ``end`` is called, once at most, when it has to give way."""

    def admit(self, key: object) -> bytes | None:
        """Note that a request's head is whole, or return the answer that turns it away."""

    def await_next(self, key: object) -> None:
        """Note that a request was answered, and the next one's head is awaited."""

    def leave(self, key: object) -> None:
        """Forget a connection that has ended."""

    def fault(self, version: str, headers: Any) -> bytes | None:
        """Return the answer to a request that is refused for its framing, or None."""


class Secured(NamedTuple):
    """What makes a server speak TLS."""

    context: Callable[[], ssl.SSLContext]
    """Returns the one for a new connection."""
    in_the_clear: Application
    """Answers requests that come without TLS to the same port."""


def serve(
    listener: socket.socket,
    application: Application,
    limiter: Limiter,
    secured: Secured | None = None,
) -> None:
    """Serve a WSGI application on ``listener`` until this green thread is killed.

    The accept loop is our own: eventlet's exits when the process runs out of descriptors; ours
    waits until connections close.

    Args:
        listener: A green socket that listens.
        application: Answers the requests.
        limiter: Decides which connections and requests are let in.
        secured: Given, the application is served over TLS only.
    """
    turns = Turns()
    server = _make_server(listener, application, limiter, turns)
    in_the_clear = secured and _make_server(listener, secured.in_the_clear, limiter, turns)
    connection: Any
    while True:
        # accept() does not block while connections are queued, so a flood would hold the hub.
        hub.sleep(0)
        try:
            connection, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EBADF, errno.EINVAL):
                return
            hub.sleep(0.1)
            continue
        if secured:
            connection = greenio.GreenSocket(TlsEnd(connection.fd))
        limiter.enter(connection, address[0], functools.partial(greenio.shutdown_safe, connection))
        if secured:
            context = secured.context
            eventlet.spawn_n(_secure, server, in_the_clear, context, connection, address)
        else:
            eventlet.spawn_n(_converse, server, connection, address)
        hub.sleep(0)  # Let it read what has come, before the next one has it give way.


def _make_server(
    listener: socket.socket, application: Application, limiter: Limiter, turns: Turns
) -> wsgi.Server:
    server = wsgi.Server(
        listener,
        listener.getsockname(),
        application,
        protocol=_StrictProtocol,
        log_output=False,
        debug=False,  # The default sends tracebacks to clients.
        minimum_chunk_size=1,  # The default holds parts under 4 kB back: small MJPEG frames.
        socket_timeout=60,
    )
    server.limiter = limiter
    server.turns = turns
    return server


def answer_was_sent() -> None:
    """Tell the server that the running request was answered on its socket, so it sends nothing."""
    wsgi.WSGI_LOCAL.already_handled = True


class _StrictProtocol(wsgi.HttpProtocol):  # type: ignore[misc]
    """eventlet's HTTP, with one deadline for a request's head, and no ambiguous framing."""

    HEAD_DEADLINE_S = 15.0
    """From when a request may begin until its headers are complete, and so how long a connection
    may idle. An idle time-out would not stop a client that sends a byte a second."""

    answered = False

    def handle_one_request(self) -> None:
        if self.answered:
            self.server.limiter.await_next(self.connection)
        self.answered = True
        self._deadline = eventlet.Timeout(self.HEAD_DEADLINE_S)
        try:
            super().handle_one_request()
        finally:
            self._deadline.cancel()
            self.server.turns.give()

    def parse_request(self) -> bool:
        # Read first: a request must not count as incomplete while it waits for its turn.
        head = self._read_head()
        self._deadline.cancel()
        limiter = self.server.limiter
        refusal = limiter.admit(self.connection)
        if refusal is not None:
            return self._refuse(refusal)
        # A client that sends its next request at once never makes this green thread wait, and so
        # would keep the hub to itself.
        self.server.turns.take()
        self.rfile = head
        if not super().parse_request():
            return False
        refusal = limiter.fault(self.request_version, self.headers)
        if refusal is not None:
            return self._refuse(refusal)
        if self.headers.get("Content-Length", "0") != "0":
            # The body, and with it the answer: nothing that takes a body takes long.
            self._deadline = eventlet.Timeout(self.HEAD_DEADLINE_S)
        self.server.turns.take()  # Parsing was one turn, and answering is another.
        return True

    def _read_head(self) -> io.BytesIO:
        """Return the header lines, up to the empty one; eventlet bounds each, and all of them."""
        head = io.BytesIO()
        line = self.raw_requestline
        while line not in (b"\r\n", b"\n", b""):
            line = self.rfile.readline()
            head.write(line)
        head.seek(0)
        return head

    def _refuse(self, answer: bytes) -> bool:
        """Send a whole answer, and end the connection."""
        self.wfile.write(answer)
        self.close_connection = True
        return False

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ["SERVER_PROTOCOL"] = self.request_version  # eventlet's is always HTTP/1.0.
        if isinstance(self.connection.fd, TlsEnd) and self.connection.fd.is_secure:
            environ["wsgi.url_scheme"] = "https"
        return environ

    def finish(self) -> None:
        # The peer has had its time to take what is still unsent. It would be offered twice more.
        self.connection.settimeout(0)
        try:
            super().finish()
        finally:
            # Left open where the peer broke off, it would keep the descriptor until some garbage
            # collection, for the protocol is part of a cycle.
            self.rfile.close()

    def log_message(self, *_: object) -> None:
        """Say nothing: what strangers send is counted, not logged."""


def _secure(
    server: wsgi.Server,
    in_the_clear: wsgi.Server,
    context: Callable[[], ssl.SSLContext],
    connection: Any,
    address: tuple[str, int],
) -> None:
    """Shake hands with a new connection, and converse; one without TLS is told where to go."""
    end: TlsEnd = connection.fd
    try:
        with eventlet.Timeout(HANDSHAKE_DEADLINE_S):
            hub.wait_readable(end)
            if end.begins_handshake():
                end.secure(context())
                _shake_hands(end, server.turns)
            else:
                server = in_the_clear
    except (OSError, eventlet.Timeout):
        _end(server, connection)  # It has gone, is too slow, or speaks no TLS that is accepted.
    else:
        _converse(server, connection, address)


def _shake_hands(end: TlsEnd, turns: Turns) -> None:
    done = False
    while not done:
        hub.wait_readable(end)
        # A handshake costs as much as a small request, and takes its turn like one. Not on a native
        # thread: this connection may be ended meanwhile, and OpenSSL bears one thread at a time.
        turns.take()
        try:
            done = end.shake_hands()
        finally:
            turns.give()
        while not end.flush():
            hub.wait_writable(end)


def _converse(server: wsgi.Server, connection: Any, address: tuple[str, int]) -> None:
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(server.socket_timeout)
        server.process_request([address, connection, wsgi.STATE_IDLE])
    except (OSError, eventlet.Timeout):
        pass  # The peer disconnected or timed out during a request.
    finally:
        _end(server, connection)


def _end(server: wsgi.Server, connection: Any) -> None:
    server.limiter.leave(connection)
    greenio.shutdown_safe(connection)
    connection.close()
