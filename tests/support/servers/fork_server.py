"""Start ``manage.py`` in a twentieth of a second, by forking a process that has imported it.

Importing takes most of a start, and the tests start hundreds of servers and commands. The fork
server imports what ``manage.py`` does once. It forks before it has a Python thread or a running
eventlet hub, so a fork is as good as a fresh start. Tests of anything that a fork may change use
real starts: the command line itself, memory, deployment. ``fork_children.py`` does the same for the
children of these servers. All processes of ``python -m tests`` share one fork server.
"""

import array
import atexit
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.servers.fork_children import Forks, serve

__all__ = ["ADDRESS", "ForkServer", "ForkedProcess"]

ROOT = Path(__file__).resolve().parents[3]

ADDRESS = "FORK_SERVER_OF_TESTS"
"""Environment variable with a running one's address; servers reject names in PORTHOLE_."""

# Modules that the serving commands import late.
LATE = (
    *("encodings.idna", "engineio.async_drivers.eventlet"),
    *("server.app", "server.cluster.node", "server.runtime"),
    "server.capture.processing.builtin",  # Loads OpenCV.
    "server.capture.sources.testpattern",
)

# Sizes and frame rates of most test patterns in the tests, and their names.
PATTERNS = (
    *((160, 90, fps) for fps in (4, 5, 10)),
    *((320, 180, fps) for fps in (2, 5, 6, 8, 10, 20, 25, 30, 60)),
    *((640, 360, fps) for fps in (10, 12, 25, 30)),
    (1280, 720, 30),
)
NAMES = ("Test", "door", "Door", "yard", "Yard", "other", "Other")

MAX_REQUEST_BYTES = 256 * 1024

RUN_TIMEOUT_S = 30.0


