"""The soak test's churn: viewers, attackers, operators and faults that come and go."""

import random
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from tests.support.cameras.bad_camera import BadCamera
from tests.support.clients.client import MjpegViewer, Viewer
from tests.support.clients.hostile import CONTINUATION, TEXT, Hostile, ask
from tests.support.servers.server import PortholeServer

__all__ = ["Churn"]


class Churn:
    """Viewers, attackers, operators and faults, each kind in its own threads, until stopped.

    Args:
        server: The server under test.
        cameras: The sources ``net0``, ``net1``, ... of the server, which also has ``test``,
            ``noise`` and, in H.264, ``film``.
        seed: For the random choices.
        children: Returns the server's camera processes, to suspend and kill them.

    Attributes:
        stopped: Set to end all threads.
        frames: Frames received by all viewers.
        visits: Actions so far.
        mishaps: Unexpected errors of the churn itself.
    """

    def __init__(
        self,
        server: PortholeServer,
        cameras: Sequence[BadCamera],
        seed: int,
        children: Callable[[], list[psutil.Process]],
    ) -> None:
        self.stopped = threading.Event()
        self.frames = 0
        self.visits = 0
        self.mishaps: list[str] = []
        self._server = server
        self._children = children
        self._cameras = cameras
        self._names = ["test", "noise", "film"]
        self._names += [f"net{number}" for number in range(len(cameras))]
        self._random = random.Random(seed)
        self._threads = [
            threading.Thread(target=self._repeat, args=(act,), daemon=True)
            for act, count in (
                (self._watch, 6),
                (self._watch_mjpeg, 3),
                (self._play, 1),
                (self._watch_slowly, 2),
                (self._watch_mutely, 2),
                (self._vanish, 3),
                (self._attack, 3),
                (self._operate, 1),
                (self._break_camera, len(cameras)),
                (self._kill_child, 1),
            )
            for _ in range(count)
        ]

    def start(self) -> None:
        """Start all threads."""
        self.stopped.clear()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop all threads, and repair the cameras."""
        self.stopped.set()
        for thread in self._threads:
            thread.join(60)
        for camera in self._cameras:
            camera.fault = "none"

    def _repeat(self, act: Callable[[], None]) -> None:
        while not self.stopped.is_set():
            try:
                act()
            except (OSError, ConnectionError, TimeoutError):
                pass  # Some actions provoke a disconnection.
            except Exception as error:  # noqa: BLE001  reported at the end; the churn continues
                self.mishaps.append(f"{act.__name__}: {error!r}")
            self.visits += 1
            self.stopped.wait(self._random.uniform(0.02, 0.3))

    def _some_cameras(self) -> list[str]:
        return self._random.sample(self._names, self._random.randint(1, 3))

    def _wish(self, name: str) -> dict[str, Any]:
        """Return a ``watch`` payload; two in three ask for video."""
        wish: dict[str, Any] = {"camera": name, "rendition": self._random.choice(("full", "auto"))}
        if self._random.random() < 0.67:
            wish |= {"video": ["h264"], "acks": self._random.choice((1, 4))}
        return wish

    def _stay(self, viewer: Any, low_s: float, high_s: float) -> None:
        """Read for a while, then leave; one in three does so without closing properly."""
        until = time.monotonic() + self._random.uniform(low_s, high_s)
        try:
            if isinstance(viewer, Viewer):
                over = lambda: self.stopped.is_set() or time.monotonic() >= until  # noqa: E731
                viewer.pump(over, high_s + 5)
            else:
                viewer.sock.settimeout(0.1)
                while not viewer.closed and time.monotonic() < until and not self.stopped.is_set():
                    viewer.read()
        finally:
            self.frames += len(viewer.arrivals)
            if self._random.random() < 0.33:
                break_off(viewer.sock)
            viewer.close()

    def _connected(self, **options: Any) -> Viewer:
        viewer = Viewer("127.0.0.1", self._server.port, **options)
        viewer.connect()
        return viewer

    def _watch(self) -> None:
        viewer = self._connected()
        try:
            for name in self._some_cameras():
                viewer.call("watch", self._wish(name))
            if self._random.random() < 0.3:
                viewer.call("unwatch", {"camera": self._random.choice(self._names)})
        except BaseException:
            viewer.close()
            raise
        self._stay(viewer, 0.5, 8)

    def _watch_mjpeg(self) -> None:
        path = f"/video_feed/{self._random.choice(self._names)}"
        viewer = MjpegViewer("127.0.0.1", self._server.port, path=path)
        viewer.connect()
        try:
            self._stay(viewer, 0.5, 8)
        except ValueError:
            pass  # No picture: the response was 503 instead of a stream.

    def _play(self) -> None:
        """Read the endless MP4 for a while, like a player, then disconnect."""
        sock = socket.create_connection(("127.0.0.1", self._server.port), 5)
        try:
            sock.sendall(b"GET /stream/film.mp4 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            until = time.monotonic() + self._random.uniform(0.1, 6)
            while time.monotonic() < until and sock.recv(65536):
                pass
        finally:
            sock.close()

    def _watch_slowly(self) -> None:
        viewer = self._connected(bytes_per_s=50_000, receive_buffer=8192)
        for name in self._some_cameras():
            viewer.emit("watch", self._wish(name))
        self._stay(viewer, 4, 10)

    def _watch_mutely(self) -> None:
        viewer = self._connected(ack="none")
        viewer.emit("watch", self._wish(self._random.choice(self._names)))
        self._stay(viewer, 5, 20)

    def _vanish(self) -> None:
        """Send a request and disconnect before, during or after the response."""
        choice = self._random.randrange(4)
        if choice == 0:
            sock = socket.create_connection(("127.0.0.1", self._server.port), 5)
            sock.sendall(b"GET /video_feed HTTP/1.1\r\nHost: localhost\r\n\r\n"[: choice or 60])
        elif choice == 1:
            sock = socket.create_connection(("127.0.0.1", self._server.port), 5)
            sock.sendall(b"GET /snapshot HTTP/1.1\r\nHost: local")
        else:
            hostile = Hostile(self._server.port, connected=choice == 2, receive_buffer=4096)
            sock = hostile.sock
            if choice == 2:
                hostile.send(b'42["watch",{"camera":"test"}]')
        self.stopped.wait(self._random.uniform(0, 0.5))
        if self._random.random() < 0.7:
            break_off(sock)
        sock.close()

    def _attack(self) -> None:
        choice = self._random.randrange(5)
        if choice == 0:
            ask(self._server.port, b"POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\nabcde", 5)
            return
        hostile = Hostile(self._server.port, receive_buffer=4096)
        try:
            hostile.send(b'42["watch",{"camera":"test"}]')
            if choice == 1:
                hostile.send(self._random.choice((b"x", b"43", b"451-[]", b"42[", b"\xff")))
                self.stopped.wait(0.2)
            elif choice == 2:
                for _ in range(200):
                    hostile.send(b'421["fps",{"camera":"test","fps":1e999}]')
            elif choice == 3:
                hostile.send(b"4", TEXT, fin=False)
                hostile.send_until_cut_off(bytes(1000), CONTINUATION, 1_000_000)
            else:
                until = time.monotonic() + 16
                while time.monotonic() < until and not self.stopped.wait(0.1):
                    hostile.send(b"3")
        finally:
            hostile.close()

    def _operate(self) -> None:
        """Change every setting; stopped cameras are soon started again."""
        viewer = self._connected()
        try:
            name = self._random.choice(self._names)
            viewer.call("fps", {"camera": name, "fps": self._random.choice((1, 5, 12, 30))})
            viewer.call("quality", {"camera": name, "quality": self._random.randint(20, 95)})
            if self._random.random() < 0.3:
                viewer.call("stop", {"camera": name}, timeout_s=10)
                self.stopped.wait(self._random.uniform(0.1, 2))
            viewer.call("start", {"camera": name})
        finally:
            viewer.close()
        self.stopped.wait(0.5)

    def _break_camera(self) -> None:
        camera = self._random.choice(self._cameras)
        if self._random.random() < 0.2:
            camera.hang_up()
        faults = ("stall", "frozen", "truncated", "empty", "garbage", "huge", "refuse")
        camera.fault = self._random.choice((*faults, "black hole"))  # type: ignore[assignment]
        self.stopped.wait(self._random.uniform(0.5, 6))
        camera.fault = "none"
        camera.size = self._random.choice(((320, 180), (640, 360), (200, 300)))
        self.stopped.wait(self._random.uniform(2, 6))

    def _kill_child(self) -> None:
        children = self._children()
        if children:
            how = self._random.choice((signal.SIGSTOP, signal.SIGKILL, signal.SIGSEGV))
            try:
                self._random.choice(children).send_signal(how)
            except psutil.NoSuchProcess:
                pass  # It has just ended.
        self.stopped.wait(self._random.uniform(2, 6))


def break_off(sock: socket.socket) -> None:
    """Make closing the socket send a reset, as if the program had crashed."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
