"""HTTP over the hub: accept, read one request at a time, and hand it to a WSGI application.

This is eventlet's server with differences: connections are admitted, ambiguous framing is rejected,
heads and bodies have a deadline, and requests take turns, so that a flood leaves the hub to others.
"""

import errno
import functools
import io
import socket
from collections.abc import Callable
from typing import Any, Protocol

import eventlet
from eventlet import greenio, wsgi

from server.loop import hub
from server.loop.turns import Turns

__all__ = ["Limiter", "answer_was_sent", "serve"]


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


def serve(listener: socket.socket, application: Callable[..., Any], limiter: Limiter) -> None:
    """Serve a WSGI application on ``listener`` until this green thread is killed.

    The accept loop is our own: eventlet's exits when the process runs out of descriptors; ours
    waits until connections close.
    """
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
    server.turns = Turns()
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
        limiter.enter(connection, address[0], functools.partial(greenio.shutdown_safe, connection))
        eventlet.spawn_n(_converse, server, connection, address)
        hub.sleep(0)  # Let it read what has come, before the next one has it give way.


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
        return environ

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            # Left open where the peer broke off, it would keep the descriptor until some garbage
            # collection, for the protocol is part of a cycle.
            self.rfile.close()

    def log_message(self, *_: object) -> None:
        """Say nothing: what strangers send is counted, not logged."""


def _converse(server: wsgi.Server, connection: Any, address: tuple[str, int]) -> None:
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(server.socket_timeout)
        server.process_request([address, connection, wsgi.STATE_IDLE])
    except (OSError, eventlet.Timeout):
        pass  # The peer disconnected or timed out during a request.
    finally:
        server.limiter.leave(connection)
        greenio.shutdown_safe(connection)
        connection.close()
