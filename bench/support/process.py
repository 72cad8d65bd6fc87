"""Server processes, and their CPU time and memory, read from /proc."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

__all__ = [
    "ROOT",
    "Server",
    "busy_s",
    "cpu_s",
    "rss_bytes",
    "stolen_s",
    "threads_cpu_s",
    "tree",
]

ROOT = Path(__file__).resolve().parents[2]

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

START_DEADLINE_S = 30.0
STOP_DEADLINE_S = 6.0

# Porthole and the references print this when they listen.
ADDRESS = re.compile(r"at https?://[^:/]+:(\d+)/")


class Server:
    """A server under measurement; a context manager that stops it.

    Args:
        arguments: Arguments for the Python interpreter.

    Attributes:
        port: The port it listens on, on loopback.
        pid: The root of its process tree.
        started: When it was started, in monotonic seconds.
        address_s: Seconds from its start to the line with its address.
        certificate: Path of its self-made certificate; None without TLS.
    """

    certificate: str | None = None

    def __init__(self, *arguments: str) -> None:
        self.started = time.monotonic()
        # In its own session, so that Ctrl-C only reaches us, and we stop the server cleanly.
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.port = 0
        self.address_s = 0.0
        self._lines: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._listening.wait(START_DEADLINE_S)
        if not self.port:
            self.stop()
            raise SystemExit(f"bench: {arguments} did not start:\n" + "\n".join(self._lines))

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """The last lines of its output."""
        return "\n".join(self._lines[-20:])

    def stop(self) -> None:
        """Stop it and everything it started."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                pass  # An unthrottled loop on eventlet never gets to its signal handler.
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._reader.join(1)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.append(line.rstrip("\n"))
                found = ADDRESS.search(line)
                if found and not self.port:
                    self.address_s = time.monotonic() - self.started
                    self.port = int(found[1])
                    self._listening.set()
        self._listening.set()


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process and its descendants, including ended ones."""
    total = 0.0
    for one in tree(pid):
        try:
            # The name in brackets may contain spaces; user, system and ended children follow it.
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15]) * TICK_S
    return total


def threads_cpu_s(pid: int) -> float:
    """Return the CPU time of a process's running threads, far more exact than in ticks."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except OSError:
            continue
    return total / 1e9


def rss_bytes(pid: int, alone: bool = False) -> int:
    """Return the resident memory of a process and its descendants; each counts shared pages.

    Args:
        pid: The process.
        alone: Whether to ignore its descendants.
    """
    total = 0
    for one in [pid] if alone else tree(pid):
        try:
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * PAGE_BYTES
        except OSError:
            continue
    return total


def busy_s() -> float:
    """Return the CPU time used by everything on this machine, in seconds."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = _machine_s()
    return user + nice + system + irq + softirq


def stolen_s() -> float:
    """Return the CPU time that the hypervisor withheld while this machine needed it."""
    return _machine_s()[7]


def _machine_s() -> list[float]:
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return [int(field) * TICK_S for field in fields]


def tree(pid: int) -> list[int]:
    """Return a process and its descendants, without scanning all processes."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:
                continue  # That thread has ended.
    return found
