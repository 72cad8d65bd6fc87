"""The wire contract, with a whole server over real sockets."""

import json
import socket
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from socketio import packet as socketio_packet
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side

from server.app import App, create_app
from server.config.load import load_settings
from server.loop import hub
from server.protocol import websocket_frame
from server.web.socket import broadcast
from server.web.socket.websocket import WebSocket
from tests.support.fakes import settle, until

SOURCE = "door=test:?size=128x72&fps=100"


class Dashboard:
    """A Socket.IO client that reads with python-socketio's own packets, in a green thread."""

    def __init__(self, port: int) -> None:
        self.events: list[tuple[str, Any]] = []
        self.frames: list[tuple[dict[str, Any], bytes]] = []
        self.replies: dict[int, Any] = {}
        self.ended = False
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setblocking(False)
        self._protocol = Protocol(Side.CLIENT, max_size=None)
        self._count = 0
        self._partial: socketio_packet.Packet | None = None
        self.sock.send(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        self._open = False
        self._reader = hub.spawn(self._read)
        until(lambda: self._open)  # No message may be sent before the upgrade is answered.
        self.raw("40")
        until(lambda: self.seen("hello"))

    def raw(self, text: str) -> None:
        self._protocol.send_text(text.encode())
        self.sock.send(b"".join(self._protocol.data_to_send()))

    def ask(self, event: str, *arguments: object) -> Any:
        """Send an event and return its answer."""
        self._count += 1
        number = self._count
        self.raw(f"42{number}" + json.dumps([event, *arguments]))
        until(lambda: number in self.replies)
        return self.replies[number]

    def seen(self, event: str) -> list[Any]:
        return [payload for name, payload in self.events if name == event]

    def close(self) -> None:
        self._reader.kill()
        settle(3)
        self.sock.close()

    def _read(self) -> None:
        head = b""
        while True:
            hub.wait_readable(self.sock)
            try:
                data = self.sock.recv(1 << 16)
            except ConnectionError:
                data = b""
            if not data:
                self.ended = True
                return
            if not self._open:
                head += data
                if b"\r\n\r\n" not in head:
                    continue
                assert head.startswith(b"HTTP/1.1 101 "), head
                data = head.partition(b"\r\n\r\n")[2]
                self._open = True
            self._protocol.receive_data(data)
            for frame in self._protocol.events_received():
                self._take(frame)

    def _take(self, frame: Any) -> None:
        if frame.opcode is Opcode.BINARY:
            assert self._partial is not None
            assert self._partial.add_attachment(bytes(frame.data))
            _, header, jpeg = self._partial.data
            self.frames.append((header, jpeg))
        elif frame.opcode is Opcode.TEXT and frame.data[:1] == b"4":
            packet = socketio_packet.Packet(encoded_packet=bytes(frame.data[1:]).decode())
            if packet.packet_type == socketio_packet.BINARY_EVENT:
                self._partial = packet
            elif packet.packet_type == socketio_packet.ACK:
                self.replies[packet.id] = packet.data[0]
            elif packet.packet_type == socketio_packet.EVENT:
                self.events.append((packet.data[0], packet.data[1]))


class Server:
    """A whole server in this process."""

    def __init__(self, folder: Path) -> None:
        self.app: App = create_app(load_settings([SOURCE], None, folder, {}, {}))
        self.listener = hub.listen("127.0.0.1", 0)
        self.task = hub.spawn(self.app.run, self.listener)
        self.port = self.listener.getsockname()[1]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """One camera, ``door``, the test pattern at 100 fps."""
    running = Server(tmp_path)
    yield running
    running.app.shut_down()
    assert running.task.join(6), "the server does not end"
    running.listener.close()
    settle()


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[[], Dashboard]]:
    """A function that connects another dashboard."""
    dashboards: list[Dashboard] = []

    def make() -> Dashboard:
        dashboards.append(Dashboard(server.port))
        return dashboards[-1]

    yield make
    for dashboard in dashboards:
        dashboard.close()


