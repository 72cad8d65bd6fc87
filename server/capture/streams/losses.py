"""Whether packets of a stream can be lost on their way, and when they were.

FFmpeg tells neither whether a camera sends over TCP or UDP, if both may be tried, nor of losses,
which it only writes to its log.
"""

import os
import stat
from contextlib import suppress

from server.loop import native

__all__ = ["Losses", "receives_datagrams"]

# "RTP: missed %d packets", in libavformat/rtpdec.c.
MISSED = "RTP: missed"


class Losses:
    """What FFmpeg logs about one stream, on the thread that creates this and reads the stream."""

    def __init__(self) -> None:
        import av.logging

        # Off otherwise: a log may hold a URL with its password. Captured, it goes nowhere else.
        self._capture = av.logging.Capture()
        self._logs = self._capture.__enter__()
        av.logging.set_skip_repeated(False)
        av.logging.set_level(av.logging.WARNING)

    def seen(self) -> bool:
        """Return whether packets were lost since the last call."""
        if not self._logs:
            return False
        missed = any(MISSED in message for _, _, message in self._logs)
        self._logs.clear()
        return missed

    def close(self) -> None:
        """Have FFmpeg log nothing again."""
        import av.logging

        av.logging.set_level(None)
        self._capture.__exit__(None, None, None)


def receives_datagrams() -> bool:
    """Return whether this process, which reads one stream, has a socket of UDP."""
    inet = native.socket.AF_INET, native.socket.AF_INET6
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # It is closed by now.
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            with native.socket.socket(fileno=os.dup(int(name))) as one:
                if one.family in inet and one.type == native.socket.SOCK_DGRAM:
                    return True
    return False
