"""HTTP over the hub: accepts connections, and passes each request to a WSGI application.

It is eventlet's server with a few changes: a limiter admits connections, ambiguous framing is
rejected, heads and bodies have a deadline, and requests take turns, so that a flood of them cannot
monopolize the hub.
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
from server.loop.tls import TlsSocket
from server.loop.turns import Turns

__all__ = ["Application", "Limiter", "Secured", "answer_was_sent", "serve"]

Application = Callable[..., Any]

HANDSHAKE_DEADLINE_S = 10.0
"""For a connection's first byte and TLS handshake; a request's head has its own deadline."""


class Limiter(Protocol):
    """Decides which connections and requests :func:`serve` lets in."""

    def enter(self, key: object, address: str, end: Callable[[], None]) -> None:
        """Record a new connection; ``end`` is called at most once, when it has to be closed."""

    def admit(self, key: object) -> bytes | None:
        """Record that a request's head is complete, or return the answer that refuses it."""

    def await_next(self, key: object) -> None:
        """Record that a request was answered, and the connection awaits the next one."""

    def leave(self, key: object) -> None:
        """Forget a connection that has ended."""

    def fault(self, version: str, headers: Any) -> bytes | None:
        """Return the answer that refuses a request for its framing, or None."""


class Secured(NamedTuple):
    """A server's TLS configuration."""

    context: Callable[[], ssl.SSLContext]
    """Returns the context for a new connection."""
    plain_http: Application
    """Answers plain HTTP requests to the same port."""


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
        listener: A listening green socket.
        application: Answers the requests.
        limiter: Decides which connections and requests are let in.
        secured: If given, the application is served over TLS only.
    """
    turns = Turns()
    server = _make_server(listener, application, limiter, turns)
    plain_http = secured and _make_server(listener, secured.plain_http, limiter, turns)
    connection: Any
    while True:
        # accept() does not block while connections are queued, so a flood would block the hub.
        hub.sleep(0)
        try:
            connection, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EBADF, errno.EINVAL):
                return
            hub.sleep(0.1)
            continue
        if secured:
            connection = greenio.GreenSocket(TlsSocket(connection.fd))
        limiter.enter(connection, address[0], functools.partial(greenio.shutdown_safe, connection))
        if secured:
            context = secured.context
            eventlet.spawn_n(_serve_tls, server, plain_http, context, connection, address)
        else:
            eventlet.spawn_n(_serve_connection, server, connection, address)
        hub.sleep(0)  # Let it read its request before the next connection may displace it.


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
        minimum_chunk_size=1,  # The default delays parts below 4 kB, such as small MJPEG frames.
        socket_timeout=60,
    )
    server.limiter = limiter
    server.turns = turns
    return server


def answer_was_sent() -> None:
    """Tell the server to send nothing more, because the request was answered on its socket."""
    wsgi.WSGI_LOCAL.already_handled = True


class _StrictProtocol(wsgi.HttpProtocol):  # type: ignore[misc]
    """eventlet's HTTP, with one deadline for a request's head, and no ambiguous framing."""

    HEAD_DEADLINE_S = 15.0
    """From the end of the last request until the next one's headers are complete, which includes
    idling. An idle timeout would not stop a client that sends a byte a second."""

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
        # Read before waiting: a request must not count as incomplete while it waits for its turn.
        head = self._read_head()
        self._deadline.cancel()
        limiter = self.server.limiter
        refusal = limiter.admit(self.connection)
        if refusal is not None:
            return self._refuse(refusal)
        # A client that always has its next request ready never makes this green thread wait, and
        # would monopolize the hub.
        self.server.turns.take()
        self.rfile = head
        if not super().parse_request():
            return False
        refusal = limiter.fault(self.request_version, self.headers)
        if refusal is not None:
            return self._refuse(refusal)
        if self.headers.get("Content-Length", "0") != "0":
            # For the body and the answer: requests with a body are quick to answer.
            self._deadline = eventlet.Timeout(self.HEAD_DEADLINE_S)
        self.server.turns.take()  # Parsing was one turn, answering is another.
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        # Before the request line is parsed, Python assumes HTTP/0.9, which has no status line.
        self.request_version = "HTTP/1.0"
        super().send_error(code, message, explain)

    def _read_head(self) -> io.BytesIO:
        """Return the header lines up to the empty one; eventlet limits each, and their total."""
        head = io.BytesIO()
        line = self.raw_requestline
        while line not in (b"\r\n", b"\n", b""):
            line = self.rfile.readline()
            head.write(line)
        head.seek(0)
        return head

    def _refuse(self, answer: bytes) -> bool:
        """Send a complete answer and end the connection."""
        self.wfile.write(answer)
        self.close_connection = True
        return False

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ["SERVER_PROTOCOL"] = self.request_version  # eventlet's is always HTTP/1.0.
        if isinstance(self.connection.fd, TlsSocket) and self.connection.fd.is_secure:
            environ["wsgi.url_scheme"] = "https"
        return environ

    def finish(self) -> None:
        # The peer has had its time to take the unsent rest; do not wait for it twice more.
        self.connection.settimeout(0)
        try:
            super().finish()
        finally:
            # The protocol is part of a reference cycle: after an abort by the peer, an open file
            # would keep the descriptor until the next garbage collection.
            self.rfile.close()

    def log_message(self, *_: object) -> None:
        """Do nothing: requests of strangers are counted, not logged."""


def _serve_tls(
    server: wsgi.Server,
    plain_http: wsgi.Server,
    context: Callable[[], ssl.SSLContext],
    connection: Any,
    address: tuple[str, int],
) -> None:
    """Do the TLS handshake and serve the connection; plain HTTP gets the other application."""
    end: TlsSocket = connection.fd
    try:
        with eventlet.Timeout(HANDSHAKE_DEADLINE_S):
            hub.wait_readable(end)
            if end.begins_handshake():
                end.secure(context())
                _handshake(end, server.turns)
            else:
                server = plain_http
    except (OSError, eventlet.Timeout):
        _end(server, connection)  # It has gone, is too slow, or its TLS is not accepted.
    else:
        _serve_connection(server, connection, address)


def _handshake(end: TlsSocket, turns: Turns) -> None:
    done = False
    while not done:
        hub.wait_readable(end)
        # A handshake costs as much as a small request, and takes a turn like one. Not on a native
        # thread: the connection may be ended meanwhile, and an OpenSSL object must not be used by
        # two threads at a time.
        turns.take()
        try:
            done = end.do_handshake()
        finally:
            turns.give()
        while not end.flush():
            hub.wait_writable(end)


def _serve_connection(server: wsgi.Server, connection: Any, address: tuple[str, int]) -> None:
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
