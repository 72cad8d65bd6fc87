"""Cameras that hang, crash or send nonsense, seen from the dashboard of a whole server."""

import json
import re
import signal
import time
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

import psutil
import pytest

from tests.support.cameras.bad_camera import BadCamera, MakeCamera
from tests.support.clients.board import Board
from tests.support.clients.client import Viewer
from tests.support.clients.fetch import get
from tests.support.servers.processes import child_for, children_of
from tests.support.servers.server import (
    FORK_SERVER,
    PATIENCE_S,
    PortholeServer,
    each_time,
    wait_until,
)
from tests.system.faults.conftest import OPTIONS, READ_TIMEOUT_S

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

# Allowed beyond two read time-outs: the time to report a state, on a loaded machine.
REPORT_S = 1.0

PASSWORD = "s3cret-of-the-yard"


def test_failing_camera_processes_do_not_affect_others(
    start_server: Start, connect: Connect, make_camera: MakeCamera
) -> None:
    """SIGSTOP and SIGKILL in mid-stream affect one camera each: the others lose no frame.

    Both are shown stalled or retrying within two read time-outs, and recover by themselves.
    """
    # Slow enough that a viewer loses no frame just because the machine is busy.
    stopped, killed, steady = (make_camera(fps=8) for _ in range(3))
    server = start_server(
        *(f"stopped={stopped.url()}", f"killed={killed.url()}", f"steady={steady.url()}"),
        "test:?size=320x180&fps=8",
        *OPTIONS,
    )
    names = ("stopped", "killed", "steady", "test")
    board = Board(connect(server), *names)

    def hit() -> None:
        board.until_live(*names)
        _fail_two_and_check_the_others(server, board, stopped, killed)

    each_time(hit)


def _fail_two_and_check_the_others(
    server: PortholeServer, board: Board, stopped: BadCamera, killed: BadCamera
) -> None:
    others = ("steady", "test")
    before, at_start = board.stats()["cameras"], {name: board.arrivals[name][-1] for name in others}

    victims = child_for(server, stopped), child_for(server, killed)
    assert victims[0]
    assert victims[1]
    victims[0].send_signal(signal.SIGSTOP)
    victims[1].send_signal(signal.SIGKILL)
    hit = time.monotonic()
    # The killed one is back within a second.
    shown = [board.until_state(name, "stalled", "retrying") for name in ("killed", "stopped")]
    took_s = time.monotonic() - hit
    board.until_live("stopped", "killed")
    after = board.stats()["cameras"]

    assert took_s < 2 * READ_TIMEOUT_S + REPORT_S
    assert all(state["reason"] for state in shown)
    assert wait_until(lambda: not victims[0].is_running() and not victims[1].is_running())
    for name in others:
        arrivals = [
            (seq, at) for seq, at in board.arrivals[name] if seq > at_start[name][0] and at >= hit
        ]
        captured = after[name]["captured"] - before[name]["captured"]
        # Every captured frame came through, and none waited for the hanging cameras.
        assert len(board.arrivals[name]) > 0
        assert arrivals[-1][0] - arrivals[0][0] + 1 <= captured + 5
        assert len(arrivals) > 0.95 * (arrivals[-1][0] - arrivals[0][0])
        assert max(later - earlier for (_, earlier), (_, later) in pairwise(arrivals)) < 1.0
        assert after[name]["lost"] == before[name]["lost"]


def test_lost_camera_states_its_reason_and_recovers(
    start_server: Start, connect: Connect, make_camera: MakeCamera
) -> None:
    """Each way to lose a camera is shown with its reason; once repaired, it is live again."""
    said = {
        "stalls": r"no picture|sent nothing",
        "hangs-up": r"stream ended|cannot be reached|answers 503",
        "refuses": r"503",
        "vanishes": r"Connection refused",
        "says-nothing": r"sends nothing|did not answer|hung|answers, but sends no video",
    }
    cameras = {name: make_camera() for name in said}
    server = start_server(*(f"{name}={one.url()}" for name, one in cameras.items()), *OPTIONS)
    board = Board(connect(server), *said)
    board.until_live(*said)

    cameras["stalls"].fault = "stall"
    for name in ("hangs-up", "refuses"):
        cameras[name].fault = "refuse"
        cameras[name].hang_up()
    cameras["vanishes"].disappear()
    cameras["says-nothing"].fault = "black hole"
    cameras["says-nothing"].hang_up()
    seen: dict[str, set[str]] = defaultdict(set)

    def all_said() -> bool:
        for name in said:
            state = board.state(name)
            if state["state"] in ("stalled", "retrying"):
                seen[name].add(state["reason"])
        return all(re.search(said[name], " ".join(seen[name])) for name in said)

    board.until(all_said, 30)
    ready = get(server, "readyz")
    cameras["vanishes"].appear()
    for camera in cameras.values():
        camera.fault = "none"
    board.until_live(*said)

    assert all(name in ready for name in said)
    wait_until(lambda: get(server, "readyz") == "ok\n")


def test_unresponsive_host_times_out_and_recovers(
    start_server: Start, connect: Connect, make_camera: MakeCamera
) -> None:
    """A host that accepts connections and never answers is given up after a time-out."""
    camera = make_camera()
    camera.fault = "black hole"
    server = start_server(f"hole={camera.url()}", *OPTIONS)
    board = Board(connect(server), "hole")

    retrying = board.until_state("hole", "retrying")
    camera.fault = "none"
    board.until_live("hole")

    assert "127.0.0.1" in retrying["reason"]


