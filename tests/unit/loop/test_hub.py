"""The hub: signals, tasks, native calls, waiting on sockets and serving."""

import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.loop import hub
from tests.support.fakes import OpenGate, until

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        yield left, right


def test_signal_set_before_the_wait_is_not_lost() -> None:
    """A wait returns at once when the signal was set before it."""
    signal = hub.Signal()
    signal.set()

    assert signal.wait(0)


def test_signal_is_cleared_by_the_wait() -> None:
    """However often it was set, one wait uses it up."""
    signal = hub.Signal()
    signal.set()
    signal.set()

    assert signal.wait(0)
    assert not signal.wait(0)


def test_signal_wakes_who_waits() -> None:
    """Setting a signal wakes the green thread that waits for it."""
    signal = hub.Signal()
    woken: list[bool] = []
    task = hub.spawn(lambda: woken.append(signal.wait(5)))
    hub.sleep(0)

    signal.set()

    assert task.join(1)
    assert woken == [True]


def test_signal_wait_times_out() -> None:
    """A wait that nobody ends returns False."""
    assert not hub.Signal().wait(0.001)


def test_signal_can_be_waited_for_after_a_killed_waiter() -> None:
    """A waiter that is killed leaves the signal usable."""
    signal = hub.Signal()
    task = hub.spawn(signal.wait)
    hub.sleep(0)
    task.kill()
    task.join(1)

    signal.set()

    assert signal.wait(0)


def test_task_is_done_when_it_returns() -> None:
    """A task is joined by waiting for its end."""
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
    """What may block runs beside the hub's thread, and its result comes back."""
    assert hub.run_native(threading.get_ident) != threading.get_ident()
    assert hub.run_native(pow, 2, 5) == 32


def test_hub_goes_on_during_a_native_call() -> None:
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
def test_native_call_raises_what_its_function_does(error: BaseException) -> None:
    """Every kind of exception reaches the caller, even those that would end a thread."""

    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        hub.run_native(fail)

    assert caught.value is error
    assert hub.run_native(abs, -1) == 1


def test_native_call_may_return_what_looks_like_an_error() -> None:
    """A tuple like ``sys.exc_info()`` is a value; tpool alone would raise it."""
    value = (ValueError, ValueError("no"), None)

    assert hub.run_native(lambda: value) is value


