"""Cameras that are commands, in a real server."""

import shlex
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.support.clients.client import Viewer
from tests.support.clients.states import state_of
from tests.support.servers.server import PortholeServer, wait_until

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

PICTURES = "ffmpeg -v error -re -f lavfi -i testsrc=size=320x180:rate=10 -f mjpeg -"


def wait_for_state(viewer: Viewer, camera: str, state: str) -> dict[str, object]:
    viewer.pump(lambda: (state_of(viewer, camera) or {}).get("state") == state, 20)
    told: dict[str, object] = state_of(viewer, camera)
    return told


def family(file: Path) -> list[psutil.Process]:
    """Return the shell whose process id is in a file, and its descendants."""
    shell = psutil.Process(int(wait_until(lambda: file.exists() and file.read_text().strip())))
    return [shell, *shell.children(recursive=True)]


def gone(processes: list[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


def test_command_ends_with_its_camera(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """The command and its descendants end when its camera stops, and when the server is killed.

    A killed server can no longer end anything, so the kernel does.
    """
    file = tmp_path / "pid"
    script = f"echo $$ > {file}; {PICTURES} & wait"
    server = start_server(f"cam=exec:sh -c {shlex.quote(script)}")
    viewer = connect(server)
    viewer.call("watch", {"camera": "cam"})
    state = wait_for_state(viewer, "cam", "live")
    first = family(file)

    viewer.call("stop", {"camera": "cam"})
    wait_until(lambda: gone(first))
    file.unlink()
    viewer.call("start", {"camera": "cam"})
    wait_for_state(viewer, "cam", "live")
    second = family(file)
    server.kill()
    wait_until(lambda: gone(second))

    assert len(first) == len(second) == 2
    assert (state["width"], state["height"]) == (320, 180)


def test_failed_command_is_retried_and_its_reason_shown(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """The reason is the command's last line without the password, and the camera recovers."""
    (tmp_path / "camera.sh").write_text("#!/bin/sh\necho $2 is wrong >&2; exit 9\n")
    (tmp_path / "camera.sh").chmod(0o755)
    server = start_server(
        f"cam=exec:{tmp_path}/camera.sh --password hunter2", "gone=exec:no-such", "usb=device:63"
    )
    viewer = connect(server)
    viewer.call("watch", {"camera": "cam"})

    state = wait_for_state(viewer, "cam", "retrying")
    (tmp_path / "camera.sh").write_text(f"#!/bin/sh\nexec {PICTURES}\n")
    wait_for_state(viewer, "cam", "live")

    assert state["reason"] == "the command ended with exit code 9: ··· is wrong"
    assert "hunter2" not in str(viewer.events)
    assert "hunter2" not in "\n".join(server.log)
    told = [line for line in server.log if line.startswith("porthole: ")]
    later = "it is tried again while somebody watches"
    assert told[0] == (
        "porthole: camera gone: there is no program no-such; install it, or give its path; " + later
    )
    assert told[1].startswith("porthole: camera usb: /dev/video63 does not exist; devices here: ")
    assert "did you mean" not in told[1]
