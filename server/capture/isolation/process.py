"""A child process that can be killed and never outlives the server.

It is spawned, not forked: a fork would lack eventlet's threads, and their locks would stay held for
ever. Native: nothing here waits on the hub or touches a green lock.
"""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

from server.loop import native

__all__ = ["Process", "die_with_parent"]

ROOT = Path(__file__).resolve().parents[3]

POLL_S = 0.005

# A killed process ends within milliseconds, unless a driver blocks it in the kernel.
KILL_DEADLINE_S = 1.0

# Not in Python's fcntl module before 3.13.
F_SETSIG = 10


class Process:
    """A running child.

    Args:
        module: The module to run, as with ``python -m``.
        link: A socket, which becomes its standard input. Its standard output is a lifeline: a pipe
            that nothing is ever written to.
        environment: Variables to add to our own. They are visible to other processes: no secrets.
        show_errors: Whether to keep its standard error. By default it is discarded, because FFmpeg
            may print a URL with its password.

    Raises:
        OSError: If no more processes can be started.
    """

    # Killed but not yet reaped; each spawn retries, so that none stays a zombie.
    _unreaped: ClassVar[list["Process"]] = []

    def __init__(
        self, module: str, link: Any, environment: dict[str, str], show_errors: bool = False
    ) -> None:
        for process in tuple(self._unreaped):
            if process.wait(0.0):
                self._unreaped.remove(process)
        self._status: int | None = None
        self._reaping = native.threading.Lock()
        their_end, self._lifeline = os.pipe()
        discard_errors = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        try:
            self.pid = os.posix_spawn(
                sys.executable,
                # -P: do not import from the folder in which the server was started.
                [sys.executable, "-P", "-m", module],
                {**os.environ, "PYTHONPATH": path, **environment},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, link.fileno(), 0),
                    (os.POSIX_SPAWN_DUP2, their_end, 1),
                    *(() if show_errors else (discard_errors,)),
                ],
                # Its own group, so that Ctrl-C reaches the server only, which closes its sources.
                setpgroup=0,
                setsigmask=(),
            )
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(their_end)

    def kill(self) -> None:
        """Kill it and its process group immediately; wait until it has ended."""
        with self._reaping:
            if self._status is None:
                self._kill_group()
        if not self.wait(KILL_DEADLINE_S) and self not in self._unreaped:
            self._unreaped.append(self)
        self._close_lifeline()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; return False if that takes longer than ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while not self._reap():
            if time.monotonic() >= deadline:
                return False
            native.sleep(POLL_S)
        self._close_lifeline()
        return True

    def _reap(self) -> bool:
        """Return whether it has ended."""
        with self._reaping:  # Threads that read from it and close it may call this concurrently.
            if self._status is None and os.waitid(
                os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
            ):
                # Kill the processes it has started, before its process id can be reused.
                self._kill_group()
                # WNOHANG matters: without it waitpid is green, and would sleep on the hub.
                _, status = os.waitpid(self.pid, os.WNOHANG)
                self._status = os.waitstatus_to_exitcode(status)
        return self._status is not None

    @property
    def exit_reason(self) -> str:
        """How it ended, for people."""
        if self._status is None:
            return "closed its connection"
        if self._status < 0:
            return f"was killed by {_signal_name(-self._status)}"
        return f"ended with exit code {self._status}"

    def _kill_group(self) -> None:
        """Kill it and its group; only before it is reaped, after which its id may be reused."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (PermissionError, ProcessLookupError):
            pass  # Another user's processes are out of reach.
        os.kill(self.pid, signal.SIGKILL)

    def _close_lifeline(self) -> None:
        lifeline, self._lifeline = self._lifeline, -1
        if lifeline >= 0:
            os.close(lifeline)


def die_with_parent(lifeline: int) -> None:
    """Have the kernel kill this process when the other end of the pipe ``lifeline`` is closed.

    This works even if the process is stopped, or hangs with all its locks held. So would
    ``PR_SET_PDEATHSIG``, but it depends on the *thread* that spawned us: a pool that ends a thread
    would kill that thread's cameras.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    poll = native.select.poll()
    poll.register(lifeline, 0)
    if poll.poll(0):  # It was closed before the signal was set up.
        os.kill(os.getpid(), signal.SIGKILL)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