def test_wait_readable_ends_with_bytes_or_time(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """A wait for bytes says whether there are any."""
    left, right = pair

    assert not hub.wait_readable(left, 0.001)
    right.send(b"x")
    assert hub.wait_readable(left, 1)


def test_wait_readable_ends_when_the_peer_goes(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """A peer that goes ends the wait: its end can be read."""
    left, right = pair
    right.close()

    assert hub.wait_readable(left, 1)


def test_wait_writable_ends_with_room_or_time(pair: tuple[socket.socket, socket.socket]) -> None:
    """A wait for room in the kernel's buffer says whether there is any."""
    left, right = pair
    with pytest.raises(BlockingIOError):
        all(left.send(bytes(65536)) for _ in range(1000))

    assert not hub.wait_writable(left, 0.001)
    with pytest.raises(BlockingIOError):
        all(right.recv(65536) for _ in range(1000))
    assert hub.wait_writable(left, 1)


def test_taken_port_is_refused() -> None:
    """A second server cannot listen where one does; sharing would halve its viewers."""
    listener = hub.listen("127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match="in use"):
            hub.listen("127.0.0.1", listener.getsockname()[1])
    finally:
        listener.close()


Application = Callable[[dict[str, object], Callable[..., object]], list[bytes]]


@pytest.fixture
def gate() -> OpenGate:
    """Who is let in."""
    return OpenGate()


@pytest.fixture
def serve(gate: OpenGate) -> Iterator[Callable[[Application], int]]:
    """A function that serves an application and returns its port."""
    running: list[tuple[socket.socket, hub.Task]] = []

    def start(application: Application) -> int:
        listener = hub.listen("127.0.0.1", 0)
        running.append((listener, hub.spawn(hub.serve, listener, application, gate)))
        return int(listener.getsockname()[1])

    yield start
    for listener, task in running:
        task.kill()
        listener.close()


def ask(port: int, text: bytes) -> bytes:
    """Send bytes over a new connection and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setblocking(False)
        sock.send(text)
        received = b""
        while hub.wait_readable(sock, 2):
            data = sock.recv(65536)
            if not data:
                return received
            received += data
    raise AssertionError(f"the server does not end the connection; so far {received!r}")


def test_application_is_served(serve: Callable[[Application], int]) -> None:
    """A WSGI application answers a request."""

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(environ["PATH_INFO"]).encode()]

    answer = ask(serve(application), b"GET /here HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.rstrip().endswith(b"/here") or b"/here" in answer


def test_requests_without_a_pause_leave_the_hub_to_others(
    serve: Callable[[Application], int],
) -> None:
    """Who has the next request ready before the answer is out gets a turn like everybody else.

    Its green thread never waited, and so kept the hub for as long as the client was quick.
    """
    rounds = 0
    seen: list[int] = []

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        seen.append(rounds)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    def count_rounds() -> None:
        nonlocal rounds
        while len(seen) < 100:
            rounds += 1
            hub.sleep(0)

    port = serve(application)
    requests = 99 * b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    hub.spawn(count_rounds)
    ask(port, requests + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert all(later > earlier for earlier, later in itertools.pairwise(seen))


def test_one_turn_a_round() -> None:
    """Those who come at the same time begin one after the other, in the order they came."""
    turns = hub.Turns()
    order: list[str] = []

    def begin(name: str) -> None:
        turns.take()
        order.append(name)

    def count_rounds() -> None:
        while len([one for one in order if one != "round"]) < 5:
            order.append("round")
            hub.sleep(0)

    for name in "abcde":
        hub.spawn(begin, name)
    hub.spawn(count_rounds)
    until(lambda: "e" in order)

    assert [name for name in order if name != "round"] == list("abcde")
    positions = [order.index(name) for name in "abcde"]
    assert all("round" in order[a:b] for a, b in itertools.pairwise(positions))


def test_turns_take_half_of_a_core() -> None:
    """After a burst the hub has as much time for pictures as for requests."""
    turns = hub.Turns()
    turns.BURST_S = 0.05
    started = time.monotonic()
    spent_s = 0.0

    while spent_s < 0.25:
        turns.take()
        began = time.thread_time()
        while time.thread_time() - began < 0.01:
            pass
        spent_s += time.thread_time() - began

    # The last one is not charged any more.
    assert time.monotonic() - started >= 0.9 * (0.25 - 0.05 - 0.02) / turns.SHARE


def test_a_turn_that_is_given_up_holds_nobody_up() -> None:
    """A deadline may end the wait for a turn; the next in line is not forgotten."""
    turns = hub.Turns()
    began: list[str] = []
    turns.take()
    given_up = hub.spawn(turns.take)
    waiting = hub.spawn(lambda: (turns.take(), began.append("here")))
    hub.sleep(0)

    given_up.kill()

    assert waiting.join(1)
    assert began == ["here"]


def test_traceback_is_not_sent_to_clients(
    serve: Callable[[Application], int], capfd: pytest.CaptureFixture[str]
) -> None:
    """An application that fails answers 500 and keeps its inside to itself."""

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        raise ValueError("secret detail")

    answer = ask(serve(application), b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert b" 500 " in answer
    assert b"secret detail" not in answer
    assert b"Traceback" not in answer


def test_small_chunk_is_sent_at_once(serve: Callable[[Application], int]) -> None:
    """A few bytes do not wait for more; a small MJPEG frame would be held back."""
    release = hub.Signal()

    def application(environ: dict[str, object], start_response: Callable[..., object]) -> object:
        start_response("200 OK", [("Content-Type", "text/plain")])

        def body() -> Iterator[bytes]:
            yield b"first"
            release.wait(5)
            yield b"second"

        return body()

    with socket.create_connection(("127.0.0.1", serve(application))) as sock:  # type: ignore[arg-type]
        sock.setblocking(False)
        sock.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b""
        while b"first" not in received:
            assert hub.wait_readable(sock, 2)
            received += sock.recv(65536)
        early = received
        release.set()
        while hub.wait_readable(sock, 2) and (data := sock.recv(65536)):
            received += data

    assert b"second" not in early
    assert b"second" in received


def test_accepted_connections_do_not_wait_for_nagle(serve: Callable[[Application], int]) -> None:
    """Each accepted socket has TCP_NODELAY, or small writes would wait for acknowledgements."""
    found: list[int] = []

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        sock = environ["eventlet.input"].get_socket()  # type: ignore[attr-defined]
        found.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        start_response("200 OK", [])
        return []

    ask(serve(application), b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert found == [1]


def test_peer_that_goes_in_mid_sentence_harms_nobody(serve: Callable[[Application], int]) -> None:
    """After a connection that breaks off, the next one is served."""

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        start_response("204 No Content", [])
        return []

    port = serve(application)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.send(b"GET / HT")

    assert b" 204 " in ask(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


def test_gate_counts_who_is_inside(serve: Callable[[Application], int], gate: OpenGate) -> None:
    """Every connection is counted in, and out when it ends."""
    inside: list[int] = []

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        inside.append(gate.inside)
        start_response("204 No Content", [])
        return []

    ask(serve(application), b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert inside == [1]
    until(lambda: gate.inside == 0)


def test_gate_turns_connections_away(serve: Callable[[Application], int], gate: OpenGate) -> None:
    """A connection too many is told so and ended, before the application hears of it."""
    gate.refusal = b"HTTP/1.1 503 Too Many\r\n\r\n"

    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = ask(serve(lambda environ, start_response: [b"in"]), request)

    assert answer == gate.refusal
    until(lambda: gate.inside == 0)


def test_lag_of_a_blocked_hub_is_measured() -> None:
    """What holds the hub up shows as its lag, and is told once."""
    meter = hub.LagMeter()
    meter.open()
    hub.sleep(meter.PERIOD_S / 4)

    time.sleep(meter.PERIOD_S + 0.05)  # The fault itself: green code that blocks.
    until(lambda: meter.worst_s > 0)
    lag_s = meter.take()
    meter.close()

    assert lag_s >= 0.04
    assert meter.worst_s == 0


def test_stuck_native_call_does_not_keep_the_process() -> None:
    """A read that never returns cannot hold the process at its end."""
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
