"""A real RTSP server for tests: GStreamer, run by the system's Python."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

__all__ = ["PASSWORD", "USER", "RtspServer"]

SERVICE = Path(__file__).with_name("rtsp_service.py")

USER, PASSWORD = "camera", "s3cret/@:word"


class RtspServer:
    """Serves the mounts of ``rtsp_service.py`` on loopback: h264, small, group2, group10, b-frames,
    h265, mjpeg, udp (which refuses TCP) and sound (which has no video).

    Args:
        film: An MP4 of H.264 that film0 to film7 send, once, each to one client.
    """

    def __init__(self, film: Path | None = None) -> None:
        self._films = [] if film is None else [str(film)]
        self._ports: dict[str, int] = {}
        self.start()

    def url(self, mount: str, login: str = "open", password: str = PASSWORD) -> str:
        """Return a mount's address.

        Args:
            mount: Its name.
            login: ``open``, ``digest`` or ``basic``.
            password: For ``digest`` and ``basic``.
        """
        credentials = "" if login == "open" else f"{USER}:{quote(password, '')}@"
        return f"rtsp://{credentials}127.0.0.1:{self._ports[login]}/{mount}"

    def start(self) -> None:
        """Start; reuse the same open port if it ran before."""
        self._process = subprocess.Popen(
            ["/usr/bin/python3", SERVICE, str(self._ports.get("open", 0)), *self._films],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the RTSP server has not started; see deploy/prepare.sh"
        self._ports = json.loads(line)

    def stop(self) -> None:
        """Stop it with all its connections."""
        self._process.kill()
        self._process.communicate()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Suspend it: its connections stay open, and nothing is sent."""
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)
