"""The hub: signals, tasks, native calls and waiting on sockets."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from eventlet import tpool

from server.loop import hub, native

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        yield left, right


def test_native_thread_pool_can_grow() -> None:
    """A camera added later needs its own threads: two stuck reads would occupy all of them."""
    hub.run_native(int)
    threads = len(tpool._threads) + 2
    all_at_once = native.threading.Barrier(threads)

    hub.grow_native_pool(threads)

    waiting = [hub.spawn(hub.run_native, all_at_once.wait, 10) for _ in range(threads)]
    assert all(task.join(10) for task in waiting)
    assert not all_at_once.broken


def test_signal_set_before_the_wait_is_not_lost() -> None:
    """A wait returns immediately if the signal was set before it."""
    signal = hub.Signal()
    signal.set()

    assert signal.wait(0)


def test_signal_is_cleared_by_the_wait() -> None:
    """However often it was set, one wait clears it."""
    signal = hub.Signal()
    signal.set()
    signal.set()

    assert signal.wait(0)
    assert not signal.wait(0)


def test_signal_wakes_its_waiter() -> None:
    """Setting a signal wakes the green thread that waits for it."""
    signal = hub.Signal()
    woken: list[bool] = []
    task = hub.spawn(lambda: woken.append(signal.wait(5)))
    hub.sleep(0)

    signal.set()

    assert task.join(1)
    assert woken == [True]


def test_signal_wait_times_out() -> None:
    """A wait for a signal that is never set returns False."""
    assert not hub.Signal().wait(0.001)


def test_signal_works_after_its_waiter_was_killed() -> None:
    """Killing a waiter leaves the signal usable."""
    signal = hub.Signal()
    task = hub.spawn(signal.wait)
    hub.sleep(0)
    task.kill()
    task.join(1)

    signal.set()

    assert signal.wait(0)


def test_task_is_done_when_it_returns() -> None:
    """Joining a task waits until it returns."""
    task = hub.spawn(hub.sleep, 0.001)
    assert not task.done

    assert task.join(1)
    assert task.done


def test_join_has_a_deadline() -> None:
    """Joining a task that does not end returns False in time."""
    task = hub.spawn(hub.Signal().wait)

    assert not task.join(0.001)
    task.kill()
    assert task.join(1)


def test_kill_ends_a_task_that_never_ran() -> None:
    """A task killed before its first turn is done as well."""
    task = hub.spawn(hub.sleep, 60)

    task.kill()

    assert task.join(1)


def test_native_call_runs_on_another_thread() -> None:
    """A blocking call runs on a thread other than the hub's, and its result is returned."""
    assert hub.run_native(threading.get_ident) != threading.get_ident()
    assert hub.run_native(pow, 2, 5) == 32


def test_hub_keeps_running_during_a_native_call() -> None:
    """Green threads run while a native call blocks."""
    gate = threading.Event()
    calls: list[bool] = []
    task = hub.spawn(lambda: calls.append(hub.run_native(gate.wait, 5)))
    hub.sleep(0.001)

    assert not task.done
    gate.set()

    assert task.join(2)
    assert calls == [True]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_native_call_raises_its_functions_exception(error: BaseException) -> None:
    """Every kind of exception reaches the caller, even those that would end a thread."""

    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        hub.run_native(fail)

    assert caught.value is error
    assert hub.run_native(abs, -1) == 1


def test_native_call_can_return_an_exception_tuple() -> None:
    """A tuple like ``sys.exc_info()`` is a value; tpool alone would raise it."""
    value = (ValueError, ValueError("no"), None)

    assert hub.run_native(lambda: value) is value


def test_wait_readable_returns_whether_bytes_came(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """A wait for bytes says whether there are any."""
    left, right = pair

    assert not hub.wait_readable(left, 0.001)
    right.send(b"x")
    assert hub.wait_readable(left, 1)


def test_wait_readable_ends_when_the_peer_closes(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """A closed peer ends the wait, because the end of its data can be read."""
    left, right = pair
    right.close()

    assert hub.wait_readable(left, 1)


def test_wait_writable_returns_whether_there_is_room(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """A wait for room in the kernel's buffer says whether there is any."""
    left, right = pair
    with pytest.raises(BlockingIOError):
        all(left.send(bytes(65536)) for _ in range(1000))

    assert not hub.wait_writable(left, 0.001)
    with pytest.raises(BlockingIOError):
        all(right.recv(65536) for _ in range(1000))
    assert hub.wait_writable(left, 1)


def test_port_in_use_is_an_error() -> None:
    """A second server cannot listen where one does; sharing would halve its viewers."""
    listener = hub.listen("127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match="in use"):
            hub.listen("127.0.0.1", listener.getsockname()[1])
    finally:
        listener.close()


def test_stuck_native_call_does_not_block_exit() -> None:
    """A read that never returns cannot keep the process alive."""
    code = (
        "import threading\n"
        "from server.loop import hub\n"
        "hub.size_native_pool(2)\n"
        "task = hub.spawn(hub.run_native, threading.Event().wait)\n"
        "hub.sleep(0.05)\n"
        "hub.exit_now(7)\n"
    )

    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        timeout=10,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )

    assert ended.returncode == 7


def test_set_now_runs_the_waiter_immediately() -> None:
    """An extra turn of the hub between a message and its waiter would cost time and work."""
    signal = hub.Signal()
    ours, theirs = socket.socketpair()
    order = []

    def wait() -> None:
        order.append(signal.wait(5.0))
        theirs.recv(1)

    def on_readable(_fd: int) -> None:
        signal.set_now()
        order.append("called")
        watch.stop()

    waiting = hub.spawn(wait)
    watch = hub.ReadWatch(theirs, on_readable)
    ours.send(b"x")
    done = waiting.join(5.0)
    ours.close()
    theirs.close()

    assert done
    assert order == [True, "called"]