@pytest.fixture
def dashboard(connect: Callable[[], Dashboard]) -> Dashboard:
    """One connected dashboard."""
    return connect()


def test_hello_comes_first(dashboard: Dashboard) -> None:
    """The first event says version, role and every camera's STATE."""
    name, hello = dashboard.events[0]

    assert name == "hello"
    assert hello["version"] == 1
    assert hello["role"] == "operator"
    assert [camera["name"] for camera in hello["cameras"]] == ["door"]


def test_watching_brings_frames_in_order(dashboard: Dashboard) -> None:
    """A viewer that acknowledges gets frame after frame, each newer than the previous one."""
    answer = dashboard.ask("watch", {"camera": "door"})
    assert answer["ok"]
    assert answer["camera"]["viewers"] == 1

    for count in range(1, 11):
        until(lambda count=count: len(dashboard.frames) >= count)  # type: ignore[misc]
        last = dashboard.frames[-1][0]["seq"]
        dashboard.raw(f'42["ack","door",{last}]')

    seqs = [header["seq"] for header, _ in dashboard.frames]
    assert seqs == sorted(set(seqs))
    assert all(jpeg.startswith(b"\xff\xd8") for _, jpeg in dashboard.frames)
    assert set(dashboard.frames[0][0]) == {"camera", "seq", "at", "width", "height", "rendition"}


def test_viewer_without_acks_gets_two_frames(dashboard: Dashboard) -> None:
    """A viewer that does not acknowledge gets the window, and control events continue."""
    dashboard.ask("watch", {"camera": "door"})
    until(lambda: len(dashboard.frames) == 2)

    for _ in range(10):
        assert dashboard.ask("clock", {"t": 1.0})["ok"]

    assert len(dashboard.frames) == 2


def test_only_viewers_get_frames(connect: Callable[[], Dashboard]) -> None:
    """A connection that watches nothing gets none."""
    watching, neighbour = connect(), connect()
    watching.ask("watch", {"camera": "door"})
    until(lambda: len(watching.frames) == 2)

    neighbour.ask("clock", {"t": 0})

    assert neighbour.frames == []


def test_unwatch_removes_the_viewer(dashboard: Dashboard) -> None:
    """Its answer says that the camera has no viewer any more."""
    dashboard.ask("watch", {"camera": "door"})

    answer = dashboard.ask("unwatch", {"camera": "door"})

    assert answer["ok"]
    assert answer["camera"]["viewers"] == 0


@pytest.mark.parametrize(
    ("event", "arguments", "error"),
    [
        ("watch", [], "bad_request"),
        ("watch", [{"camera": "yard"}], "unknown_camera"),
        ("watch", [{"camera": "door", "rendition": "huge"}], "bad_request"),
        ("watch", [{"camera": "door"}, 1], "bad_request"),
        ("unwatch", [{"camera": "yard"}], "unknown_camera"),
        ("start", [None], "bad_request"),
        ("stop", [{"camera": 1}], "bad_request"),
        ("fps", [{"camera": "door", "fps": "5"}], "bad_request"),
        ("fps", [{"camera": "door", "fps": 0}], "bad_request"),
        ("quality", [{"camera": "door", "quality": 101}], "bad_request"),
        ("quality", [{"camera": "door"}], "bad_request"),
        ("clock", [{"t": float("nan")}], "bad_request"),
        ("notices", [{"since": "yesterday"}], "bad_request"),
        ("notices", [{"camera": "yard"}], "unknown_camera"),
        ("quit", ["now"], "bad_request"),
        ("nonsense", [], "bad_request"),
        ("message", [{}], "bad_request"),
    ],
)
def test_invalid_event_is_rejected_with_a_reason(
    dashboard: Dashboard, event: str, arguments: list[object], error: str
) -> None:
    """Every event that fails is answered with its code and a reason."""
    answer = dashboard.ask(event, *arguments)

    assert (answer["ok"], answer["error"]) == (False, error)
    assert answer["message"]
    assert dashboard.ask("clock", {"t": 0})["ok"], "the connection stays open"


