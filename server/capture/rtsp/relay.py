"""Stands between FFmpeg and a camera that is connected to only where that was checked.

FFmpeg looks a name up by itself, follows redirects, and sends datagrams where an answer says. So
it is given an address of this machine: what it asks is passed on over a connection of our own, and
what the camera answers is written anew, without all that leads elsewhere.
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

# Of an answer, what FFmpeg has to know.
HEADERS = (
    *("cseq", "session", "www-authenticate", "authentication-info", "public", "range"),
    *("rtp-info", "content-base", "content-location", "content-type"),
)
TRANSPORT = ("unicast", "client_port", "server_port", "interleaved", "ssrc", "mode")


class Relay:
    """Passes on what two sides say, on a thread of its own, until one of them hangs up.

    Args:
        connection: To the camera; is closed at the end.
        parts: The URL of the camera, with its user name and password.
        timeout_s: How long FFmpeg may take to connect.

    Attributes:
        url: What FFmpeg is to open.
        location: Where the camera says to ask instead; then the relay has hung up.
    """

    def __init__(self, connection: Connection, parts: SplitResult, timeout_s: float) -> None:
        self.location = ""
        self._connection = connection
        socket = native.socket
        # FFmpeg waits for datagrams of the same family as that of the address it knows.
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
            self._pass_on(ffmpeg)

    def _pass_on(self, ffmpeg: Any) -> None:
        camera, splitter = self._connection, Splitter()
        splitter.lenient = True
        wait = native.select.select
        while not self.location:
            ready = [camera] if camera.has_more else wait([ffmpeg, camera], [], [])[0]
            if ffmpeg in ready:
                asked = ffmpeg.recv(READ_BYTES)
                if not asked:
                    return
                camera.write(asked)
            if camera in ready:
                splitter.add(camera.read_now(splitter.room()))
                ffmpeg.sendall(b"".join(self._answers(splitter)))

    def _answers(self, splitter: Splitter) -> list[bytes]:
        """Return what FFmpeg is told of what has come."""
        told: list[bytes] = []
        while (item := splitter.take()) is not None:
            if isinstance(item, Frame):
                told += (bytes((DOLLAR, item.channel)), len(item.data).to_bytes(2, "big"))
                told.append(item.data.tobytes())
            elif not isinstance(item, Response):
                self._connection.write(format_response(item))
            elif 300 <= item.status < 400:
                self.location = item.header("location") or "nowhere"
                break
            else:
                told.append(format_answer(item, self._connection.peer))
        return told


def format_answer(answer: Response, peer: str) -> bytes:
    """Return an answer as FFmpeg is told it.

    Args:
        answer: Of the camera.
        peer: Where the camera is, and nothing else.
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
    """Return how the camera says that it sends, without where else FFmpeg could answer to."""
    first, *rest = re.split(r"\s*;\s*", value.partition(",")[0].strip())
    kept = [one for one in rest if one.partition("=")[0].lower() in TRANSPORT]
    return ";".join([first, *kept, f"source={peer}"])
