"""The whole process: how it ends, what it leaves behind, how it restarts, what it reports."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.cameras.bad_camera import BadCamera, MakeCamera
from tests.support.clients.board import Board
from tests.support.clients.client import Crowd, MjpegViewer, Viewer
from tests.support.clients.fetch import get, status_of
from tests.support.servers.processes import children_of
from tests.support.servers.server import FORK_SERVER, ROOT, PortholeServer, last_event, wait_until

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

OBSERVED = "tests.support.servers.observed"

# From the issue.
SHUTDOWN_S = 5.0


def figures_of(server: PortholeServer) -> dict[tuple[str, str], float]:
    """Return ``/metrics`` as Prometheus parses it, by name and camera."""
    families = text_string_to_metric_families(get(server, "metrics"))
    return {
        (sample.name, sample.labels.get("camera", "")): sample.value
        for family in families
        for sample in family.samples
        if set(sample.labels) <= {"camera"}
    }


def test_sigterm_shuts_everything_down_in_time(
    start_server: Start, connect: Connect, make_camera: MakeCamera
) -> None:
    """With 50 dashboards, 5 MJPEG viewers and stuck cameras, SIGTERM exits with 0 within 5 s.

    One camera's process is stopped in mid-stream; another never gets its source open. A second
    SIGTERM in the meantime changes nothing, and no camera process is left.
    """
    stuck, hole = make_camera(), make_camera()
    server = start_server(
        *("test:?size=320x180", f"stuck={stuck.url()}", f"hole={hole.url()}"),
        *("--read-timeout", "30"),
        own_children=True,
    )
    board = Board(connect(server), "test", "stuck")
    board.until_live("test", "stuck")
    hole.fault = "black hole"
    board.viewer.emit("watch", {"camera": "hole"})
    viewers = [connect(server) for _ in range(49)]
    for viewer in viewers:
        viewer.emit("watch", {"camera": "test"})
        viewer.emit("watch", {"camera": "stuck"})
    feeds = [MjpegViewer("127.0.0.1", server.port, path="/video_feed/test") for _ in range(5)]
    crowd = Crowd()
    for feed in feeds:
        feed.connect()
    for connection in (board.viewer, *viewers, *feeds):
        crowd.add(connection)
    crowd.run(20, until=lambda: all(len(one.arrivals) >= 3 for one in (*viewers, *feeds)))
    assert all(len(one.arrivals) >= 3 for one in (*viewers, *feeds))
    children = wait_until(lambda: len(found := children_of(server)) == 2 and found)
    for child in children:
        child.send_signal(signal.SIGSTOP)

    reading = threading.Thread(target=crowd.run, args=(SHUTDOWN_S,))
    reading.start()
    asked = time.monotonic()
    server.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    server.send_signal(signal.SIGTERM)
    code = server.wait(SHUTDOWN_S + 10)
    took_s = time.monotonic() - asked
    reading.join()
    for feed in feeds:
        feed.close()

    assert code == 0
    assert took_s < SHUTDOWN_S
    wait_until(lambda: not any(map(runs, children)))


def runs(process: psutil.Process) -> bool:
    """Return whether a process is running and not a zombie."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_killed_server_leaves_no_processes_and_keeps_settings(
    start_server: Start, connect: Connect, make_camera: MakeCamera
) -> None:
    """After SIGKILL no camera process survives, and a restart has the same settings."""
    camera = make_camera()
    options = ("test:?size=320x180", f"door={camera.url()}")
    server = start_server(*options, own_children=True)
    board = Board(connect(server), "test", "door")
    board.until_live("test", "door")
    for event, more in (("fps", {"fps": 7}), ("quality", {"quality": 42})):
        assert board.viewer.call(event, {"camera": "door"} | more)["ok"]
    board.viewer.call("stop", {"camera": "test"})
    state = Path(server.process.args[4]) / "state.json"  # type: ignore[index,call-overload]
    wait_until(lambda: state.exists() and "stopped" in state.read_text())
    children = children_of(server)
    assert children
    children[0].send_signal(signal.SIGSTOP)

    server.kill()
    wait_until(lambda: not any(map(runs, children)))
    again = start_server(*options)
    after = Board(connect(again), "test", "door")
    after.until_live("door")

    assert (after.state("door")["fps"], after.state("door")["quality"]) == (7, 42)
    assert after.state("test")["state"] == "stopped"


