"""The event loop: green threads, native calls, and waiting on sockets.

Everything else asks here for green threads, for sleeping and waiting, for native threads and for
listening. eventlet is in maintenance mode: should it have to be replaced, this room and the first
lines of ``manage.py`` are what changes.

Two kinds of code run in this program. *Green* code shares the one hub and must never block it;
*native* code runs on a real thread through :func:`run_native`, may block, and must not touch green
locks, which includes logging: it returns a value and the green side speaks. What it needs of the
standard library is in :mod:`server.loop.native`.
"""

import atexit
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import eventlet
from eventlet import event, greenthread, hubs, tpool
from greenlet import getcurrent  # type: ignore[import-untyped]

from server.loop import epoll, native

if TYPE_CHECKING:
    from _typeshed import HasFileno

__all__ = [
    "ReadWatch",
    "Signal",
    "Task",
    "call_later",
    "call_on_hub",
    "exit_now",
    "grow_native_pool",
    "listen",
    "rest",
    "run_native",
    "size_native_pool",
    "sleep",
    "spawn",
    "wait_readable",
    "wait_writable",
]

T = TypeVar("T")

hubs.use_hub(epoll)  # Made when it is first asked for, in the place of any that eventlet has made.

sleep: Callable[[float], None] = eventlet.sleep
"""Pause this green thread for some seconds; 0 lets everybody else run once."""


def rest(seconds: float) -> None:
    """Pause this green thread for some seconds and a moment more, for a chore that is in no hurry.

    It goes on in a round that the hub runs anyway, if one comes within ``epoll.SLACK_S``. To wake
    up for a chore alone costs more than most chores do.
    """
    hubs.get_hub().rest(seconds)


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
        self._loop: Any = None  # The waiter's.
        self._waiter: Any = None  # Its greenlet.
        self._waking = False  # Whether the hub will switch to it.

    def set(self) -> None:
        """Wake the waiter, or let the next wait return at once."""
        self._set = True
        if self._waiter is not None and not self._waking:
            self._waking = True
            self._loop.soon.append(self._wake)

    def set_now(self) -> None:
        """Set it, and run the waiter before this returns; for callbacks of the hub alone."""
        self._set = True
        if self._waiter is not None:
            self._waiter.switch()

    def _wake(self) -> None:
        self._waking = False
        if self._set and self._waiter is not None:
            self._waiter.switch()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until set, then clear; return False when ``timeout_s`` went by without."""
        if not self._set:
            assert self._waiter is None, "a Signal has one waiter"
            # A bare timer: eventlet's Event and Timeout would cost twice as much.
            loop = self._loop = self._loop or hubs.get_hub()
            self._waiter = waiter = getcurrent()
            timer = None
            if timeout_s is not None:
                timer = loop.schedule_call_global(timeout_s, waiter.switch)
            try:
                loop.switch()
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        was_set, self._set = self._set, False
        return was_set


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
    block for ever: the pool has only so many threads.
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
    atexit.unregister(_close_pool)
    atexit.register(_close_pool)


def grow_native_pool(threads: int) -> None:
    """Have at least so many native threads from now on.

    tpool starts its workers with the first call and no more later, but they all take their work
    from one queue, so that others can join. They are not started in advance: each that has once
    handled pictures keeps megabytes of buffers, and any idle one may get the next picture.
    """
    tpool.setup()
    for number in range(len(tpool._threads), threads):
        worker = native.threading.Thread(
            target=tpool.tworker, name=f"tpool_thread_{number}", daemon=True
        )
        worker.start()
        tpool._threads.append(worker)


def _close_pool() -> None:
    """Close the sockets by which native threads wake the hub, and leave the threads alone."""
    for end in (tpool._rsock, tpool._wsock):
        if end is not None:
            end.close()


def wait_readable(sock: "HasFileno", timeout_s: float | None = None) -> bool:
    """Wait until there is something to read or the peer has gone; False on timeout."""
    return _wait(sock, timeout_s, read=True)


def wait_writable(sock: socket.socket, timeout_s: float | None = None) -> bool:
    """Wait until the kernel takes more bytes or the peer has gone; False on timeout."""
    return _wait(sock, timeout_s, write=True)


def _wait(sock: "HasFileno", timeout_s: float | None, **direction: bool) -> bool:
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
        sock: A real socket, what has one, or its descriptor.
        on_readable: Called with the descriptor.
    """

    def __init__(self, sock: "HasFileno | int", on_readable: Callable[[int], None]) -> None:
        self._fileno = sock if isinstance(sock, int) else sock.fileno()
        self._on_readable = on_readable
        self._listener: Any = None
        self.start()

    def start(self) -> None:
        """Begin, or go on after :meth:`stop`."""
        if self._listener is None:
            loop = hubs.get_hub()
            self._listener = loop.add(
                loop.READ, self._fileno, self._on_readable, self._let_go, None
            )

    def stop(self) -> None:
        """Call no more; required before the socket is closed."""
        listener, self._listener = self._listener, None
        if listener is not None:
            hubs.get_hub().remove(listener)

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


def call_later(seconds: float, function: Callable[..., object], *args: object) -> None:
    """Run ``function`` in a green thread of its own after some seconds."""
    eventlet.spawn_after(seconds, function, *args)


def call_on_hub(seconds: float, function: Callable[[], object]) -> None:
    """Call ``function``, which must not block, on the hub after some seconds.

    Without a green thread, which takes a tenth of a millisecond to begin.
    """
    hubs.get_hub().schedule_call_global(seconds, function)


def exit_now(code: int) -> None:
    """End the process without waiting for native threads."""
    os._exit(code)