class ForkedProcess:
    """A forked server, with the part of :class:`subprocess.Popen` that the tests use.

    Attributes:
        args: The arguments of an equivalent fresh start.
        pid: Its process id.
        returncode: Its exit code once known; negative for a signal.
    """

    def __init__(self, args: Sequence[str], pid: int, status: int, output: int, log: int) -> None:
        self.args = list(args)
        self.pid = pid
        self.returncode: int | None = None
        self.stdout = open(output, encoding="utf-8")  # noqa: SIM115  closed by who reads it
        self.stderr = open(log, encoding="utf-8")  # noqa: SIM115
        self._status = status

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self._read_status(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once the process has ended.

        Raises:
            subprocess.TimeoutExpired: If that takes longer than ``timeout`` seconds.
        """
        code = self._read_status(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)

    def _read_status(self, timeout_s: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout_s)[0]:
            text = os.read(self._status, 16)
            os.close(self._status)
            assert text, "the fork server has died"
            self.returncode = int(text)
        return self.returncode


class ForkServer:
    """The tests' side: starts the process on first use, and ends it with the tests.

    If :data:`ADDRESS` is set, it uses the process at this address.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def share(self) -> str:
        """Start the process; return its address."""
        with self._lock:
            return self._connect().getpeername()[1:].decode()

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        given: str = "",
        own_children: bool = False,
        module: str = "",
    ) -> ForkedProcess:
        """Run ``manage.py`` with these arguments, additional variables, and standard input.

        The input must fit into a pipe. ``own_children`` and ``module``: see
        :class:`PortholeServer`.
        """
        output, log, status, entry = os.pipe(), os.pipe(), os.pipe(), os.pipe()
        os.write(entry[1], given.encode())
        os.close(entry[1])
        request = json.dumps(
            {
                "arguments": [*arguments],
                "environment": {**environment},
                "own_children": own_children,
                "module": module,
            }
        ).encode()
        with self._lock:
            line = self._connect()
            socket.send_fds(line, [request], [output[1], log[1], status[1], entry[0]])
            os.close(entry[0])
            for pipe in (output, log, status):
                os.close(pipe[1])
            reply = line.recv(16)
        assert reply, "the fork server has died"
        args = [sys.executable, "manage.py", *arguments]
        return ForkedProcess(args, int(reply), status[0], output[0], log[0])

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command that ends by itself; its output must fit into a pipe."""
        process = self.start(arguments, environment, given)
        with process.stdout as output, process.stderr as log:
            try:
                code = process.wait(RUN_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            return subprocess.CompletedProcess(process.args, code, output.read(), log.read())

    def children(self) -> Forks:
        """Return a stand-in for ``os`` that forks this process's children."""
        return Forks(self._connect_to_forks)

    def _connect_to_forks(self) -> int:
        with self._lock:
            line = self._connect()
            line.send(b"{}")
            to_forks = socket.recv_fds(line, 16, 1)[1][0]
        os.set_inheritable(to_forks, False)
        return to_forks

    def _connect(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            if ADDRESS in os.environ:
                self._socket.connect("\0" + os.environ[ADDRESS])
            else:
                with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
                    listener.bind("")  # Autobind: the kernel picks a free name.
                    listener.listen()
                    self._process = subprocess.Popen(
                        [sys.executable, "-m", __name__, str(listener.fileno())],
                        cwd=ROOT,
                        stdin=subprocess.DEVNULL,
                        pass_fds=[listener.fileno()],
                    )
                    self._socket.connect(listener.getsockname())
            atexit.register(self._close)
        return self._socket

    def _close(self) -> None:
        assert self._socket
        self._socket.close()
        if self._process:
            self._process.wait(10)


def main(fileno: int) -> None:
    """Fork a server for each request and report its exit code, until all tests have ended."""
    # Saved before eventlet patches the standard library.
    plain_socket, wait_ready = socket.socket, select.select
    listener = plain_socket(fileno=fileno)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    for pipe in (woken, wake):
        os.set_inheritable(pipe, False)

    children = fork_children()
    import manage

    import_all()
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    lines = {plain_socket(fileno=listener._accept()[0]): dict[int, int]()}
    while lines:
        ready = wait_ready([listener, woken, *lines], [], [])[0]
        if woken in ready:
            os.read(woken, 4096)
            for statuses in lines.values():
                report_ended(statuses)
        for line in lines.keys() & set(ready):
            received, ancillary, _, _ = line.recvmsg(MAX_REQUEST_BYTES, socket.CMSG_SPACE(4 * 4))
            request = json.loads(received or "null")
            if request is None:
                end_all(lines.pop(line))
                line.close()
            elif not request:
                socket.send_fds(line, [b"children"], [children])
            else:
                output, log, status, entry = array.array("i", ancillary[0][2])
                pid = os.fork()
                if pid == 0:
                    become_server(manage.cli, request, output, log, entry, children)
                lines[line][pid] = status
                for ours in (output, log, entry):
                    os.close(ours)
                line.send(str(pid).encode())
        if listener in ready:
            lines[plain_socket(fileno=listener._accept()[0])] = {}


def fork_children() -> int:
    """Fork the process that forks children; return the descriptor for its requests.

    It is forked early, because it must not load eventlet.
    """
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        try:
            os.dup2(theirs.fileno(), 3)
            os.closerange(4, max(map(int, os.listdir("/proc/self/fd"))) + 1)
            serve(socket.socket(fileno=3))
        except BaseException:  # noqa: BLE001  a fork must never go on as the fork server
            traceback.print_exc()
        finally:
            os._exit(0)
    theirs.close()
    return ours.detach()


def import_all() -> None:
    """Import the servers' modules."""
    import gc

    gc.disable()  # Nearly all of this lives as long as the process.
    import manage

    manage.leave_out_clients()
    for name in LATE:
        importlib.import_module(name)
    from server.app import STATIC
    from server.web.http.static_files import open_assets
    from tests.support.servers.kept_templates import keep_templates

    # Build the bundle that every page requests once.
    assets = open_assets(STATIC)
    for path in ("css/dashboard.css", "css/login.css", "js/main.js", "js/stream/worker.js"):
        assets.find(path, joined=True)
    keep_templates(ROOT / "templates")
    draw_lines()

    gc.collect()
    gc.freeze()  # Frozen objects stay shared with the forks.
    gc.enable()


def draw_lines() -> None:
    """Render the text of test patterns: each process would unpack OpenCV's font again."""
    from server.capture.sources.testpattern import TestPattern

    patterns = [TestPattern("test", (width, height), fps) for width, height, fps in PATTERNS]
    patterns += [TestPattern(name, (320, 180)) for name in NAMES]
    for pattern in patterns:
        pattern.render(time.time())


def report_ended(statuses: dict[int, int]) -> None:
    """Send the exit code of each ended process to its waiting client."""
    for pid in list(statuses):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            os.write(statuses[pid], str(os.waitstatus_to_exitcode(status)).encode())
            os.close(statuses.pop(pid))


def end_all(statuses: dict[int, int]) -> None:
    """Kill the servers of tests that have ended."""
    for pid, status in statuses.items():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(status)


def become_server(
    cli: object, request: dict[str, object], output: int, log: int, entry: int, children: int
) -> None:
    """Become a freshly started ``manage.py``; never return."""
    from eventlet import hubs

    from server.capture.isolation import process
    from server.loop import epoll

    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(entry, 0)
        os.dup2(output, 1)
        os.dup2(log, 2)
        os.dup2(children, 3, inheritable=False)
        os.closerange(4, max(map(int, os.listdir("/proc/self/fd"))) + 1)
        if not request["own_children"]:
            forks = Forks(lambda: 3)
            forks.connect()
            process.os = forks  # type: ignore[assignment]
        os.environ.update(request["environment"])  # type: ignore[call-overload]
        sys.argv = ["manage.py", *request["arguments"]]  # type: ignore[misc]
        hubs.use_hub(epoll)  # Patching has created a hub, whose epoll has just been closed.
        if request["module"]:
            runpy.run_module(str(request["module"]), run_name="__main__")
        else:
            cli()  # type: ignore[operator]
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else int(done.code is not None)
    except BaseException:  # noqa: BLE001  a fork must never go on as the fork server
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]))