def test_killed_server_leaves_a_complete_state_file(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """However often the server is killed in the middle of changes, the file is complete JSON."""
    chance = random.Random(1)
    path = tmp_path / "state" / "state.json"
    for _ in range(2):
        server = start_server("test:?size=320x180")
        viewer = connect(server)
        until = time.monotonic() + chance.uniform(0.2, 0.6)
        quality = 0
        while time.monotonic() < until:
            quality = quality % 100 + 1
            viewer.emit("quality", {"camera": "test", "quality": quality})
            viewer.emit("fps", {"camera": "test", "fps": quality})
            time.sleep(0.02)
        wait_until(path.exists)
        server.kill()

        assert 1 <= json.loads(path.read_text())["cameras"]["test"]["quality"] <= 100


def test_kill_while_saving_leaves_a_readable_file(tmp_path: Path) -> None:
    """Killed twenty times while it does nothing but save, the file stays complete and readable."""
    # One process imports, and forks those that save.
    code = (
        "import itertools, os, sys; from pathlib import Path; from server.state import StateFile\n"
        "for _ in sys.stdin:\n"
        "    if pid := os.fork():\n"
        "        os.waitid(os.P_PID, pid, os.WEXITED); print('killed', flush=True)\n"
        "        continue\n"
        "    file = StateFile(Path(sys.argv[1])); file.load(); print(os.getpid(), flush=True)\n"
        "    for number in itertools.count():\n"
        "        file.save({'number': number, 'more': 'x' * 100_000})\n"
    )
    path = tmp_path / "state.json"
    chance = random.Random(2)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(20):
            process.stdin.write("\n")
            pid = int(process.stdout.readline())
            wait_until(path.exists)
            time.sleep(chance.uniform(0, 0.05))
            os.kill(pid, signal.SIGKILL)
            assert process.stdout.readline() == "killed\n"

            assert len(json.loads(path.read_text())["more"]) == 100_000


@pytest.mark.parametrize(
    "content",
    [b"", b'{"cameras": {"test": {"qua', b"\xff\xfe\x00", b"[" * 100_000, b"[]", None],
    ids=["empty", "half", "binary", "deep", "a list", "a folder"],
)
def test_server_starts_with_a_broken_state_file(
    start_server: Start, connect: Connect, tmp_path: Path, content: bytes | None
) -> None:
    """An unreadable file is set aside; the server starts, and saves later changes."""
    path = tmp_path / "state" / "state.json"
    path.parent.mkdir()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
        path.with_suffix(".new").write_bytes(content)

    server = start_server("test:?size=320x180")
    viewer = connect(server)
    viewer.call("quality", {"camera": "test", "quality": 33})

    wait_until(lambda: path.is_file() and "33" in path.read_text(errors="replace"))
    assert json.loads(path.read_text())["cameras"]["test"]["quality"] == 33
    assert path.with_suffix(".broken").exists()
    assert "set aside" in "\n".join(server.log)


def test_unusable_state_folder_is_an_error_at_startup(tmp_path: Path) -> None:
    """A file in place of the folder gives one line and exit code 2."""
    (tmp_path / "state").write_text("")

    ended = FORK_SERVER.run(["run", "--port", "0", "--state", str(tmp_path / "state")], {})

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "--state" in ended.stderr


def test_vanished_state_folder_is_reported(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """Changes apply although they cannot be saved, and dashboards get a notice."""
    server = start_server("test:?size=320x180")
    board = Board(connect(server), "test")
    board.until_live("test")
    (tmp_path / "state").rename(tmp_path / "moved")
    (tmp_path / "state").write_text("")

    assert board.viewer.call("quality", {"camera": "test", "quality": 44})["ok"]
    board.until(lambda: (last_event(board.viewer, "notice") or {}).get("level") == "error")
    board.until_live("test")

    assert "will not survive a restart" in last_event(board.viewer, "notice")["message"]
    board.until(lambda: board.state("test")["quality"] == 44)
    (tmp_path / "state").unlink()
    (tmp_path / "moved").rename(tmp_path / "state")


def test_blocked_hub_is_detected(start_server: Start, connect: Connect) -> None:
    """A hub blocked for 3 s has its stacks dumped, is counted and not ready, and then recovers."""
    server = start_server("test:?size=320x180", module=OBSERVED)
    board = Board(connect(server), "test")
    board.until_live("test")
    assert status_of(server, "readyz") == (200, "ok\n")

    server.send_signal(signal.SIGUSR2)
    wait_until(lambda: any("has been blocked" in line for line in server.log))
    seen = wait_until(lambda: "lags" in (said := status_of(server, "readyz"))[1] and said)
    wait_until(lambda: status_of(server, "readyz")[0] == 200)
    board.until_live("test")

    dump = "\n".join(server.log)
    assert "in stand_still" in dump
    assert seen[0] == 503
    assert "event loop lags" in seen[1]
    wait_until(lambda: figures_of(server)["porthole_hub_hangs", ""] == 1)
    assert board.stats()["process"]["hangs"] == 1


def test_watchdog_works_without_standard_error(tmp_path: Path) -> None:
    """With standard error discarded, the watchdog keeps working and counts more than one hang."""
    process = subprocess.Popen(
        [sys.executable, "-m", OBSERVED, "run", "--port", "0", "--state", str(tmp_path), "test:"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().rstrip("/\n").rpartition(":")[2]

        def hangs() -> int:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                text = answer.read().decode()
            found = re.search(r"^porthole_hub_hangs (\d+)", text, re.MULTILINE)
            return int(found[1]) if found else 0

        assert hangs() == 0
        for count in (1, 2):
            process.send_signal(signal.SIGUSR2)
            wait_until(lambda count=count: hangs() == count)
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def test_saving_creates_no_second_hub(start_server: Start, connect: Connect) -> None:
    """Native threads that write files need no event loop: there is one epoll descriptor.

    eventlet's green ``os.open`` used to make a hub, with an epoll descriptor, on every thread of
    the pool.
    """
    server = start_server("test:?size=320x180")
    viewer = connect(server)
    for quality in range(1, 40):
        viewer.call("quality", {"camera": "test", "quality": quality})

    folder = f"/proc/{server.process.pid}/fd"
    targets = []
    for number in os.listdir(folder):
        try:
            targets.append(os.readlink(f"{folder}/{number}"))
        except FileNotFoundError:
            pass  # Closed between listing and reading.

    assert targets.count("anon_inode:[eventpoll]") == 1


def test_readiness_follows_the_watched_cameras(
    start_server: Start, connect: Connect, make_camera: MakeCamera
) -> None:
    """A watched camera that is not live makes 503; an unwatched one does not."""
    camera: BadCamera = make_camera()
    camera.disappear()
    server = start_server("test:", f"door={camera.url()}", "--read-timeout", "2")
    assert status_of(server, "readyz") == (200, "ok\n")
    board = Board(connect(server), "test", "door")

    failing = wait_until(lambda: (said := status_of(server, "readyz"))[0] == 503 and said)
    board.viewer.call("stop", {"camera": "door"})
    stopped = wait_until(lambda: (said := status_of(server, "readyz"))[0] == 200 and said)
    board.viewer.call("start", {"camera": "door"})
    wait_until(lambda: status_of(server, "readyz")[0] == 503)
    camera.appear()
    board.until_live("door")

    assert failing[1].startswith("door: ")
    assert "test" not in failing[1]
    assert stopped[1] == "ok\n"
    wait_until(lambda: status_of(server, "readyz")[0] == 200)


def test_metrics_agree_with_the_stats_event(start_server: Start, connect: Connect) -> None:
    """Prometheus's own parser reads them, and they equal the ``stats`` event."""
    server = start_server("test:?size=320x180", "other=test:?size=320x180")
    board = Board(connect(server), "test", "other")
    board.until_live("test", "other")
    board.viewer.call("fps", {"camera": "test", "fps": -1})

    before, figures, after = board.stats(), figures_of(server), board.stats()

    names = {"captured": "captured_frames", "encoded": "encoded_frames", "sent": "sent_frames"}
    for camera in ("test", "other"):
        for key, name in names.items():
            value = figures[f"porthole_{name}_total", camera]
            assert before["cameras"][camera][key] <= value <= after["cameras"][camera][key]
        assert figures["porthole_viewers", camera] == before["cameras"][camera]["viewers"] == 1
    assert figures["porthole_connections", ""] == before["process"]["connections"] == 1
    assert figures["porthole_hub_hangs", ""] == before["process"]["hangs"] == 0
    assert figures["porthole_open_descriptors", ""] == pytest.approx(
        before["process"]["descriptors"], abs=3
    )
    assert figures["porthole_resident_memory_bytes", ""] == pytest.approx(
        psutil.Process(server.process.pid).memory_info().rss, rel=0.3
    )
    refused = re.search(
        r'porthole_refused_total\{reason="bad_request"\} (\S+)', get(server, "metrics")
    )
    assert refused
    assert float(refused[1]) == before["process"]["refused"]["bad_request"] == 1
    assert 'porthole_camera_state{camera="test",state="live"} 1.0' in get(server, "metrics")
