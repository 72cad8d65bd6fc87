"""Reads the pictures of an RTSP camera without FFmpeg."""

import time
from collections import deque
from fractions import Fraction

from server.capture.rtsp.client import Client, open_client
from server.capture.rtsp.message import RtspError
from server.capture.rtsp.stamps import DecodeStamps
from server.capture.streams.decoder import context_of
from server.capture.streams.demuxer import MAX_FPS, WAIT_S
from server.capture.streams.packet import Packet
from server.capture.streams.source_errors import host_of
from server.capture.streams.units import annex_b
from server.capture.streams.units.maker import UnitMaker, maker_of
from server.config.address import Address
from server.errors import SourceError

__all__ = ["RtspDemuxer"]

# If the description lacks parameter sets, the first key frame gives the size of the pictures.
# Limits for finding it:
SIZE_PROBE_S = 1.0
PROBE_BYTES = 2_500_000


class RtspDemuxer:
    """Reads a camera's H.264 or H.265. For one thread.

    Args:
        address: The camera's address.
        timeout_s: Limit for opening, and then for each read.

    Attributes:
        context: The decoder's context; not open yet.
        codec: FFmpeg's name of the encoding.
        fps: The announced frame rate; 0 if unknown.
        aspect: The width of a pixel divided by its height.
        is_picture: Whether it is a single picture; never.

    Raises:
        RtspError: If only FFmpeg can read it.
        SourceError: If it cannot be opened; says why.
    """

    is_picture = False

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._where = host_of(address)
        self._timeout_s = timeout_s
        self._client: Client = open_client(address, timeout_s)
        video = self._client.video
        self.codec, self._rate = video.codec, video.rate
        self.fps = video.fps if 0 < video.fps <= MAX_FPS else 0.0
        self._stamps = DecodeStamps()
        self._probed: deque[Packet] = deque()  # Read while opening.
        self._sets = annex_b.join(video.parameter_sets)
        try:
            self._maker = self._probe()
        except BaseException:
            self._client.close()
            raise
        self.context = context_of(self.codec, self._sets)
        found = self._maker.sequence
        if found is not None:
            self.context.width, self.context.height = found.width, found.height

    @property
    def aspect(self) -> Fraction:
        """The width of a pixel divided by its height."""
        found = self._maker.sequence
        return (found.aspect if found else None) or self.context.sample_aspect_ratio or Fraction(1)

    def unit_maker(self) -> UnitMaker | None:
        """Return the maker of access units from its packets."""
        return self._maker

    def read(self) -> Packet | None:
        """Wait for the next picture; return None at the end.

        Raises:
            SourceError: If the stream is lost.
        """
        if self._probed:
            return self._probed.popleft()
        return self._read()

    def close(self) -> None:
        """Close the connection; not while it is being read."""
        self._client.close()

    def _read(self) -> Packet | None:
        client = self._client
        began = now = time.monotonic()
        client.keep_alive(now)
        units = client.units
        while not units:
            if client.ended:
                return None
            if now - began > self._timeout_s:
                raise self._timed_out()
            try:
                client.receive()
            except TimeoutError:
                raise self._timed_out() from None
            except (OSError, EOFError):
                raise SourceError("the stream ended: the connection was lost") from None
            except RtspError as error:
                raise SourceError(f"the stream ended: {error}") from None
            now = time.monotonic()
        unit = units.popleft()
        decoded = self._stamps.see(unit.stamp, unit.key)
        return Packet(
            unit.data,
            unit.key,
            len(unit.data),
            decoded / self._rate,
            unit.stamp / self._rate,
            now,
            now - began > WAIT_S,
            not unit.whole,
        )

    def _timed_out(self) -> SourceError:
        return SourceError(f"{self._where} has sent nothing for {self._timeout_s:g} s")

    def _probe(self) -> UnitMaker:
        """Read until the size of the pictures is known, unless the description gives it."""
        maker = maker_of(self.codec, self._sets, Fraction(1))
        assert maker is not None
        deadline, nbytes = time.monotonic() + SIZE_PROBE_S, 0
        while maker.sequence is None and time.monotonic() < deadline and nbytes < PROBE_BYTES:
            packet = self._read()
            if packet is None:
                break
            self._probed.append(packet)
            nbytes += packet.nbytes
            if packet.key:
                maker.make(packet.data)
        return maker
