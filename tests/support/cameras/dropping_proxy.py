"""A TCP proxy in front of a camera that drops out in all the ways of cameras and networks.

It runs in a process of its own, so that it can be suspended and killed: ``python -m
tests.support.cameras.dropping_proxy CAMERA_PORT PORT``, where port 0 lets the system choose. It
prints its port. Each line on standard input names a way to drop out; it answers with the most
clients it has had at the same time.
"""

import random
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from typing import Literal, get_args

from tests.support.servers.server import ROOT

__all__ = ["DroppingProxy", "Way"]

Way = Literal[
    "good",
    "close",
    "reset",
    "stall",
    "refuse",
    "black hole",
    "garbage",
    "half a picture",
    "401",
    "404",
    "503",
    "suspend",
    "kill",
]
"""Its current behaviour, towards present and new clients."""

STATUSES = {"401": "Unauthorized", "404": "Not Found", "503": "Service Unavailable"}

# The first byte of TCP_INFO is the state.
ESTABLISHED = 1

# Half a picture, unless the picture is very small.
HALF_BYTES = 6000


class DroppingProxy:
    """The proxy, as a test or a tool uses it.

    Args:
        camera_port: Where the camera listens, on loopback.
    """

    def __init__(self, camera_port: int) -> None:
        self.most = 0
        """The most clients it has had at the same time."""
        self._camera_port = camera_port
        self._port = 0
        self._start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    def behave(self, way: Way) -> None:
        """Set the behaviour; return once it is in effect."""
        if way == "suspend":
            self._process.send_signal(signal.SIGSTOP)
        elif way == "kill":
            self._end()
        elif self._process.poll() is not None:
            assert way == "good"
            self._start()
        else:
            self._process.send_signal(signal.SIGCONT)
            assert self._process.stdin is not None
            self._process.stdin.write(way + "\n")
            self._process.stdin.flush()
            self.most = max(self.most, self._read_number())

    def close(self) -> None:
        """Stop for good."""
        self._end()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(self._camera_port), str(self._port)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._port = self._read_number()

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _read_number(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


class _Proxy:
    """The proxy in its own process."""

    def __init__(self, camera_port: int, port: int) -> None:
        self.way = "good"
        self.most = 0
        self.port = port
        self._camera_port = camera_port
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._listener: socket.socket | None = None
        self._listen()

    def behave(self, way: str) -> None:
        before = self.way
        with self._changed:
            self.way = way
            self._changed.notify_all()
        if way == "refuse" and self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            clients = tuple(self._clients)
        for client in clients:
            # A restarted camera knows nothing of earlier clients.
            if way == "reset" or before in ("stall", "black hole", "garbage"):
                self._hang_up(client, reset=True)
            elif way in ("close", "refuse", *STATUSES):
                self._hang_up(client)
        if self._listener is None and way != "refuse":
            self._listen()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # The listener is closed.
            with self._lock:
                present = [one for one in self._clients if not has_left(one)]
                self._clients.add(client)
                self.most = max(self.most, len(present) + 1)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            if self.way == "reset":
                self._hang_up(client, reset=True)
            elif self.way in STATUSES:
                answer_status(client, self.way)
            elif self.way == "garbage":
                self._send_junk(client)
            elif self.way in ("stall", "black hole"):
                self._wait_while(self.way)
            elif self.way != "close":
                self._forward(client)
        except OSError:
            pass  # One of the two ends has gone.
        finally:
            with self._lock:
                self._clients.discard(client)
            client.close()

    def _forward(self, client: socket.socket) -> None:
        left = HALF_BYTES
        with socket.create_connection(("127.0.0.1", self._camera_port)) as camera:
            while True:
                ready, _, _ = select.select([client, camera], [], [])
                if self.way == "garbage":
                    self._send_junk(client)
                    return
                self._wait_while("stall", "black hole")
                for one in ready:
                    data = one.recv(65536)
                    if not data:
                        return
                    if one is camera and self.way == "half a picture":
                        data, left = data[:left], left - len(data)
                    (client if one is camera else camera).sendall(data)
                    if left <= 0:
                        return

    def _send_junk(self, client: socket.socket) -> None:
        chance = random.Random(1)
        while self.way == "garbage":
            client.sendall(chance.randbytes(2000))
            with self._changed:
                self._changed.wait(0.1)

    def _wait_while(self, *ways: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.way not in ways)

    @staticmethod
    def _hang_up(client: socket.socket, reset: bool = False) -> None:
        """End a connection, so that the thread that serves it closes the socket."""
        try:
            if reset:
                # Closing without lingering sends a reset.
                no_linger = struct.pack("ii", 1, 0)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
            client.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
        except OSError:
            pass  # Already gone.


def has_left(client: socket.socket) -> bool:
    """Return whether a client has closed its connection, even with data still unread."""
    try:
        return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != ESTABLISHED
    except OSError:
        return True


def answer_status(client: socket.socket, status: str) -> None:
    """Answer an HTTP or RTSP request with a status."""
    request = client.recv(65536).decode("latin-1")
    protocol = "RTSP/1.0" if "RTSP/1.0" in request else "HTTP/1.1"
    lines = [f"{protocol} {status} {STATUSES[status]}", "Content-Length: 0", "Connection: close"]
    lines += [line for line in request.split("\r\n") if line.lower().startswith("cseq:")]
    client.sendall("\r\n".join([*lines, "", ""]).encode())


def main() -> None:
    """Run until standard input ends."""
    proxy = _Proxy(int(sys.argv[1]), int(sys.argv[2]))
    print(proxy.port, flush=True)
    for line in sys.stdin:
        way = line.strip()
        assert way in get_args(Way), way
        proxy.behave(way)
        print(proxy.most, flush=True)


if __name__ == "__main__":
    main()
