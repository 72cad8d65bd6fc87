"""A child process that can be killed, and that never outlives the server.

It is spawned, never forked: after a fork the copy of eventlet's threads would be dead, and locks
held for ever. Native: nothing here waits on the hub or touches a green lock.
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

# A killed process is gone within milliseconds, unless a driver holds it in the kernel.
KILL_DEADLINE_S = 1.0

# Not in Python's fcntl module before 3.13.
F_SETSIG = 10


class Process:
    """A running child.

    Args:
        module: What it runs, as ``python -m`` does.
        link: A socket, which becomes its standard input. Standard output is its lifeline, a pipe on
            which nothing is ever written; errors go nowhere, for FFmpeg may quote the URL there.
        environment: Variables to add to our own. Everybody may read them: no secrets.
        heard: Whether its errors go where our own do.

    Raises:
        OSError: If no more processes can be started.
    """

    # Killed, but not yet gone: each spawn asks again, so that none stays a zombie for ever.
    _lingering: ClassVar[list["Process"]] = []

    def __init__(
        self, module: str, link: Any, environment: dict[str, str], heard: bool = False
    ) -> None:
        for process in tuple(self._lingering):
            if process.wait(0.0):
                self._lingering.remove(process)
        self._status: int | None = None
        their_end, self._lifeline = os.pipe()
        silence = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        try:
            self.pid = os.posix_spawn(
                sys.executable,
                # -P: the folder the server was started in is no place to import from.
                [sys.executable, "-P", "-m", module],
                {**os.environ, "PYTHONPATH": path, **environment},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, link.fileno(), 0),
                    (os.POSIX_SPAWN_DUP2, their_end, 1),
                    *(() if heard else (silence,)),
                ],
                # A group of its own: Ctrl-C is for the server, which then closes its sources.
                setpgroup=0,
                setsigmask=(),
            )
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(their_end)

    def kill(self) -> None:
        """End it at once with all it has started, whatever it is doing; wait until it is gone."""
        if self._status is None:
            self._kill_group()
            if not self.wait(KILL_DEADLINE_S) and self not in self._lingering:
                self._lingering.append(self)
        self._let_go()

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; return False if that took longer than ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while self._status is None:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                # What it has started itself goes with it; before the number can be another's.
                self._kill_group()
                # Never without WNOHANG: that one is green here, and would sleep on the hub.
                _, status = os.waitpid(self.pid, os.WNOHANG)
                self._status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() >= deadline:
                return False
            else:
                native.sleep(POLL_S)
        self._let_go()
        return True

    @property
    def fate(self) -> str:
        """How it ended, for people."""
        if self._status is None:
            return "closed its connection"
        if self._status < 0:
            return f"was killed by {_signal_name(-self._status)}"
        return f"ended with exit code {self._status}"

    def _kill_group(self) -> None:
        """Kill it and its children; only while it is not reaped, so the number is its own."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (PermissionError, ProcessLookupError):
            pass  # What runs as another user, or has left the group, is on its own.
        os.kill(self.pid, signal.SIGKILL)

    def _let_go(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1


def die_with_parent(lifeline: int) -> None:
    """Have the kernel kill this process when the other end of the pipe ``lifeline`` is closed.

    That works while this process hangs with all its locks held, or is stopped. ``PR_SET_PDEATHSIG``
    would too, but follows the *thread* that spawned us: a pool that lets a thread go would take its
    cameras with it.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    poll = native.select.poll()
    poll.register(lifeline, 0)
    if poll.poll(0):  # Closed before the kernel was asked to tell.
        os.kill(os.getpid(), signal.SIGKILL)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
