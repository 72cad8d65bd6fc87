"""A client that breaks the rules: raw bytes on a socket."""

import os
import socket
import struct
import time
from base64 import b64encode

__all__ = ["Hostile", "ask"]

TEXT, BINARY, CONTINUATION, PING = 0x1, 0x2, 0x0, 0x9


class Hostile:
    """A raw connection, upgraded to a WebSocket and connected to Socket.IO if wanted."""

    def __init__(
        self, port: int, connected: bool = True, receive_buffer: int | None = None
    ) -> None:
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(10)
        self.sock.connect(("127.0.0.1", port))
        key = b64encode(os.urandom(16)).decode()
        self.sock.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost:{port}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        self.expect(b"\r\n\r\n")
        if connected:
            self.send(b"40")
            self.expect(b'40{"sid"')

    def send(self, payload: bytes, opcode: int = TEXT, fin: bool = True) -> None:
        """Send a masked frame; the mask is zero, which is valid."""
        size = len(payload)
        first = (0x80 if fin else 0) | opcode
        if size < 126:
            head = bytes([first, 0x80 | size])
        elif size < 65536:
            head = bytes([first, 0xFE]) + struct.pack("!H", size)
        else:
            head = bytes([first, 0xFF]) + struct.pack("!Q", size)
        self.sock.sendall(head + b"\0\0\0\0" + payload)

    def expect(self, what: bytes) -> bytes:
        """Read until these bytes have arrived."""
        data = b""
        while what not in data:
            more = self.sock.recv(65536)
            if not more:
                raise ConnectionError(f"closed before {what!r} came")
            data += more
        return data

    def is_closed(self, within_s: float) -> bool:
        """Return whether the server ends the connection in time; ignore what it sends meanwhile."""
        deadline = time.monotonic() + within_s
        while (remaining := deadline - time.monotonic()) > 0:
            self.sock.settimeout(remaining)
            try:
                if not self.sock.recv(65536):
                    return True
            except TimeoutError:
                return False
            except OSError:
                return True
        return False

    def send_until_cut_off(self, payload: bytes, opcode: int, max_bytes: int) -> int:
        """Send fragments of an endless message; return how many bytes until the cut-off."""
        sent = 0
        while sent < max_bytes:
            try:
                self.send(payload, opcode, fin=opcode >= 8)
            except OSError:
                break
            sent += len(payload)
        return sent

    def close(self) -> None:
        """Hang up."""
        self.sock.close()


def ask(port: int, request: bytes, timeout_s: float = 10) -> bytes:
    """Send raw HTTP bytes; return the response until the server closes or time is up."""
    with socket.create_connection(("127.0.0.1", port), timeout_s) as sock:
        sock.sendall(request)
        answer = b""
        try:
            while more := sock.recv(65536):
                answer += more
        except (TimeoutError, ConnectionResetError):
            pass
        return answer
