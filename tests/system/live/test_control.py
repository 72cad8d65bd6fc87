"""Control over the same socket as the frames, against a real server."""

import json
import signal
import socket
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import mean

import pytest

from tests.support.cameras.clip import make_clip
from tests.support.clients.client import Viewer
from tests.support.clients.states import state_of
from tests.support.servers.processes import children_of
from tests.support.servers.server import (
    FORK_SERVER,
    PortholeServer,
    each_time,
    last_event,
    wait_until,
)

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]


def test_hello_is_sent_once_and_first(start_server: Start, connect: Connect) -> None:
    """A new connection receives the version, its role and every camera's state."""
    server = start_server("test:", "other=test:")
    viewer = connect(server)

    viewer.pump(lambda: bool(viewer.events), 5)
    viewer.call("clock", {"t": 1})

    name, hello = viewer.events[0]
    assert name == "hello"
    assert [event for event, _ in viewer.events].count("hello") == 1
    assert hello["version"] == 1
    assert hello["role"] == "operator"
    assert [camera["name"] for camera in hello["cameras"]] == ["test", "other"]
    assert set(hello["cameras"][0]) >= {
        *("name", "title", "state", "reason", "since", "fps", "quality"),
        *("width", "height", "source_fps", "source", "viewers"),
    }


def test_fps_takes_effect_within_a_frame(start_server: Start, connect: Connect) -> None:
    """After `fps` the very next frames come at the new pace, down and up again."""
    server = start_server("test:?size=320x180")
    viewer = connect(server)
    viewer.call("watch", {"camera": "test"})
    viewer.pump(lambda: len(viewer.arrivals) >= 10, 10)

    def intervals_at(fps: int, count: int) -> list[float]:
        """Set a rate; return the intervals of this many frames, skipping one in flight."""
        reply = viewer.call("fps", {"camera": "test", "fps": fps})
        assert reply["ok"]
        assert reply["camera"]["fps"] == fps
        before = len(viewer.arrivals)
        viewer.pump(lambda: len(viewer.arrivals) >= before + count, 10)
        times = [arrival.at_unix for arrival in viewer.arrivals[before + 1 :]]
        return [later - earlier for earlier, later in pairwise(times)]

    def down_and_up() -> None:
        slow, fast = intervals_at(4, 5), intervals_at(30, 20)
        assert slow == pytest.approx([0.25] * len(slow), abs=0.1)
        assert mean(fast) < 0.1

    # A busy machine may capture nothing for a second.
    each_time(down_and_up)


def test_quality_takes_effect_with_the_next_frame(start_server: Start, connect: Connect) -> None:
    """Lower quality makes the next frames smaller."""
    server = start_server("test:")
    viewer = connect(server)
    viewer.call("watch", {"camera": "test"})
    viewer.pump(lambda: len(viewer.arrivals) >= 3, 10)
    before = viewer.arrivals[-1].size

    reply = viewer.call("quality", {"camera": "test", "quality": 10})
    count = len(viewer.arrivals)
    viewer.pump(lambda: len(viewer.arrivals) >= count + 3, 10)

    assert reply["camera"]["quality"] == 10
    # At most the frame that was being encoded still has the old quality.
    assert viewer.arrivals[count + 1].size < before * 0.8