def test_controls_reach_the_camera_and_all_dashboards(
    server: Server, connect: Callable[[], Dashboard]
) -> None:
    """The other dashboard gets one dashboard's change as a notice and as STATE."""
    one, other = connect(), connect()

    assert one.ask("fps", {"camera": "door", "fps": 5})["camera"]["fps"] == 5
    assert one.ask("quality", {"camera": "door", "quality": 33})["camera"]["quality"] == 33

    until(lambda: any(state["quality"] == 33 for state in other.seen("camera")))
    assert [notice["level"] for notice in other.seen("notice")] == ["info", "info"]
    assert (server.app.cameras["door"].fps, server.app.cameras["door"].quality) == (5, 33)


def test_restarted_camera_continues_with_larger_numbers(dashboard: Dashboard) -> None:
    """A stopped camera sends nothing; restarted, it continues with larger numbers."""
    dashboard.ask("watch", {"camera": "door"})
    until(lambda: len(dashboard.frames) == 2)
    last = dashboard.frames[-1][0]["seq"]

    assert dashboard.ask("stop", {"camera": "door"})["camera"]["state"] == "stopped"
    dashboard.raw(f'42["ack","door",{last}]')
    assert dashboard.ask("start", {"camera": "door"})["ok"]

    until(lambda: len(dashboard.frames) > 2)
    assert dashboard.frames[2][0]["seq"] > last


def test_clock_answers_both_times(dashboard: Dashboard) -> None:
    """The client's time comes back unchanged, with the server's."""
    answer = dashboard.ask("clock", {"t": 12.5})

    assert answer["t"] == 12.5
    assert answer["server"] > 1.6e9


def test_notices_are_replayed(dashboard: Dashboard, connect: Callable[[], Dashboard]) -> None:
    """A later client gets earlier notices as they were sent."""
    dashboard.ask("fps", {"camera": "door", "fps": 5})
    until(lambda: dashboard.seen("notice"))
    (notice,) = dashboard.seen("notice")
    late = connect()

    answer = late.ask("notices", {})

    assert (answer["ok"], answer["more"]) == (True, False)
    first, *_, last = answer["notices"]
    assert first["message"] == "The server was started"
    assert last == notice
    assert notice["camera"] == "door"
    assert late.ask("notices", {"since": notice["at"]})["notices"] == []
    assert late.ask("notices", {"camera": "door"})["notices"] == [notice]


def test_vanished_viewer_is_no_longer_counted(
    server: Server, connect: Callable[[], Dashboard]
) -> None:
    """A closed connection no longer counts as a viewer."""
    leaving = connect()
    leaving.ask("watch", {"camera": "door"})

    leaving.close()

    until(lambda: server.app.cameras["door"].describe()["viewers"] == 0)


@pytest.mark.parametrize("text", ["430[]", "x", '451-["frame",{}]', "6"])
def test_bad_packet_disconnects_only_its_sender(
    connect: Callable[[], Dashboard], text: str
) -> None:
    """A client that breaks the protocol is disconnected cleanly; the others notice nothing."""
    bad, good = connect(), connect()
    bad.ask("watch", {"camera": "door"})

    bad.raw(text)

    until(lambda: bad.ended)
    assert good.ask("unwatch", {"camera": "door"})["camera"]["viewers"] == 0


def test_quit_answers_and_ends_the_server(server: Server, dashboard: Dashboard) -> None:
    """``quit`` is answered first; then everything ends by itself."""
    assert dashboard.ask("quit", {}) == {"ok": True}

    assert server.task.join(5)
    until(lambda: dashboard.ended)
    assert server.app.cameras["door"].closed


