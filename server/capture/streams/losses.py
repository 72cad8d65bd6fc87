"""Finds out whether a stream can lose packets on the network, and when it has.

If both may be tried, FFmpeg's API does not say whether a camera sends over TCP or UDP; and losses
are only written to its log.
"""

import os
import stat
from contextlib import suppress

from server.loop import native

__all__ = ["Losses", "receives_datagrams"]

# "RTP: missed %d packets", in libavformat/rtpdec.c.
MISSED = "RTP: missed"


class Losses:
    """Finds losses in FFmpeg's log. Create it on the thread that reads the stream."""

    def __init__(self) -> None:
        import av.logging

        # Off otherwise: the log may contain a URL with its password. Captured, it stays here.
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
        """Switch FFmpeg's log off again."""
        import av.logging

        av.logging.set_level(None)
        self._capture.__exit__(None, None, None)


def receives_datagrams() -> bool:
    """Return whether this process, which reads one stream, has a UDP socket."""
    inet = native.socket.AF_INET, native.socket.AF_INET6
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # It was closed meanwhile.
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            with native.socket.socket(fileno=os.dup(int(name))) as one:
                if one.family in inet and one.type == native.socket.SOCK_DGRAM:
                    return True
    return False
