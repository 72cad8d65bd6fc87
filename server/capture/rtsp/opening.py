"""Opens a camera over RTSP: by the reader here where it can, otherwise by FFmpeg."""

import time

from server.capture.rtsp.demuxer import RtspDemuxer
from server.capture.rtsp.message import RtspError
from server.capture.streams.stream import LiveStream, open_stream
from server.capture.streams.video import Video
from server.config.address import Address
from server.errors import LoginRefused, SourceError
from server.loop import native

__all__ = ["open_rtsp"]

# How long a server may take to end what it began for us; it may refuse who comes meanwhile.
ENDING_S = 0.5


def open_rtsp(address: Address, timeout_s: float) -> Video:
    """Open a camera with ``rtsp`` or ``rtsps``.

    Args:
        address: Holds the URL, and how to reach it; no message contains its password.
        timeout_s: How long opening, and then each read, may take.

    Raises:
        LoginRefused: If the user name or password is refused.
        SourceError: If it cannot be opened; says why.
    """
    if address.transport == "udp":
        return open_stream(address, timeout_s)
    try:
        demuxer = RtspDemuxer(address, timeout_s)
    except RtspError:
        return _open_by_ffmpeg(address, timeout_s)
    try:
        return LiveStream(demuxer)
    except BaseException:
        demuxer.close()
        raise


def _open_by_ffmpeg(address: Address, timeout_s: float) -> Video:
    """Open a camera that was asked already, and hung up on."""
    began = time.monotonic()
    try:
        return open_stream(address, timeout_s)
    except LoginRefused:
        raise
    except SourceError:
        if time.monotonic() - began > ENDING_S:
            raise
    native.sleep(ENDING_S)
    return open_stream(address, timeout_s)
