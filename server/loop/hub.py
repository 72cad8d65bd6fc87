"""The event loop, and the only module that imports eventlet.

Everything else asks here for green threads, for sleeping and waiting, for native threads and for
serving sockets. eventlet is in maintenance mode: should it have to be replaced, this file (and the
first lines of ``manage.py``) is what changes.

Two kinds of code run in this program. *Green* code shares the one hub and must never block it;
*native* code runs on a real thread through :func:`run_native`, may block, and must not touch green
locks, which includes logging: it returns a value and the green side speaks. What it needs of the
standard library is in :mod:`server.loop.native`.
"""

import atexit
import errno
import functools
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import eventlet
from eventlet import event, greenio, greenthread, hubs, tpool, wsgi

__all__ = [
    "Admission",
    "LagMeter",
    "ReadWatch",
    "Signal",
    "Task",
    "answer_was_sent",
    "call_later",
    "exit_now",
    "listen",
    "run_native",
    "serve",
    "size_native_pool",
    "sleep",
    "spawn",
    "wait_readable",
    "wait_writable",
]

T = TypeVar("T")

sleep: Callable[[float], None] = eventlet.sleep
"""Pause this green thread for some seconds; 0 lets everybody else run once."""


class Task:
    """A running green thread."""

    def __init__(self, thread: greenthread.GreenThread) -> None:
        self._thread = thread
        self._done = event.Event()
        thread.link(lambda _thread: self._done.send(None))

    @property
    def done(self) -> bool:
        """Whether it has returned, raised or been killed."""
        return bool(self._done.ready())

    def join(self, timeout_s: float) -> bool:
        """Wait for its end; return False if that took longer than ``timeout_s``."""
        with eventlet.Timeout(timeout_s, False):
            self._done.wait()
        return self.done

    def kill(self) -> None:
        """End it at its next switch; does nothing if it has ended."""
        self._thread.kill()


def spawn(function: Callable[..., object], *args: object) -> Task:
    """Run ``function`` in a green thread of its own, from the hub's next turn on."""
    return Task(eventlet.spawn(function, *args))


class Signal:
    """Wakes the one green thread that waits for it; a set before the wait is not lost.

    Only green code may call it: setting one from a native thread would not wake the hub.
    """

    def __init__(self) -> None:
        self._set = False
        self._waiter: event.Event | None = None

    def set(self) -> None:
        """Wake the waiter, or let the next wait return at once."""
        self._set = True
        if self._waiter is not None and not self._waiter.ready():
            self._waiter.send(None)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until set, then clear; return False when ``timeout_s`` went by without."""
        if not self._set:
            assert self._waiter is None, "a Signal has one waiter"
            self._waiter = event.Event()
            try:
                if timeout_s is None:
                    self._waiter.wait()
                else:
                    with eventlet.Timeout(timeout_s, False):
                        self._waiter.wait()
            finally:
                self._waiter = None
        was_set, self._set = self._set, False
        return was_set


class Turns:
    """Lets one green thread begin something in each round of the hub; the others wait in line.

    A round runs everything that is due and readable. Were thirty-two requests of three
    milliseconds to begin in the same one, everybody else, with pictures to send, would wait for a
    tenth of a second. For the same reason turns get a share of one core only, once they have had
    more of it than a page takes that is opened.
    """

    SHARE = 0.5
    BURST_S = 0.25

    def __init__(self) -> None:
        self._taken = False
        self._line: deque[event.Event] = deque()
        self._credit_s = self.BURST_S
        self._began_cpu_s = self._ended_s = 0.0

    def take(self) -> None:
        """Return when it is the caller's turn, which is at once while nobody else is here."""
        if not self._taken:
            self._taken = True
            self._began_cpu_s = time.thread_time()
            hubs.get_hub().schedule_call_global(0, self._end)
            return
        turn = event.Event()
        self._line.append(turn)
        try:
            turn.wait()
        finally:
            if not turn.ready():
                self._line.remove(turn)  # A deadline was up.

    def _end(self) -> None:
        """Charge a turn for its round, and give the next one when there is time for it again."""
        now = time.monotonic()
        self._credit_s = min(self.BURST_S, self._credit_s + (now - self._ended_s) * self.SHARE)
        self._credit_s -= time.thread_time() - self._began_cpu_s
        self._ended_s = now
        hubs.get_hub().schedule_call_global(max(0.0, -self._credit_s / self.SHARE), self._next)

    def _next(self) -> None:
        if self._line:
            self._began_cpu_s = time.thread_time()
            self._line.popleft().send(None)
            hubs.get_hub().schedule_call_global(0, self._end)
        else:
            self._taken = False


