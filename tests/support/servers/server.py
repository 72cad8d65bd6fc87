"""Real server processes for tests that use the whole program."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients.client import Viewer
from tests.support.servers.fork_server import ForkedProcess, ForkServer

ROOT = Path(__file__).resolve().parents[3]

FORK_SERVER = ForkServer()

FRESH = ("manage.py",)
"""The program of a server that is started afresh, not forked."""

# Generous, for a busy machine; the wait ends as soon as the condition holds.
PATIENCE_S = 30.0


MAX_POLL_S = 0.1


def wait_until(
    condition: Callable[[], Any], patience_s: float = PATIENCE_S, every_s: float = 0.01
) -> Any:
    """Return the condition's first true value; fail if none comes in time.

    Most conditions query a server over HTTP. So the longer the wait, the less often it polls, up to
    every :data:`MAX_POLL_S`; expensive conditions are polled less often from the start.
    """
    started = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited_s = time.monotonic() - started
        assert waited_s < patience_s, "the condition never held"
        time.sleep(max(every_s, min(MAX_POLL_S, waited_s / 10)))


def each_time(check: Callable[[], None], attempts: int = 3) -> None:
    """Let a check fail only if it fails every time.

    A busy machine delays a run now and then; a real fault fails each time.
    """
    for _ in range(attempts - 1):
        try:
            return check()
        except AssertionError:
            pass
    return check()


class PortholeServer:
    """One ``manage.py run``, or another command that serves, in a process of its own.

    Args:
        arguments: The command's arguments.
        state: The state folder.
        environment: Additional variables.
        program: What Python runs; empty for ``manage.py`` from the fork server.
        module: What the fork server runs instead: a module that changes the server first.
        command: The command. A ``camera`` node does not listen.
        own_children: Whether the processes of its cameras are its children, started as in real
            life. Otherwise they are forked, which is faster; see ``fork_children.py``.
    """

    def __init__(
        self,
        *arguments: str,
        state: Path,
        environment: dict[str, str],
        program: Sequence[str] = (),
        module: str = "",
        command: str = "run",
        own_children: bool = False,
    ) -> None:
        self.state = state
        given = [command, "--state", str(state), *arguments]
        self.process = (
            start_fresh([*program, *given], environment)
            if program
            else FORK_SERVER.start(given, environment, own_children=own_children, module=module)
        )
        self.log: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (self.process.stdout, self.process.stderr)
        ]
        for reader in self._readers:
            reader.start()
        try:
            wait_until(lambda: self._address() or self.process.poll() is not None)
        except AssertionError:
            # There is no object yet that could stop it.
            self.kill()
            raise
        address = self._address()
        assert address, "the server did not start:\n" + "\n".join(self.log)
        self.port = int(address[2] or 0)
        self.url = f"{address[1] or 'http'}://127.0.0.1:{self.port}/"

    def _read(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self.log.append(line.rstrip("\n"))

    def _address(self) -> re.Match[str] | None:
        return re.search(r"at (https?)://[^:]+:(\d+)/|shares \d+ camera()", "\n".join(self.log))

    def kept(self) -> dict[Path, bytes]:
        """Return the files of the state folder and their contents."""
        contents = {}
        # Sorted, so that a file being written comes before the one it replaces.
        for path in sorted(self.state.rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file():
                    contents[path] = path.read_bytes()
        return contents

    def send_signal(self, number: int) -> None:
        """Send the process a signal."""
        self.process.send_signal(number)

    def wait(self, timeout_s: float = 10) -> int:
        """Wait until the process has ended; return its exit code."""
        code = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join(timeout_s)
        return code

    def stop(self) -> int:
        """Stop the process as a service manager would; return its exit code."""
        if self.process.poll() is None:
            self.send_signal(signal.SIGTERM)
        return self.wait()

    def end(self) -> None:
        """Stop the process; it must exit with 0 and have logged no unexpected error."""
        assert self.stop() == 0
        assert not [line for line in self.log if "Traceback" in line], "\n".join(self.log)

    def kill(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.wait()


def start_fresh(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> subprocess.Popen[str] | ForkedProcess:
    """Run Python with these arguments and additional variables."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., PortholeServer]]:
    """Start servers on free ports; each must exit with code 0.

    Only one at a time uses the folder ``state``; others have their own.
    """
    servers: list[PortholeServer] = []

    def start(
        *arguments: str,
        program: Sequence[str] = (),
        module: str = "",
        own_children: bool = False,
        **environment: str,
    ) -> PortholeServer:
        port = () if "--port" in arguments else ("--port", "0")
        taken = [one.state for one in servers if one.process.poll() is None]
        folders = (tmp_path / f"state{more}" for more in ("", "-2", "-3", "-4"))
        server = PortholeServer(
            *port,
            *arguments,
            state=next(one for one in folders if one not in taken),
            environment=environment,
            program=program,
            module=module,
            own_children=own_children,
        )
        servers.append(server)
        return server

    yield start

    for server in servers:
        if server.process.poll() is None:
            assert server.stop() == 0
        assert not [line for line in server.log if "Traceback" in line], "\n".join(server.log)


@pytest.fixture(scope="module")
def share_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., PortholeServer]]:
    """Return a server shared by the tests of a module, one for each set of arguments.

    Starting one takes more than a second of CPU time, most of the cost of many tests. Only for
    tests that leave it unchanged; tests that stop cameras or the server start their own.
    """
    servers: dict[tuple[str, ...], PortholeServer] = {}

    def share(*arguments: str) -> PortholeServer:
        if arguments not in servers:
            servers[arguments] = PortholeServer(
                *("--port", "0", *arguments),
                state=tmp_path_factory.mktemp("shared") / "state",
                environment={},
            )
        return servers[arguments]

    yield share

    for server in servers.values():
        server.end()


@pytest.fixture
def connect() -> Iterator[Callable[..., Viewer]]:
    """Connect Socket.IO viewers."""
    viewers: list[Viewer] = []

    def connect_one(server: PortholeServer, **options: Any) -> Viewer:
        viewer = Viewer("127.0.0.1", server.port, **options)
        viewers.append(viewer)
        viewer.connect()
        return viewer

    yield connect_one

    for viewer in viewers:
        viewer.close()


def last_event(viewer: Viewer, name: str) -> Any:
    """Return the payload of a viewer's newest event of that name, or None."""
    return next((data for event, data in reversed(viewer.events) if event == name), None)


def expect_frames(viewer: Viewer, count: int) -> None:
    """Read until this many more frames have arrived."""
    target = len(viewer.arrivals) + count
    viewer.pump(lambda: len(viewer.arrivals) >= target, PATIENCE_S)
