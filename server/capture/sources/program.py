"""A program that writes pictures to its standard output.

It runs in its own session, so that it can be killed together with everything it starts: when its
source is closed, and by the kernel when this process ends for any reason. Its standard error is
read, too: the last line explains a failure.
"""

import fcntl
import os
import re
import resource
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from server.config.command import hide_secrets
from server.errors import SourceError
from server.loop import native

__all__ = ["CHUNK_BYTES", "Program"]

CHUNK_BYTES = 1 << 16

# Time to exit by itself: some programs have to switch a camera off.
TERM_S = 0.15
# Time for its exit code and its last error line once its output has ended.
EXIT_S = 0.3
POLL_S = 0.005

# A shorter read found its data waiting.
WAIT_S = 0.002

MAX_ERROR_BYTES = 4096
MAX_REASON = 200

# Terminal sequences for colours and cursors.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")

# Variables of our own process that a program must not inherit. PORTHOLE_BUS may hold a password.
OWN_VARIABLES = ("PORTHOLE_", "OPENCV_", "OPENBLAS_", "MALLOC_", "EVENTLET_", "PYTHONPATH")

# Not in Python's fcntl module before 3.13.
F_SETSIG = 10


class Program:
    """A running program. Its output is read by one thread at a time.

    Args:
        words: The program and its arguments.
        folder: Its working directory.
        timeout_s: How long it may write nothing.

    Raises:
        SourceError: If it cannot be started.
    """

    def __init__(self, words: Sequence[str], folder: str, timeout_s: float) -> None:
        self._words = list(words)
        self._timeout_s = timeout_s
        self.waited = False
        """Whether :meth:`read` has had to wait since this was last set to False."""
        self._front = b""  # Data that was put back.
        self._error_output = b""
        self._ended = self._errors_ended = False
        self._silent = False
        lifeline, self._lifeline = os.pipe()
        try:
            with _unlimited_memory():
                self._process = subprocess.Popen(
                    self._words,
                    cwd=folder,
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    pass_fds=(lifeline,),
                    start_new_session=True,
                )
            _kill_on_hangup(lifeline, self._process.pid)
        except (OSError, subprocess.SubprocessError) as error:
            os.close(self._lifeline)
            why = getattr(error, "strerror", None) or type(error).__name__
            raise SourceError(f"the command cannot be started ({why})") from None
        finally:
            os.close(lifeline)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._output, self._errors = self._process.stdout.fileno(), self._process.stderr.fileno()
        os.set_blocking(self._output, False)
        os.set_blocking(self._errors, False)
        self._poll = select.poll()
        for descriptor in (self._output, self._errors):
            self._poll.register(descriptor, select.POLLIN)

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Wait for output and return at most ``size`` bytes of it; nothing at the end.

        Raises:
            TimeoutError: If it has written nothing for the timeout.
        """
        if self._front:
            data, self._front = self._front[:size], self._front[size:]
            return data
        started = time.monotonic()
        while not self._ended:
            left_s = started + self._timeout_s - time.monotonic()
            if left_s <= 0:
                self._silent = True
                raise TimeoutError("nothing was written")
            for descriptor, _ in self._poll.poll(left_s * 1000):
                if self._ended:
                    break
                if descriptor == self._errors:
                    self._read_errors()
                elif (output := _read(descriptor, size)) is not None:
                    self._ended = not output
                    self.waited = self.waited or time.monotonic() - started > WAIT_S
                    return output
        return b""

    def put_back(self, data: bytes) -> None:
        """Return ``data`` again from the next :meth:`read`."""
        self._front = data + self._front

    def explain(self, otherwise: str, wrote: str = "") -> str:
        """Return why there are no pictures: how it ended, or that it is silent.

        Args:
            otherwise: The reason to give if it is running and writing.
            wrote: Text that it has written instead of pictures.
        """
        if self._ended:
            self._wait_for_exit()
            code = self._exit_code()
            if code is None:
                reason = "the command has closed its output"
            elif code < 0:
                reason = f"the command was killed by {_signal_name(-code)}"
            else:
                reason = f"the command ended with exit code {code}"
        elif self._silent:
            reason = f"the command has written nothing for {self._timeout_s:g} s"
        else:
            reason = otherwise
        detail = self._last_line() or hide_secrets(wrote, self._words)
        return f"{reason}: {detail}" if detail else reason

    def kill(self) -> None:
        """End it and everything it has started; :meth:`read` then reaches its end."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + TERM_S
        while self._exit_code() is None and time.monotonic() < deadline:
            # It may be stuck writing to a full pipe.
            _read(self._output, CHUNK_BYTES)
            native.sleep(POLL_S)
        # Before it is reaped: after that its group's number may be reused.
        self._signal(signal.SIGKILL)
        os.close(self._lifeline)
        self._process.wait()

    def close(self) -> None:
        """Close its pipes, after :meth:`kill`, when no thread reads from them any more."""
        self._ended = True
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (PermissionError, ProcessLookupError):
            pass  # Processes of another user are out of reach.

    def _exit_code(self) -> int | None:
        """Return its exit code or negated signal number, without reaping it; None if it runs."""
        found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def _wait_for_exit(self) -> None:
        deadline = time.monotonic() + EXIT_S
        while self._exit_code() is None and time.monotonic() < deadline:
            native.sleep(POLL_S)
        while self._read_errors():
            pass

    def _read_errors(self) -> bool:
        """Read its standard error without waiting; return whether there was anything."""
        data = _read(self._errors, CHUNK_BYTES)
        if data == b"" and not self._errors_ended:
            self._errors_ended = True
            self._poll.unregister(self._errors)
        self._error_output = (self._error_output + (data or b""))[-MAX_ERROR_BYTES:]
        return bool(data)

    def _last_line(self) -> str:
        """Return the last line of its standard error that contains a word, without secrets."""
        text = ESCAPES.sub("", self._error_output.decode(errors="replace"))
        lines = re.split(r"[\r\n]+", text)
        if len(self._error_output) == MAX_ERROR_BYTES:
            # Its start is cut off, perhaps within a password that could no longer be recognised.
            lines[0] = lines[0].partition(" ")[2]
        last = next((line for line in reversed(lines) if re.search(r"\w", line)), "")
        last = hide_secrets(last, self._words)
        last = "".join(letter if letter.isprintable() else " " for letter in last).strip()
        return last if len(last) <= MAX_REASON else last[: MAX_REASON - 1] + "…"


def _read(descriptor: int, size: int) -> bytes | None:
    """Read without waiting; return None if there is nothing yet, and no bytes at the end."""
    try:
        return os.read(descriptor, size)
    except BlockingIOError:
        return None


def _kill_on_hangup(lifeline: int, group: int) -> None:
    """Let the kernel kill a process group when the other end of a pipe is closed.

    The group inherits this end. Unlike ``PR_SET_PDEATHSIG``, this reaches the whole group and does
    not depend on the thread that started it.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -group)
    fcntl.fcntl(lifeline, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


@contextmanager
def _unlimited_memory() -> Iterator[None]:
    """Lift this process's memory limit, which is meant for decoding, while a program is started."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(OWN_VARIABLES)}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