class _Outcome:
    """What a native call came to.

    A value object, because tpool raises any returned 3-tuple whose second item is an exception,
    and because an exception outside ``Exception`` would end its worker and leave the caller
    waiting for ever.
    """

    __slots__ = ("error", "value")

    def __init__(self, value: object, error: BaseException | None) -> None:
        self.value = value
        self.error = error


def _attempt(function: Callable[..., object], args: tuple[object, ...]) -> _Outcome:
    try:
        return _Outcome(function(*args), None)
    except BaseException as error:  # noqa: BLE001  every end must reach the waiting green thread
        return _Outcome(None, error)


def run_native(function: Callable[..., T], *args: Any) -> T:
    """Run ``function`` on a native thread while the hub goes on; return or raise what it did.

    Costs about 0.1 ms, so it pays for work over a millisecond. Must not be given work that can
    block for ever: the pool has a fixed number of threads.
    """
    outcome = tpool.execute(_attempt, function, args)
    if outcome.error is not None:
        raise outcome.error
    return outcome.value  # type: ignore[no-any-return]


def size_native_pool(threads: int) -> None:
    """Set the number of native threads; counts only before the first :func:`run_native`."""
    tpool.set_num_threads(threads)
    # tpool joins its workers at exit without a deadline; one stuck read would hold the process.
    atexit.unregister(tpool.killall)


def wait_readable(sock: socket.socket, timeout_s: float | None = None) -> bool:
    """Wait until there is something to read or the peer has gone; False on timeout."""
    return _wait(sock, timeout_s, read=True)


def wait_writable(sock: socket.socket, timeout_s: float | None = None) -> bool:
    """Wait until the kernel takes more bytes or the peer has gone; False on timeout."""
    return _wait(sock, timeout_s, write=True)


def _wait(sock: socket.socket, timeout_s: float | None, **direction: bool) -> bool:
    try:
        hubs.trampoline(sock, timeout=timeout_s, timeout_exc=TimeoutError, **direction)
    except TimeoutError:
        return False
    return True


class ReadWatch:
    """Calls a function on the hub whenever a socket can be read, until stopped.

    No green thread is switched to, and no listener comes and goes with every message, which is
    most of what a small message costs. The function must neither block nor log.

    Args:
        sock: A real, non-blocking socket.
        on_readable: Called with nothing.
    """

    def __init__(self, sock: socket.socket, on_readable: Callable[[], None]) -> None:
        self._fileno = sock.fileno()
        self._on_readable = on_readable
        self._listener: Any = None
        self.start()

    def start(self) -> None:
        """Begin, or go on after :meth:`stop`."""
        if self._listener is None:
            loop = hubs.get_hub()
            self._listener = loop.add(loop.READ, self._fileno, self._call, self._let_go, None)

    def stop(self) -> None:
        """Call no more; required before the socket is closed."""
        listener, self._listener = self._listener, None
        if listener is not None:
            hubs.get_hub().remove(listener)

    def _call(self, _fileno: int) -> None:
        # The hub polls first and calls then: an earlier call of this round may have stopped us.
        if self._listener is not None:
            self._on_readable()

    def _let_go(self, *_: object) -> None:
        """Be told that the descriptor belongs to somebody else now."""


def listen(host: str, port: int) -> socket.socket:
    """Return a green listening socket.

    SO_REUSEPORT stays off: with it two servers would share one port and each get half the viewers.

    Raises:
        OSError: If the address cannot be bound.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener: socket.socket = eventlet.listen(address, family, backlog=1024, reuse_port=False)
    return listener


class Admission(Protocol):
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


def serve(listener: socket.socket, application: Callable[..., Any], gate: Admission) -> None:
    """Serve a WSGI application on ``listener`` until this green thread is killed.

    The accept loop is our own: eventlet's ends for good when the process runs out of descriptors,
    while here the connections there are may end and free some.
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
    server.gate = gate
    server.turns = Turns()
    while True:
        # Connections that wait are accepted without a pause, and strangers can always have more.
        sleep(0)
        try:
            connection, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EBADF, errno.EINVAL):
                return
            sleep(0.1)
            continue
        gate.enter(connection, address[0], functools.partial(greenio.shutdown_safe, connection))
        eventlet.spawn_n(_converse, server, connection, address)
        sleep(0)  # Let it read what has come, before the next one has it give way.