def test_broadcast_is_built_once(
    server: Server, connect: Callable[[], Dashboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notice was encoded once per dashboard, a thousand times, and held up all frames."""
    dashboards = [connect() for _ in range(5)]
    built = []

    def note(opcode: int, payload: bytes) -> tuple[bytes, bytes]:
        built.append(payload)
        return websocket_frame(opcode, payload)

    monkeypatch.setattr(broadcast, "websocket_frame", note)
    server.app.runtime.notify("info", "once", None)
    until(lambda: all(has_notice(one, "once") for one in dashboards))

    assert sum(b'"once"' in payload for payload in built) == 1


def test_broadcast_is_written_in_batches(
    server: Server, connect: Callable[[], Dashboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notice to a thousand dashboards held up all cameras' frames until it was sent."""
    monkeypatch.setattr(broadcast, "BATCH", 2)
    dashboards = [connect() for _ in range(6)]
    order: list[str] = []
    send_built = WebSocket.send_built

    def note(websocket: WebSocket, data: bytes) -> None:
        if b'"in turns"' in data:
            order.append("sent")
        send_built(websocket, data)

    def others() -> None:
        while True:
            order.append("others")
            hub.sleep(0)

    monkeypatch.setattr(WebSocket, "send_built", note)
    task = hub.spawn(others)
    server.app.runtime.notify("info", "in turns", None)
    until(lambda: all(has_notice(one, "in turns") for one in dashboards))
    task.kill()

    begin, end = order.index("sent"), len(order) - order[::-1].index("sent")
    runs = [len(list(run)) for name, run in groupby(order[begin:end]) if name == "sent"]
    assert runs == [2, 2, 2]


def test_a_state_is_written_with_the_next_frame(
    server: Server, connect: Callable[[], Dashboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a thousand dashboards, states took as many writes as half their frames.

    A dashboard that watches nothing gets no frames, and is sent the state immediately.
    """
    monkeypatch.setattr(broadcast, "MAX_HOLD_S", 60.0)
    watching, other = connect(), connect()
    watching.ask("watch", {"camera": "door"})
    until(lambda: len(watching.frames) == 2)  # It owes two acknowledgements.

    other.ask("quality", {"camera": "door", "quality": 33})
    server.app.runtime.notify("info", "the news", None)
    until(lambda: quality(other) == 33 and has_notice(other, "the news"))
    settle(3)
    assert quality(watching) != 33
    assert not has_notice(watching, "the news")
    watching.raw(f'42["ack","door",{watching.frames[-1][0]["seq"]}]')
    until(lambda: len(watching.frames) > 2)

    assert quality(watching) == 33
    assert has_notice(watching, "the news")


def test_a_state_does_not_wait_long_for_a_frame(
    server: Server, connect: Callable[[], Dashboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no frame comes, a held message is sent by itself."""
    monkeypatch.setattr(broadcast, "MAX_HOLD_S", 0.05)
    watching = connect()
    watching.ask("watch", {"camera": "door"})
    until(lambda: len(watching.frames) == 2)

    connect().ask("quality", {"camera": "door", "quality": 33})

    until(lambda: quality(watching) == 33)
    assert len(watching.frames) == 2


def quality(dashboard: Dashboard) -> int | None:
    """Return a camera's quality as a dashboard last received it; None before."""
    states = dashboard.seen("camera")
    return states[-1]["quality"] if states else None


def test_waiting_messages_are_sent_before_shutdown(
    server: Server, connect: Callable[[], Dashboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last notice before a shutdown is the one that people want to see."""
    monkeypatch.setattr(broadcast, "BATCH", 1)
    dashboards = [connect() for _ in range(5)]

    server.app.runtime.notify("info", "the last word", None)
    server.app.shut_down()
    until(lambda: all(one.ended for one in dashboards))

    assert all(has_notice(one, "the last word") for one in dashboards)


def has_notice(dashboard: Dashboard, message: str) -> bool:
    """Return whether a dashboard has received a notice."""
    return message in [notice["message"] for notice in dashboard.seen("notice")]
