"""Network streams and pipes, read by FFmpeg.

``open_stream(address, timeout_s, data=None)`` opens one. ``data`` replaces the URL: an object whose
``read(n)`` waits for data, returns at most ``n`` bytes, or none at the end, and raises TimeoutError
if nothing arrived in time. Data already read of it, to detect its format, must come first again.
It is closed at the end, also if opening fails.
"""

import functools
import time
from typing import BinaryIO

from server.capture.frames.timestamp_clock import TimestampClock
from server.capture.streams.demuxer import Demuxer, Fetch
from server.capture.streams.losses import receives_datagrams
from server.capture.streams.packet import Packet, PacketReader
from server.capture.streams.playout import Playout
from server.capture.streams.read_ahead import ReadAhead
from server.capture.streams.source_errors import explain, host_of
from server.capture.streams.tls import tls_options
from server.capture.streams.video import REST_S, Video
from server.config.address import Address
from server.errors import SourceError
from server.loop import native

__all__ = ["LiveStream", "open_stream"]

# The FFmpeg protocols that a source may use. Never file, concat or subfile: a camera's response,
# such as a playlist, must not refer to files on this machine.
PROTOCOLS = {
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsp,rtsps,rtp,srtp,udp,tcp,tls",
    "http": "http,tcp,crypto",
    "https": "https,http,httpproxy,tls,tcp,crypto",
}

# Opening reads this much to analyse the stream, and keeps it. If it contains no key frame, the size
# of the pictures may stay unknown until one arrives.
PROBE = {
    "analyzeduration": "1000000",
    "probesize": "2500000",
    "fpsprobesize": "0",
}

# A program has just started: its first bytes say everything, and reading more only takes time.
PIPE = {"analyzeduration": "200000"}

# A playlist's segments may have names that FFmpeg does not expect; PROTOCOLS keeps them safe.
HLS = {
    "allowed_extensions": "ALL",
    "allowed_segment_extensions": "ALL",
    "extension_picky": "0",
}

# FFmpeg would look for a connection of its own to reuse.
FETCHED = {"http_persistent": "0"}

# The socket's buffer, as far as the kernel allows.
UDP_BYTES = "1048576"

# With both, FFmpeg tries UDP if a camera refuses TCP, on the same connection.
RTSP = {
    "auto": {"rtsp_transport": "tcp+udp", "rtsp_flags": "prefer_tcp", "buffer_size": UDP_BYTES},
    "tcp": {"rtsp_transport": "tcp"},
    "udp": {"rtsp_transport": "udp", "buffer_size": UDP_BYTES},
}

# How long packets that overtook others wait for them.
UDP_DELAY_US = "200000"

MAX_WAIT_S = 0.2

# While nobody waits for pictures, reading pauses for at most this many bytes. TCP makes the sender
# wait when the buffer is full. A pipe holds 64 kB, and a program that finds it full blocks.
REST_BYTES = 192 << 10
PIPE_BYTES = 48 << 10

# A datagram that finds its socket full is lost. Systems buffer 200 kB, or less of small ones.
DATAGRAM_REST_S = 0.25
DATAGRAM_BYTES = 96 << 10

# Leave a picture that may still be arriving for the next time: waiting for it means waking up for
# each of its parts.
LATE_S = 0.03

# How often to wait for a picture all the same, to compare the stream's clock with ours.
MEASURE_S = 4.0

USUAL_FPS = 25.0

# A longer step between two timestamps of a network stream means that its clock was set.
MAX_STEP_S = 2.0


def open_stream(
    address: Address,
    timeout_s: float,
    data: BinaryIO | None = None,
    url: str | None = None,
    fetch: Fetch | None = None,
) -> Video:
    """Open a network stream, or one that is read from ``data``.

    Args:
        address: The URL and how to reach it; no message contains its password.
        timeout_s: How long opening, and then each read, may take.
        data: Read instead of the URL.
        url: Opened instead of the URL: an RTSP relay on this machine that leads to it.
        fetch: Fetches a URL; then FFmpeg itself makes no connection.

    Raises:
        LoginRefused: If the user name or password is refused.
        SourceError: If it cannot be opened; says why.
    """
    if data is not None:
        demuxer = _open(address, timeout_s, PIPE, data)
    elif address.scheme in ("rtsp", "rtsps"):
        # Over TLS, FFmpeg itself would only use TCP.
        options = RTSP["tcp" if url and address.scheme == "rtsps" else address.transport]
        demuxer = _open(address, timeout_s, options | {"max_delay": UDP_DELAY_US}, url)
    elif fetch is not None:
        demuxer = _open(address, timeout_s, HLS | FETCHED, fetch(address.target), fetch)
    else:
        demuxer = _open(address, timeout_s, HLS)
    try:
        limits = _limits(address, data is not None)
        if address.scheme in ("rtsp", "rtsps") or not demuxer.has_time_stamps:
            return LiveStream(demuxer, *limits)
        return PacedStream(demuxer, *limits)
    except BaseException:
        demuxer.close()
        raise


