"""Opens an RTSP camera with our own reader if it can read it, otherwise with FFmpeg."""

import time
from urllib.parse import urlsplit

from server.capture.rtsp.client import MAX_REDIRECTS, connect, follow
from server.capture.rtsp.demuxer import RtspDemuxer
from server.capture.rtsp.message import RtspError
from server.capture.rtsp.relay import Relay
from server.capture.streams.source_errors import host_of
from server.capture.streams.stream import LiveStream, open_stream
from server.capture.streams.video import Video
from server.config.address import Address
from server.errors import LoginRefused, SourceError
from server.loop import native

__all__ = ["open_rtsp"]

# Time for a server to end our first session; until then it may refuse another client.
SESSION_END_S = 0.5


def open_rtsp(address: Address, timeout_s: float) -> Video:
    """Open a camera with an ``rtsp`` or ``rtsps`` URL.

    Args:
        address: The URL and how to reach it; no error message contains its password.
        timeout_s: Limit for opening, and then for each read.

    Raises:
        LoginRefused: If the user name or password is rejected.
        SourceError: If it cannot be opened; says why.
    """
    if address.transport == "udp":
        return _open_by_ffmpeg(address, timeout_s)
    try:
        demuxer = RtspDemuxer(address, timeout_s)
    except RtspError:
        return _open_again(address, timeout_s)
    try:
        return LiveStream(demuxer)
    except BaseException:
        demuxer.close()
        raise


def _open_again(address: Address, timeout_s: float) -> Video:
    """Open a camera with FFmpeg after our own reader has hung up on it."""
    began = time.monotonic()
    try:
        return _open_by_ffmpeg(address, timeout_s)
    except LoginRefused:
        raise
    except SourceError:
        if time.monotonic() - began > SESSION_END_S:
            raise
    native.sleep(SESSION_END_S)
    return _open_by_ffmpeg(address, timeout_s)


def _open_by_ffmpeg(address: Address, timeout_s: float) -> Video:
    """Open a camera with FFmpeg, through a relay if the address is guarded."""
    if not address.guarded:
        return open_stream(address, timeout_s)
    parts = urlsplit(address.target)
    deadline = time.monotonic() + timeout_s
    for _ in range(MAX_REDIRECTS + 1):
        try:
            relay = Relay(connect(address, parts, timeout_s, deadline), parts, timeout_s)
        except RtspError as error:
            raise SourceError(f"{host_of(address)}: {error}") from None
        try:
            return open_stream(address, timeout_s, url=relay.url)
        except SourceError:
            if not relay.location:
                raise
        parts = follow(address, relay.location, parts)
    raise SourceError(f"{host_of(address)} redirects more than {MAX_REDIRECTS} times")