def test_stop_releases_the_source_and_start_reopens_it(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """After the reply to `stop` the server no longer holds the file; `start` brings it back."""
    clip = make_clip(tmp_path / "clip.mp4")
    server = start_server(f"clip={clip}")
    viewer = connect(server)
    viewer.call("watch", {"camera": "clip"})
    viewer.pump(lambda: len(viewer.arrivals) >= 2, 10)
    # At the end of each loop the file is closed for a moment, until it is reopened.
    wait_until(lambda: str(clip) in held_files(server))

    stopped = viewer.call("stop", {"camera": "clip"})
    after_stop = held_files(server)
    count, last = len(viewer.arrivals), viewer.arrivals[-1].seq
    started = viewer.call("start", {"camera": "clip"})
    viewer.pump(lambda: len(viewer.arrivals) >= count + 2, 10)

    assert stopped["camera"]["state"] == "stopped"
    assert str(clip) not in after_stop
    assert started["ok"]
    assert viewer.arrivals[-1].seq > last


def test_changes_reach_other_dashboards(start_server: Start, connect: Connect) -> None:
    """One operator's changes reach the other, along with who made them."""
    server = start_server("test:")
    one, other = connect(server), connect(server)

    one.call("fps", {"camera": "test", "fps": 7})
    other.pump(lambda: (state_of(other, "test") or {}).get("fps") == 7, 5)
    one.call("stop", {"camera": "test"})
    other.pump(lambda: (state_of(other, "test") or {}).get("state") == "stopped", 5)

    notices = [data for event, data in other.events if event == "notice"]
    assert any("7 fps by 127.0.0.1" in notice["message"] for notice in notices)
    assert {notice["camera"] for notice in notices} == {"test"}


MALFORMED = [
    ("fps", "{}"),
    ("fps", "null"),
    ("fps", "[]"),
    ("fps", '"test"'),
    ("fps", '{"camera":"test"}'),
    ("fps", '{"camera":"test","fps":NaN}'),
    ("fps", '{"camera":"test","fps":Infinity}'),
    ("fps", '{"camera":"test","fps":-1}'),
    ("fps", '{"camera":"test","fps":0}'),
    ("fps", '{"camera":"test","fps":true}'),
    ("fps", '{"camera":"test","fps":"30"}'),
    ("fps", '{"camera":"test","fps":1e999}'),
    ("fps", '{"camera":"test","fps":1' + "0" * 100 + "}"),
    ("fps", '{"camera":"test","fps":[30]}'),
    ("fps", '{"camera":"test","fps":null}'),
    ("fps", '{"camera":["test"],"fps":30}'),
    ("fps", '{"camera":"test","fps":30},{"camera":"test","fps":5}'),
    ("quality", '{"camera":"test","quality":0}'),
    ("quality", '{"camera":"test","quality":101}'),
    ("quality", '{"camera":"test","quality":50.5}'),
    ("quality", '{"camera":"test","quality":"50"}'),
    ("quality", '{"camera":"test","quality":true}'),
    ("watch", "{}"),
    ("watch", '{"camera":7}'),
    ("watch", '{"camera":"test","width":-1}'),
    ("watch", '{"camera":"test","width":"wide"}'),
    ("watch", '{"camera":"test","rendition":"enormous"}'),
    ("unwatch", '{"camera":{}}'),
    ("stop", "{}"),
    ("start", '{"camera":false}'),
    ("clock", "{}"),
    ("clock", '{"t":NaN}'),
    ("clock", '{"t":"noon"}'),
    ("no_such_event", "{}"),
]


def test_malformed_payloads_are_rejected(start_server: Start, connect: Connect) -> None:
    """Every malformed event gets bad_request, and the camera does not change."""
    server = start_server("test:?size=320x180")
    viewer, witness = connect(server), connect(server)
    witness.call("watch", {"camera": "test"})
    witness.pump(lambda: len(witness.arrivals) >= 3, 10)
    viewer.call("fps", {"camera": "test", "fps": 10})  # A measured rate would vary.
    before = viewer.call("unwatch", {"camera": "test"})["camera"]

    replies = []
    for number, (event, payload) in enumerate(MALFORMED, start=1000):
        viewer.send_text(f'42{number}["{event}",{payload}]')
        viewer.pump(lambda n=number: viewer.reply(n) is not None, 5)
        replies.append(viewer.reply(number))
    after = viewer.call("unwatch", {"camera": "test"})["camera"]
    count = len(witness.arrivals)
    witness.pump(lambda: len(witness.arrivals) > count, 5)

    for (event, payload), reply in zip(MALFORMED, replies, strict=True):
        assert reply["ok"] is False, (event, payload)
        assert reply["error"] == "bad_request", (event, payload)
        assert reply["message"]
    measured = {"source_fps": after["source_fps"], "source": after["source"]}
    assert after == before | measured


@pytest.mark.parametrize("event", ["watch", "unwatch", "start", "stop", "fps", "quality"])
def test_events_for_unknown_cameras_are_rejected(
    share_server: Start, connect: Connect, event: str
) -> None:
    """An event about a camera that does not exist gets `unknown_camera`."""
    viewer = connect(share_server("test:"))
    values = {"fps": {"fps": 5}, "quality": {"quality": 50}}.get(event, {})

    reply = viewer.call(event, {"camera": "nowhere", **values})

    assert (reply["ok"], reply["error"]) == (False, "unknown_camera")


def test_changes_survive_a_restart(start_server: Start, connect: Connect) -> None:
    """A new process keeps fps, quality and stopped cameras."""
    first = start_server("test:", "other=test:")
    viewer = connect(first)
    viewer.call("fps", {"camera": "test", "fps": 9})
    viewer.call("quality", {"camera": "test", "quality": 33})
    viewer.call("stop", {"camera": "other"})
    assert first.stop() == 0

    viewer = connect(start_server("test:", "other=test:"))
    viewer.pump(lambda: bool(last_event(viewer, "hello")), 5)

    test, other = last_event(viewer, "hello")["cameras"]
    assert (test["fps"], test["quality"], test["state"]) == (9, 33, "idle")
    assert test["set"] == {"fps": 9, "quality": 33}
    assert other["state"] == "stopped"


def test_changes_survive_a_kill(start_server: Start, connect: Connect, tmp_path: Path) -> None:
    """Confirmed and written changes survive kill -9."""
    first = start_server("test:")
    viewer = connect(first)
    file = tmp_path / "state" / "state.json"
    viewer.call("fps", {"camera": "test", "fps": 11})
    wait_until(lambda: file.exists() and json.loads(file.read_text()))
    first.kill()

    viewer = connect(start_server("test:"))
    viewer.pump(lambda: bool(last_event(viewer, "hello")), 5)

    assert last_event(viewer, "hello")["cameras"][0]["fps"] == 11


def test_broken_state_file_is_set_aside(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """A broken state file is set aside and reported, and the server starts."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.json").write_text('{"cameras": {"te')

    server = start_server("test:")

    assert connect(server).call("watch", {"camera": "test"})["ok"]
    assert (tmp_path / "state" / "state.broken").read_text() == '{"cameras": {"te'
    assert any("set aside" in line for line in server.log)


def test_quit_is_answered_and_ends_the_server(start_server: Start, connect: Connect) -> None:
    """`quit` is answered, then cameras and connections end and the process exits with 0."""
    server = start_server("test:", "other=test:")
    viewer, other = connect(server), connect(server)
    for camera in ("test", "other"):
        viewer.call("watch", {"camera": camera})
    viewer.pump(lambda: len(viewer.arrivals) >= 5, 5)

    reply = viewer.call("quit", {})

    assert reply == {"ok": True}
    assert server.wait(5) == 0
    with pytest.raises(ConnectionError):
        other.pump(lambda: False, 5)
    assert any("shut down" in data["message"] for name, data in other.events if name == "notice")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_the_server_cleanly(start_server: Start, connect: Connect, number: int) -> None:
    """SIGTERM, Ctrl-C and a closed terminal end the process with 0, with viewers connected."""
    server = start_server("test:")
    viewer = connect(server)
    viewer.call("watch", {"camera": "test"})
    with socket.create_connection(("127.0.0.1", server.port)) as feed:
        feed.sendall(b"GET /video_feed HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert feed.recv(1000).startswith(b"HTTP/1.1 200")

        server.send_signal(number)
        server.send_signal(number)

        assert server.wait(5) == 0


def test_taken_port_is_a_one_line_error(start_server: Start, tmp_path: Path) -> None:
    """A second server on the same port does not start, says so in one line, and exits with 2."""
    server = start_server("test:")

    second = FORK_SERVER.run(
        ["run", "--port", str(server.port), "--state", str(tmp_path / "second")], {}
    )

    assert second.returncode == 2
    assert len(second.stderr.splitlines()) == 1
    assert str(server.port) in second.stderr


def held_files(server: PortholeServer) -> set[str]:
    """Return the files that a server and its cameras' processes have open."""
    files = set()
    for pid in (server.process.pid, *(child.pid for child in children_of(server))):
        try:
            links = list(Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            continue  # The process has just ended.
        for link in links:
            try:
                files.add(str(link.readlink()))
            except OSError:
                pass  # Closed between listing and reading.
    return files
