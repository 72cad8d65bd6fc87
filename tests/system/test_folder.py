"""The state folder belongs to one server, and other accounts cannot access it."""

import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.errors import ConfigError
from server.users.folder import FolderLock, find_faults
from tests.support.servers.server import FORK_SERVER, ROOT, PortholeServer, start_server

__all__ = ["start_server"]


def manage(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return FORK_SERVER.run(arguments, {}, text)


def test_second_server_on_a_state_folder_is_rejected(
    start_server: Callable[..., PortholeServer], tmp_path: Path
) -> None:
    """The message names the first server; two servers once overwrote each other's settings.

    Commands keep working beside a server, and a killed one leaves no lock behind.
    """
    state = str(tmp_path / "state")
    first = start_server("test:")

    second = manage("run", "--port", "0", "--state", state, "test:")
    added = manage(
        *("user", "add", "ada", "--role", "viewer", "--password-stdin", "--state", state),
        text="correct horse\n",
    )

    assert second.returncode == 2
    assert second.stderr.count("\n") == 1
    assert f"process {first.process.pid} on " in second.stderr
    assert f"http://localhost:{first.port}/" in second.stderr
    assert f"accepted: a folder of its own for each, such as --state {state}-2" in second.stderr
    assert added.returncode == 0
    first.kill()
    again = start_server("test:")
    again.send_signal(signal.SIGHUP)
    assert again.wait() == 0


def test_web_and_camera_nodes_may_share_a_folder(tmp_path: Path) -> None:
    """The two keep different files there; two nodes of the same kind may not share a folder."""
    FolderLock(tmp_path, "cameras").tell("redis://bus")
    FolderLock(tmp_path, "web")

    for use in ("cameras", "web"):
        with pytest.raises(
            ConfigError, match=rf"in use by another Porthole \(process {os.getpid()}"
        ):
            FolderLock(tmp_path, use)  # type: ignore[arg-type]


def test_lock_file_contents_are_not_trusted(tmp_path: Path) -> None:
    """Whatever the lock file contains, the message is one line of plain text."""
    FolderLock(tmp_path, "web")
    (tmp_path / "web.lock").write_bytes(b"1 \x1b[31mhost\n2 x y\n")

    with pytest.raises(ConfigError, match="in use by another Porthole; accepted"):
        FolderLock(tmp_path, "web")


@pytest.mark.parametrize(
    ("name", "mode"), [("", 0o777), ("", 0o770), ("people.json", 0o644), ("state.json", 0o666)]
)
def test_files_open_to_other_accounts_are_reported(
    tmp_path: Path, name: str, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Users see a warning, and the log has the command that fixes it."""
    folder = tmp_path / "a state"
    folder.mkdir(mode=0o755)
    path = folder / name
    if name:
        path.write_text("{}")
    path.chmod(mode)

    faults = find_faults(folder)

    assert faults == ["The state folder is open to other accounts of this machine; see the log"]
    command = re.search(r"run `(.*)`", caplog.text)
    assert command
    subprocess.run(command[1], shell=True, check=True)
    assert find_faults(folder) == []


def test_safe_folder_is_not_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Files that others can only read, as earlier versions made them, cause no warning."""
    (tmp_path / "state.json").write_text("{}")
    (tmp_path / "state.json").chmod(0o644)
    tmp_path.chmod(0o755)

    with caplog.at_level(logging.INFO):
        assert find_faults(tmp_path) == []
    assert not caplog.records


def test_nohup_server_outlives_its_terminal() -> None:
    """A server that was started to ignore SIGHUP keeps ignoring it."""
    code = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); import manage\n"
        "manage.shut_down_by_signal(lambda: None)\n"
        "assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN\n"
        "assert callable(signal.getsignal(signal.SIGTERM))"
    )

    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=30, check=False)

    assert ended.returncode == 0
