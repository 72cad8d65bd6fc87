"""Files and network streams, read by FFmpeg through OpenCV.

Time-outs are passed when opening, because FFmpeg ignores later changes.
"""

import http.client
import os
from base64 import b64encode
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import cv2

from server.capture.devices.opencv import Video
from server.capture.sources.pacer import Pacer
from server.config.address import Address
from server.config.local import why_no_file
from server.errors import SourceEnded, SourceError
from server.loop import native

__all__ = ["FileVideo", "NetworkVideo"]

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}

# OpenCV's documentation of VideoCaptureProperties: "fetching undecoded RAW video streams".
AS_SENT_BY_FFMPEG = (cv2.CAP_PROP_FORMAT, -1.0)

# A longer jump between a file's time stamps counts as damage.
MAX_FILE_GAP_S = 30.0


class FileVideo(Video):
    """A video file, played at its own rate.

    Args:
        path: Any file that FFmpeg can read.
        loop: Whether to start over at its end.

    Raises:
        SourceError: If it is missing, unreadable or not a video.
    """

    def __init__(self, path: str, loop: bool) -> None:
        self._path = path
        self._loop = loop
        self._pacer = Pacer()
        self._position_s: float | None = None
        self._grabbed = False
        self._waiting = False
        super().__init__(self._open(), False, AS_SENT_BY_FFMPEG)

    def _open(self) -> cv2.VideoCapture:
        if missing := why_no_file(self._path):
            raise SourceError(missing)
        if not os.access(self._path, os.R_OK):
            raise SourceError(f"the file {self._path} may not be read")
        capture = cv2.VideoCapture(self._path, cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise SourceError(f"the file {self._path} holds no video that FFmpeg can read")
        return capture

    def grab(self) -> bool:
        """Step to the next picture, then wait until it is due."""
        if not self._waiting:
            self._step()
            self._waiting = True
        self._waiting = not self._pacer.wait()
        if not self._waiting:
            self.arrivals.add()
        return not self._waiting

    def _step(self) -> None:
        if not self._capture.grab():
            if not self._loop and self._grabbed:
                raise SourceEnded("the file has been played to its end")
            self._rewind()
        self._grabbed = True
        position_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        step_s = 0.0 if self._position_s is None else position_s - self._position_s
        # Out of this range it is the first picture, a new round or a damaged file.
        if not 0 < step_s < MAX_FILE_GAP_S:
            step_s = 1 / (self.info.fps or 25.0)
        self._position_s = position_s
        self._pacer.schedule(step_s)

    def _rewind(self) -> None:
        self._position_s = None
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
        if self._capture.grab():
            return
        # Not every container can seek.
        self._capture.release()
        self._use(self._open())
        if not self._capture.grab():
            raise SourceError(f"the file {self._path} holds no pictures")


class NetworkVideo(Video):
    """An RTSP or HTTP stream, read by FFmpeg.

    Args:
        address: Holds the URL; no message contains its password.
        timeout_s: How long opening, and then each read, may take.

    Raises:
        SourceError: If it cannot be opened; says how the host answered.
    """

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        timeout_ms = int(timeout_s * 1000)
        capture = cv2.VideoCapture(
            address.target,
            cv2.CAP_FFMPEG,
            [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                timeout_ms,
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                timeout_ms,
                # Each further thread decodes one picture ahead, which only adds delay.
                cv2.CAP_PROP_N_THREADS,
                1,
            ],
        )
        if not capture.isOpened():
            raise SourceError(_why_not_url(address.target, timeout_s))
        super().__init__(capture, True, AS_SENT_BY_FFMPEG)

    def grab(self) -> bool:
        """Wait for the next picture."""
        if not self._capture.grab():
            raise SourceError(f"the stream ended, or sent nothing for {self._timeout_s:g} s")
        self.arrivals.add()
        return True


def _why_not_url(url: str, timeout_s: float) -> str:
    """Return the reason why FFmpeg could not open a URL, found by connecting to its host."""
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), parts.hostname or ""
    port = parts.port or DEFAULT_PORTS[scheme]
    socket = native.socket
    try:
        connection = socket.create_connection((host, port), timeout_s)
    except socket.gaierror:
        return f"the host {host} is unknown; check the spelling"
    except TimeoutError:
        return f"{host}:{port} did not answer within {timeout_s:g} s"
    except OSError as error:
        return f"{host}:{port} cannot be reached ({error.strerror or error})"
    with connection:
        try:
            status = _http_status(connection, parts) if scheme == "http" else None
        except TimeoutError:
            return f"{host}:{port} accepts the connection, but sends nothing for {timeout_s:g} s"
    if status:
        return f"{host}:{port} answers {status}"
    return f"{host}:{port} answers, but sends no video that FFmpeg can read"


def _http_status(connection: Any, parts: SplitResult) -> str | None:
    """Return the error status that a GET receives, or None.

    Raises:
        TimeoutError: If there is no response.
    """
    request = http.client.HTTPConnection(parts.hostname or "", parts.port)
    request.sock = connection
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    headers = {}
    if parts.username is not None:
        person = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + b64encode(person.encode()).decode()
    try:
        request.request("GET", path, headers=headers)
        answer = request.getresponse()
    except TimeoutError:
        raise
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return f"{answer.status} {answer.reason}" if answer.status >= 400 else None