class LiveStream(Video):
    """A stream that runs on its own clock, such as a camera's; drained, so that it never lags."""

    paced = False

    def __init__(
        self, demuxer: PacketReader, rest_s: float = REST_S, rest_bytes: int = REST_BYTES
    ) -> None:
        super().__init__(demuxer, live=True)
        self._waited = False
        self._clock = TimestampClock()
        self._rest_limit = _RestLimit(self._clock, rest_s, rest_bytes)

    def grab(self) -> bool:
        """Wait for the next picture."""
        packet = self._demuxer.read()
        if packet is None:
            raise SourceError("the stream ended")
        measured = packet.awaited and not self.lazy
        came_at = self._clock.see(packet.timestamp_s, packet.arrived_at, packet.awaited, measured)
        # With B-frames, the display clock estimates when pictures were captured.
        self._take(packet, packet.arrived_at if self._display.reordered else came_at)
        self._rest_limit.nbytes += packet.nbytes
        self._waited = self._waited or packet.awaited
        if not self._waited:
            # Pictures buffered while opening say nothing about the rate.
            self.arrivals.pause()
        return True

    @property
    def behind(self) -> bool:
        """Whether more pictures have arrived already; see :class:`VideoSource`."""
        return self._clock.is_steady and self._clock.next_at <= time.monotonic()

    def rest(self) -> float:
        """Return how long reading may pause now; see :class:`VideoSource`."""
        return self._rest_limit.rest_s(time.monotonic())


class _RestLimit:
    """Decides how long reading a live stream may pause.

    Args:
        clock: The clock of its timestamps.
        max_s: The longest pause.
        max_bytes: How many bytes may wait meanwhile.

    Attributes:
        nbytes: The number of bytes read since the last pause.
    """

    def __init__(self, clock: TimestampClock, max_s: float, max_bytes: int) -> None:
        self.nbytes = 0
        self._clock = clock
        self._max_s = max_s
        self._max_bytes = max_bytes
        self._rested_at = 0.0

    def rest_s(self, now: float) -> float:
        """Return how long to pause while nobody waits for a picture, in seconds; 0 for none."""
        clock = self._clock
        if not clock.is_steady or now - clock.measured_at > MEASURE_S:
            return 0.0
        if not now - LATE_S < clock.next_at < now + self._max_s:
            return 0.0
        bytes_s = self.nbytes / (now - self._rested_at)
        self._rested_at, self.nbytes = now, 0
        return min(self._max_s, self._max_bytes / bytes_s) if bytes_s else self._max_s


class PacedStream(Video):
    """A stream that may arrive in bursts, or faster than it should be shown."""

    def __init__(
        self, demuxer: Demuxer, rest_s: float = REST_S, rest_bytes: int = REST_BYTES
    ) -> None:
        self._eager = native.threading.Event()
        self._eager.set()
        self._clock = TimestampClock()
        self._rest_limit = _RestLimit(self._clock, rest_s, rest_bytes)
        super().__init__(demuxer, live=not demuxer.finite)
        playout = Playout(1 / (self.info.fps or USUAL_FPS), MAX_STEP_S)
        # A playlist's segments arrive one by one, each a few seconds long: being early is normal.
        catches_up = self.info.live and not demuxer.is_hls
        self._ahead = ReadAhead(self._read, demuxer.close, playout, catches_up)

    # Called on the thread that reads ahead.

    def _read(self) -> Packet:
        if not self._eager.is_set() and (rest_s := self._rest_limit.rest_s(time.monotonic())):
            self._eager.wait(rest_s)
        packet = self._demuxer.read()
        if packet is None:
            raise SourceError("the stream ended")
        self._rest_limit.nbytes += packet.nbytes
        came_at = self._clock.see(packet.timestamp_s, packet.arrived_at, packet.awaited)
        return packet if packet.awaited else packet._replace(arrived_at=came_at)

    # Called on the thread that grabs.

    @property
    def lazy(self) -> bool:
        """Whether nobody waits for pictures; see :class:`VideoSource`."""
        return not self._eager.is_set()

    @lazy.setter
    def lazy(self, lazy: bool) -> None:
        (self._eager.clear if lazy else self._eager.set)()

    def grab(self) -> bool:
        """Wait for the next picture, until it is due."""
        taken = self._ahead.take(0.0 if self.lazy else MAX_WAIT_S)
        if taken is not None:
            self._take(*taken)
        return taken is not None

    @property
    def behind(self) -> bool:
        """Whether more pictures are due already; see :class:`VideoSource`."""
        return self._ahead.next_due <= time.monotonic()

    def rest(self) -> float:
        """Return how long grabbing may pause now; see :class:`VideoSource`."""
        return 0.0 if self.behind else REST_S

    def close(self) -> None:
        """Close the connection, once no read is in progress."""
        self._eager.set()
        self._ahead.close()


def _limits(address: Address, is_pipe: bool) -> tuple[float, int]:
    """Return how long reading an open stream may pause, and for how many bytes."""
    if is_pipe:
        return REST_S, PIPE_BYTES
    if address.scheme in ("rtsp", "rtsps") and receives_datagrams():
        return DATAGRAM_REST_S, DATAGRAM_BYTES
    return REST_S, REST_BYTES


def _open(
    address: Address,
    timeout_s: float,
    options: dict[str, str],
    source: str | BinaryIO | None = None,
    fetch: Fetch | None = None,
) -> Demuxer:
    # A pipe may contain a playlist, too, so its protocols are limited as well.
    protocols = "crypto" if fetch else PROTOCOLS.get(address.scheme, "crypto")
    allowed = {"protocol_whitelist": protocols}
    if address.scheme in ("https", "rtsps") and source is None:
        allowed |= tls_options(address)
    return Demuxer(
        address.target if source is None else source,
        host_of(address),
        functools.partial(explain, address=address, timeout_s=timeout_s),
        PROBE | options | allowed,
        timeout_s,
        lossy=address.scheme in ("rtsp", "rtsps") and address.transport != "tcp",
        fetch=fetch,
    )
