"""Fork the processes of cameras, processors and recordings, as ``fork_server.py`` does servers.

Their imports take ten times as long as the rest of their start. One process has imported
everything, has no eventlet and no other thread, and forks a child on request. It is the children's
parent, so it reports to the servers how they ended. Tests that check what a server leaves behind,
what others can read of its children, or what these use, make the server start its own.
"""

import array
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

__all__ = ["Forks", "serve"]

MODULES = (
    "server.capture.isolation.child",
    "server.capture.processing.sandbox_child",
    "server.recording.media.child",
)

# Modules that they import late.
LATE = (
    *("av.logging", "cv2", "numpy"),
    "server.capture.motion.tracker",
    "server.capture.processing.builtin",
    "server.capture.motion.pictures",
    "server.capture.rtsp.opening",
    "server.capture.sources.command",
    "server.capture.sources.http",
    "server.capture.sources.testpattern",
    "server.capture.streams.file",
    "server.capture.streams.stream",
    "server.capture.streams.units.encoder",
)

OURS = ("server.", "tests.")

MAX_REQUEST_BYTES = 256 * 1024


class Forks:
    """Replaces ``os`` in ``server/capture/isolation/process.py``.

    Args:
        reach: Returns the descriptor of the forking process. Called when the first child is
            wanted.
    """

    def __init__(self, reach: Callable[[], int]) -> None:
        self._reach = reach
        self._line: Any = None
        self._ends: dict[int, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @cached_property
    def _native(self) -> Any:
        # Imported late: it needs to know whether eventlet is loaded.
        from server.loop import native

        return native

    def posix_spawn(
        self,
        path: str,
        arguments: Sequence[str],
        environment: dict[str, str],
        *,
        file_actions: Sequence[tuple[Any, ...]],
        **more: Any,
    ) -> int:
        """Have a child forked; return its process id."""
        module = arguments[-1]
        if not module.startswith(OURS):
            return os.posix_spawn(path, arguments, environment, file_actions=file_actions, **more)
        self.connect()
        link, lifeline = (action[1] for action in file_actions[:2])
        errors = os.open(os.devnull, os.O_WRONLY) if file_actions[2:] else os.dup(2)
        socket = self._native.socket
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                given = array.array("i", [link, lifeline, errors, theirs.fileno()])
                request = json.dumps([module, environment]).encode()
                self._line.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, given)])
            pid = int(ours.recv(16))
        except BaseException:
            ours.close()
            raise
        finally:
            os.close(errors)
        self._ends[pid] = ours
        return pid

    def waitid(self, kind: int, pid: int, options: int) -> object:
        """Return a value once a child has ended; it is not reaped yet."""
        if pid not in self._ends:
            return os.waitid(kind, pid, options)
        poll = self._native.select.poll()
        poll.register(self._ends[pid], self._native.select.POLLIN)
        return poll.poll(0) or None

    def waitpid(self, pid: int, options: int) -> tuple[int, int]:
        """Return how a child has ended, and have it reaped."""
        if pid not in self._ends:
            return os.waitpid(pid, options)
        with self._ends.pop(pid) as end:
            status = int(end.recv(16))
            end.shutdown(self._native.socket.SHUT_WR)
            end.recv(16)  # Ends when it is reaped.
            return pid, status

    def connect(self) -> None:
        """Connect to the forking process, unless connected.

        A server calls this first, because it opens cameras on several native threads at once.
        """
        if self._line is None:
            self._line = self._native.socket.socket(fileno=self._reach())

    def disconnect(self) -> None:
        """Disconnect: no more children will be requested."""
        if self._line is not None:
            self._line.close()


def serve(line: socket.socket) -> None:
    """Fork a child for each request, until neither the fork server nor any server is left."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    import_all()
    children: dict[int, socket.socket] = {}
    told: set[int] = set()
    acknowledged: set[int] = set()  # Their servers know how they ended, or have ended.
    while True:
        ends = {end: pid for pid, end in children.items() if pid not in acknowledged}
        ready = select.select([line, woken, *ends], [], [])[0]
        acknowledged |= {ends[end] for end in ready if end in ends}
        if woken in ready:
            os.read(woken, 4096)
        reap(children, told, acknowledged)
        if line in ready and not start(line, children):
            break
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def import_all() -> None:
    """Import the children's modules."""
    import gc

    gc.disable()
    # Libraries read these when imported. Other threads would not survive a fork.
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "SILENT"}
    for name in (*MODULES, *LATE):
        importlib.import_module(name)
    assert len(os.listdir("/proc/self/task")) == 1, "a library has started a thread"
    gc.freeze()
    gc.enable()


def start(line: socket.socket, children: dict[int, socket.socket]) -> bool:
    """Fork a child for one request; return False if no more will come."""
    request, ancillary, _, _ = line.recvmsg(MAX_REQUEST_BYTES, socket.CMSG_SPACE(4 * 4))
    if not request:
        return False
    *streams, end = array.array("i", ancillary[0][2])
    pid = os.fork()
    if pid == 0:
        become_child(*json.loads(request), streams)
    os.setpgid(pid, pid)
    for ours in streams:
        os.close(ours)
    children[pid] = socket.socket(fileno=end)
    tell(children[pid], pid)
    return True


def reap(children: dict[int, socket.socket], told: set[int], acknowledged: set[int]) -> None:
    """Report each child that has ended, and reap it once its server has acknowledged."""
    for pid, end in list(children.items()):
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended and pid in acknowledged:
            os.waitpid(pid, 0)
            end.close()
            told.discard(pid)
            acknowledged.remove(pid)
            del children[pid]
        elif ended and pid not in told:
            told.add(pid)
            exited = ended.si_code == os.CLD_EXITED
            tell(end, ended.si_status << 8 if exited else ended.si_status)


def tell(end: socket.socket, number: int) -> None:
    """Send a server a number."""
    try:
        end.send(str(number).encode())
    except OSError:
        pass  # It has ended.


def become_child(module: str, environment: dict[str, str], streams: Sequence[int]) -> None:
    """Become a freshly started child; never return."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)
        os.environ.clear()
        os.environ.update(environment)
        paths = environment["PYTHONPATH"].split(os.pathsep)
        sys.path[:0] = [path for path in paths if path not in sys.path]
        sys.argv = [module]
        if module in MODULES:
            sys.modules[module].main()
        else:  # A child defined by the tests: most of its imports are loaded.
            runpy.run_module(module, run_name="__main__")
        code = 0
    except BaseException:  # noqa: BLE001  a fork must never continue as a copy of its parent
        traceback.print_exc()
    finally:
        os._exit(code)