class _StrictProtocol(wsgi.HttpProtocol):  # type: ignore[misc]
    """eventlet's HTTP, with one deadline for a request's head, and no ambiguous framing."""

    HEAD_DEADLINE_S = 15.0
    """From when a request may begin until its headers are whole; so also how long a connection
    may idle. A byte a second outlives every time-out that counts from the last one."""

    answered = False

    def handle_one_request(self) -> None:
        if self.answered:
            self.server.gate.await_next(self.connection)
        self.answered = True
        self._deadline = eventlet.Timeout(self.HEAD_DEADLINE_S)
        try:
            super().handle_one_request()
        finally:
            self._deadline.cancel()

    def parse_request(self) -> bool:
        # Whoever sends the next request as soon as it has an answer would never be waited for, and
        # so keep the hub to itself.
        self.server.turns.take()
        if not super().parse_request():
            return False
        self._deadline.cancel()
        if self.headers.get("Content-Length", "0") != "0":
            # The body, and with it the answer: nothing that takes a body takes long.
            self._deadline = eventlet.Timeout(self.HEAD_DEADLINE_S)
        gate = self.server.gate
        refusal = gate.fault(self.request_version, self.headers) or gate.admit(self.connection)
        if refusal is not None:
            self.wfile.write(refusal)
            self.close_connection = True
            return False
        self.server.turns.take()  # Parsing was one turn, and answering is another.
        return True

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
        pass  # The peer has gone, or dawdled, in mid-sentence.
    finally:
        server.gate.leave(connection)
        greenio.shutdown_safe(connection)
        connection.close()


def call_later(seconds: float, function: Callable[..., object], *args: object) -> None:
    """Run ``function`` in a green thread of its own after some seconds."""
    eventlet.spawn_after(seconds, function, *args)


def answer_was_sent() -> None:
    """Tell the server that the running request was answered on its socket, so it sends nothing."""
    wsgi.WSGI_LOCAL.already_handled = True


class LagMeter:
    """Measures how late the hub runs what is due: the drift of a 20 ms timer.

    Args:
        busy: Whether anything goes on that could hold the hub up. An idle server would do little
            else but measure, so then it does so less often.
    """

    PERIOD_S = 0.02
    IDLE_PERIOD_S = 0.2

    RECENT = 250
    """How many measurements a quantile is of: five seconds of a busy server."""

    def __init__(self, busy: Callable[[], bool] = lambda: True) -> None:
        self._busy = busy
        self.worst_s = 0.0
        """The largest lag since the last :meth:`take`, in seconds."""
        self.beat = time.monotonic()
        """When the hub last ran, in monotonic seconds; read by the watchdog's native thread."""
        self._recent: deque[float] = deque(maxlen=self.RECENT)
        self._due = 0.0
        self._timer: Any = None

    def open(self) -> None:
        """Begin to measure."""
        self.beat = time.monotonic()
        self._schedule()

    def close(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()

    def take(self) -> float:
        """Return the worst lag since the last call, in seconds, and start anew."""
        worst, self.worst_s = self.worst_s, 0.0
        return worst

    def quantile(self, share: float) -> float:
        """Return the lag that this share of the last five seconds' did not exceed, in seconds."""
        ordered = sorted(self._recent)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def _schedule(self) -> None:
        # A timer of the hub's own: a green thread that sleeps would cost twice as much, and this
        # is most of what an idle server does.
        period_s = self.PERIOD_S if self._busy() else self.IDLE_PERIOD_S
        self._due = self.beat + period_s
        self._timer = hubs.get_hub().schedule_call_global(period_s, self._tick)

    def _tick(self) -> None:
        self.beat = time.monotonic()
        lag_s = max(0.0, self.beat - self._due)
        self.worst_s = max(self.worst_s, lag_s)
        self._recent.append(lag_s)
        self._schedule()


def exit_now(code: int) -> None:
    """End the process without waiting for native threads."""
    os._exit(code)
