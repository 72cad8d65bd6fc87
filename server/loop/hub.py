"""The event loop: green threads, native calls, and waiting on sockets.

All other modules use this one for green threads, sleeping, waiting, native threads and listening.
eventlet is in maintenance mode: to replace it, change this room and the first lines of
``manage.py``.

Two kinds of code run in this program. *Green* code shares the one hub and must never block it.
*Native* code runs on a real thread through :func:`run_native` and may block, but must not touch
green locks, and so must not log: it returns a value, and green code logs. It uses the standard
library through :mod:`server.loop.native`.
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

hubs.use_hub(epoll)  # Created on first use; replaces any hub that eventlet has created.

sleep: Callable[[float], None] = eventlet.sleep
"""Pause this green thread for this many seconds; 0 lets all others run once."""


def rest(seconds: float) -> None:
    """Pause this green thread for this long or a little longer, in seconds; for periodic chores.

    It resumes in a round that the hub runs anyway, if there is one within ``epoll.SLACK_S``. Waking
    up just for a chore costs more than most chores.
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
    """Run ``function`` in a new green thread, starting in the hub's next turn."""
    return Task(eventlet.spawn(function, *args))


class Signal:
    """Wakes the one green thread that waits for it; a set before the wait is not lost.

    Only green code may use it: setting it from a native thread would not wake the hub.
    """

    def __init__(self) -> None:
        self._set = False
        self._loop: Any = None  # The waiter's hub.
        self._waiter: Any = None  # The waiter's greenlet.
        self._waking = False  # Whether the hub is about to switch to it.

    def set(self) -> None:
        """Wake the waiter, or let the next wait return immediately."""
        self._set = True
        if self._waiter is not None and not self._waking:
            self._waking = True
            self._loop.soon.append(self._wake)

    def set_now(self) -> None:
        """Set it, and run the waiter before this returns; only for callbacks of the hub."""
        self._set = True
        if self._waiter is not None:
            self._waiter.switch()

    def _wake(self) -> None:
        self._waking = False
        if self._set and self._waiter is not None:
            self._waiter.switch()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until set, then clear; return False after ``timeout_s``."""
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
    """The result of a native call.

    Wraps value and exception, because tpool raises any returned 3-tuple whose second item is an
    exception, and because an exception outside ``Exception`` would end its worker and leave the
    caller waiting forever.
    """

    __slots__ = ("error", "value")

    def __init__(self, value: object, error: BaseException | None) -> None:
        self.value = value
        self.error = error


def _attempt(function: Callable[..., object], args: tuple[object, ...]) -> _Outcome:
    try:
        return _Outcome(function(*args), None)
    except BaseException as error:  # noqa: BLE001  the waiting green thread must get any result
        return _Outcome(None, error)


def run_native(function: Callable[..., T], *args: Any) -> T:
    """Run ``function`` on a native thread while the hub continues; return or raise its result.

    Costs about 0.1 ms, so it pays off for work over a millisecond. Work must not block forever: the
    pool's threads are limited.
    """
    outcome = tpool.execute(_attempt, function, args)
    if outcome.error is not None:
        raise outcome.error
    return outcome.value  # type: ignore[no-any-return]


def size_native_pool(threads: int) -> None:
    """Set the number of native threads; has no effect after the first :func:`run_native`."""
    tpool.set_num_threads(threads)
    # tpool joins its workers at exit without a deadline: a stuck read would keep the process alive.
    atexit.unregister(tpool.killall)
    atexit.unregister(_close_pool)
    atexit.register(_close_pool)


def grow_native_pool(threads: int) -> None:
    """Start native threads until there are at least this many.

    tpool starts its workers with the first call and none later, but all take their work from one
    queue, so others can join. They are not started in advance: each thread that has handled a
    picture keeps megabytes of buffers, and any idle thread may get the next picture.
    """
    tpool.setup()
    for number in range(len(tpool._threads), threads):
        worker = native.threading.Thread(
            target=tpool.tworker, name=f"tpool_thread_{number}", daemon=True
        )
        worker.start()
        tpool._threads.append(worker)


def _close_pool() -> None:
    """Close the sockets by which native threads wake the hub; leave the threads alone."""
    for end in (tpool._rsock, tpool._wsock):
        if end is not None:
            end.close()


def wait_readable(sock: "HasFileno", timeout_s: float | None = None) -> bool:
    """Wait until there is data to read or the peer has gone; False on timeout."""
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
    """Calls a function on the hub whenever a socket is readable, until stopped.

    This avoids switching green threads and registering a listener for every message, which is most
    of the cost of a small message. The function must neither block nor log.

    Args:
        sock: A real socket, an object with a descriptor, or a descriptor.
        on_readable: Called with the descriptor.
    """

    def __init__(self, sock: "HasFileno | int", on_readable: Callable[[int], None]) -> None:
        self._fileno = sock if isinstance(sock, int) else sock.fileno()
        self._on_readable = on_readable
        self._listener: Any = None
        self.start()

    def start(self) -> None:
        """Start watching, also after :meth:`stop`."""
        if self._listener is None:
            loop = hubs.get_hub()
            self._listener = loop.add(
                loop.READ, self._fileno, self._on_readable, self._on_reused, None
            )

    def stop(self) -> None:
        """Stop watching; required before the socket is closed."""
        listener, self._listener = self._listener, None
        if listener is not None:
            hubs.get_hub().remove(listener)

    def _on_reused(self, *_: object) -> None:
        """Ignore eventlet's report that the descriptor was reused."""


def listen(host: str, port: int) -> socket.socket:
    """Return a green listening socket.

    SO_REUSEPORT stays off: with it, two servers could share one port, each with half the viewers.

    Raises:
        OSError: If the address cannot be bound.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener: socket.socket = eventlet.listen(address, family, backlog=1024, reuse_port=False)
    return listener


def call_later(seconds: float, function: Callable[..., object], *args: object) -> None:
    """Run ``function`` in a new green thread after this many seconds."""
    eventlet.spawn_after(seconds, function, *args)


def call_on_hub(seconds: float, function: Callable[[], object]) -> None:
    """Call ``function``, which must not block, on the hub after this many seconds.

    Saves starting a green thread, which takes a tenth of a millisecond.
    """
    hubs.get_hub().schedule_call_global(seconds, function)


def exit_now(code: int) -> None:
    """End the process without waiting for native threads."""
    os._exit(code)