def test_server_stays_responsive_with_all_sources_stuck(
    start_server: Start, connect: Connect, make_camera: MakeCamera
) -> None:
    """With every process stopped and every stream silent, pages and controls still answer.

    Stop, start and fps during a stuck read are answered too, and all cameras come back.
    """
    names = [f"cam{number}" for number in range(5)]
    cameras = {name: make_camera(fps=10) for name in names}
    server = start_server(*(f"{name}={one.url()}" for name, one in cameras.items()), *OPTIONS)
    board = Board(connect(server), *names)
    board.until_live(*names)
    before_s = _answer_times(server, board, names)
    board.until_live(*names)

    for camera in cameras.values():
        camera.fault = "stall"
    for child in children_of(server):
        child.send_signal(signal.SIGSTOP)
    stuck_s = _answer_times(server, board, names)
    for camera in cameras.values():
        camera.fault = "none"
    board.until_live(*names)

    # A busy machine was just as slow before the cameras got stuck. A stop waits for its device,
    # which a stopped process holds for half a second more.
    assert median(stuck_s) < median(before_s) + 0.5
    assert max(stuck_s) < max(before_s) + 4
    assert {board.state(name)["fps"] for name in names} == {9}


def _answer_times(server: PortholeServer, board: Board, names: Sequence[str]) -> list[float]:
    """Use every control, fetch the list of cameras, and return each answer's time in seconds."""
    took_s: list[float] = []
    for name in names:
        for event, more in (("fps", {"fps": 12}), ("stop", {}), ("start", {}), ("fps", {"fps": 9})):
            asked = time.monotonic()
            reply = board.viewer.call(event, {"camera": name} | more, timeout_s=2 * PATIENCE_S)
            took_s.append(time.monotonic() - asked)
            assert reply["ok"]
    asked = time.monotonic()
    assert json.loads(get(server, "api/cameras"))
    return [*took_s, time.monotonic() - asked]


@pytest.mark.parametrize(
    "source",
    [
        *("device:-1", "device:64", "device:true", "device:0x1", "device:"),
        *("concat:a.mp4|b.mp4", "subfile:,,start,0,end,9,,:/etc/passwd", "ftp://127.0.0.1/a.mp4"),
        *("data:text/plain,x", "pipe:0", "gopher://127.0.0.1/", "udp://127.0.0.1:5000", "http://"),
    ],
)
def test_forbidden_sources_are_rejected_at_startup(source: str, tmp_path: Path) -> None:
    """An index that crashes OpenCV and FFmpeg's own URL schemes are rejected in one line."""
    ended = FORK_SERVER.run(["run", "--port", "0", "--state", str(tmp_path), source], {})

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert "accepted: " in ended.stderr


def test_camera_password_never_leaks(
    start_server: Start, connect: Connect, make_camera: MakeCamera, tmp_path: Path
) -> None:
    """The camera receives it; no page, event, metric, log, file or process list shows it."""
    live, refusing, gone = make_camera(login=True), make_camera(), make_camera()
    refusing.fault = "refuse"
    gone.disappear()
    config = tmp_path / "porthole.toml"
    tables = {
        "live": live.url(f"ann:{PASSWORD}"),
        "query": live.url("ann:other") + f"?token={PASSWORD}",
        "refusing": refusing.url(f"ann:{PASSWORD}"),
        "gone": gone.url(f"ann:{PASSWORD}"),
        "file": f"{tmp_path}/nothing.mp4",
    }
    config.write_text(
        "".join(f'[[camera]]\nname = "{name}"\nsource = "{url}"\n' for name, url in tables.items())
    )
    server = start_server(
        "--config", str(config), "--log-level", "debug", *OPTIONS, own_children=True
    )
    board = Board(connect(server), *tables)
    board.until_live("live", "query")
    for name in ("refusing", "gone"):
        board.until_state(name, "retrying")
    child = child_for(server, live)
    assert child
    board.viewer.call("quality", {"camera": "live", "quality": 55})
    child.kill()
    # Both read the same camera: the process may belong to either.
    board.until(lambda: "retrying" in {board.state(name)["state"] for name in ("live", "query")})
    board.until_live("live", "query")

    paths = ("", "api/cameras", "metrics", "readyz", "video_feed/gone", "snapshot/refusing.jpg")
    shown = {path: get(server, path) for path in paths}
    processes = {}
    for process in (psutil.Process(), psutil.Process(server.process.pid), *children_of(server)):
        for file in ("cmdline", "environ"):
            processes[process.pid, file] = Path(f"/proc/{process.pid}/{file}").read_bytes()
    stats = board.stats()
    kept = server.kept()

    credentials = b64encode(f"ann:{PASSWORD}".encode()).decode()
    assert f"Basic {credentials}" in live.authorizations
    assert not [path for path, text in shown.items() if PASSWORD in text]
    assert PASSWORD not in str(board.viewer.events) + str(stats)
    assert PASSWORD not in "\n".join(server.log)
    assert not [where for where, data in (processes | kept).items() if PASSWORD.encode() in data]
    assert kept
