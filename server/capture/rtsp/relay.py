"""A local proxy that keeps FFmpeg from connecting to an address that was not checked.

FFmpeg resolves names itself, follows redirects, and sends datagrams wherever a response says. So
it connects to this machine instead: its requests go out over a checked connection, and responses
are rewritten without anything that leads elsewhere.
"""

import re
from contextlib import ExitStack, closing, suppress
from typing import Any
from urllib.parse import SplitResult

from server.capture.rtsp.connection import Connection
from server.capture.rtsp.message import CONTROL, Response, RtspError, format_response
from server.capture.rtsp.splitter import DOLLAR, Frame, Splitter
from server.loop import native

__all__ = ["Relay", "format_answer"]

READ_BYTES = 64 << 10

# The headers of a response that FFmpeg needs.
HEADERS = (
    *("cseq", "session", "www-authenticate", "authentication-info", "public", "range"),
    *("rtp-info", "content-base", "content-location", "content-type"),
)
TRANSPORT = ("unicast", "client_port", "server_port", "interleaved", "ssrc", "mode")


class Relay:
    """Relays between FFmpeg and a camera, on its own thread, until one of them hangs up.

    Args:
        connection: The connection to the camera; closed at the end.
        parts: The camera's URL, with its user name and password.
        timeout_s: How long FFmpeg may take to connect.

    Attributes:
        url: The URL for FFmpeg to open.
        location: The target of a redirect, after which the relay hangs up; empty if none came.
    """

    def __init__(self, connection: Connection, parts: SplitResult, timeout_s: float) -> None:
        self.location = ""
        self._connection = connection
        socket = native.socket
        # FFmpeg receives datagrams on the same address family as its connection.
        family, host = (
            (socket.AF_INET6, "::1") if ":" in connection.peer else (socket.AF_INET, "127.0.0.1")
        )
        self._listener: Any = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._listener.bind((host, 0))
            self._listener.listen(1)
            self._listener.settimeout(timeout_s)
            port = self._listener.getsockname()[1]
        except BaseException:
            self._listener.close()
            connection.close()
            raise
        login, at, _ = parts.netloc.rpartition("@")
        place = f"{login}{at}{f'[{host}]' if ':' in host else host}:{port}"
        self.url = parts._replace(scheme="rtsp", netloc=place).geturl()
        native.threading.Thread(target=self._run, name="relay", daemon=True).start()

    def _run(self) -> None:
        with ExitStack() as opened, suppress(OSError, EOFError, RtspError):
            opened.enter_context(closing(self._connection))
            with closing(self._listener):
                ffmpeg, _ = self._listener.accept()
            opened.enter_context(closing(ffmpeg))
            ffmpeg.settimeout(None)
            self._relay(ffmpeg)

    def _relay(self, ffmpeg: Any) -> None:
        camera, splitter = self._connection, Splitter()
        splitter.lenient = True
        wait = native.select.select
        while not self.location:
            ready = [camera] if camera.has_more else wait([ffmpeg, camera], [], [])[0]
            if ffmpeg in ready:
                data = ffmpeg.recv(READ_BYTES)
                if not data:
                    return
                camera.write(data)
            if camera in ready:
                splitter.add(camera.read_now(splitter.room()))
                ffmpeg.sendall(b"".join(self._rewritten(splitter)))

    def _rewritten(self, splitter: Splitter) -> list[bytes]:
        """Return the received frames and responses as FFmpeg may see them."""
        passed: list[bytes] = []
        while (item := splitter.take()) is not None:
            if isinstance(item, Frame):
                passed += (bytes((DOLLAR, item.channel)), len(item.data).to_bytes(2, "big"))
                passed.append(item.data.tobytes())
            elif not isinstance(item, Response):
                self._connection.write(format_response(item))
            elif 300 <= item.status < 400:
                self.location = item.header("location") or "nowhere"
                break
            else:
                passed.append(format_answer(item, self._connection.peer))
        return passed


def format_answer(answer: Response, peer: str) -> bytes:
    """Return a response rewritten for FFmpeg.

    Args:
        answer: The camera's response.
        peer: The camera's IP address, to which FFmpeg may send datagrams.
    """
    lines = [f"RTSP/1.0 {answer.status} -"]
    for name, value in answer.headers:
        if name in HEADERS:
            lines.append(f"{name}: {value}")
        elif name == "transport":
            lines.append(f"{name}: {_transport(value, peer)}")
    lines.append(f"content-length: {len(answer.body)}")
    head = "".join(f"{CONTROL.sub('', line)}\r\n" for line in (*lines, ""))
    return head.encode("utf-8", "replace") + answer.body


def _transport(value: str, peer: str) -> str:
    """Return a ``Transport`` header with the camera as its only address."""
    first, *rest = re.split(r"\s*;\s*", value.partition(",")[0].strip())
    kept = [one for one in rest if one.partition("=")[0].lower() in TRANSPORT]
    return ";".join([first, *kept, f"source={peer}"])
