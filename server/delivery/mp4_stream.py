"""Sends a video as one endless HTTP response in MP4, for players.

The camera's track buffers the units, so a slow player needs no buffer of its own: once the kernel
has sent the last fragment, the next unit is taken, or the next key frame if it fell behind.
"""

import socket
from collections.abc import Iterator

from server.capture.frames.rendition import FULL
from server.capture.frames.unit import Unit
from server.capture.frames.video_track import VideoTrack
from server.delivery.fanout import Fanout
from server.delivery.mp4.muxer import Muxer
from server.delivery.mp4.timeline import Timeline
from server.delivery.socket_queue import (
    PEER_CHECK_S,
    WRITE_DEADLINE_S,
    is_disconnected,
    notify_when_sent,
    unsent_bytes,
)
from server.delivery.video_reader import VideoReader, count_sent
from server.loop import hub

__all__ = ["Mp4Viewer"]


class Mp4Viewer:
    """One HTTP connection that watches one camera's video, from a key frame on.

    Args:
        fanout: The camera's fanout.
        sock: The connection's green socket.
        rendition: The video's name.
        from_now: Whether earlier pictures of the group get almost no duration in the file, so that
            the player starts live. Otherwise they keep their real durations.
    """

    def __init__(
        self,
        fanout: Fanout,
        sock: socket.socket,
        rendition: str = FULL.name,
        from_now: bool = False,
    ) -> None:
        self._fanout = fanout
        self._rendition = rendition
        self._sock = sock
        # The underlying socket, which does not block.
        self._kernel: socket.socket = sock.fd  # type: ignore[attr-defined]
        self._reader = VideoReader(self._find)
        self._timeline = Timeline()
        self._fast_catch_up = from_now
        sock.settimeout(WRITE_DEADLINE_S)
        notify_when_sent(sock)
        fanout.read_video(self, rendition)

    def leave(self) -> None:
        """Stop watching."""
        self._fanout.leave(self)
        self._reader.close()

    def first(self, timeout_s: float) -> tuple[Muxer, bytes] | None:
        """Return the muxer and the first bytes of the file; None if no picture came in time.

        Raises:
            PictureError: If the video cannot be put into MP4.
        """
        taken = self._reader.next()
        if taken is None and self._reader.wait(timeout_s):
            taken = self._reader.next()
        if taken is None:
            return None
        muxer = Muxer(taken[0])
        track = self._find()
        group = track.units if track is not None else ()
        self._timeline = Timeline(max((one.early_s for one in group), default=0.0))
        return muxer, muxer.init_segment + self._fragment(muxer, *taken)

    def stream(self, muxer: Muxer, begun: bytes) -> Iterator[bytes]:
        """Yield the file's first bytes, then fragments until either side ends the stream."""
        yield begun
        cuts = 0
        while self._watching:
            if is_disconnected(self._kernel) or not self._has_departed():
                break
            taken = self._reader.next()
            if self._reader.cuts > cuts:
                self._fanout.camera.meter.drops["unsent"] += self._reader.cuts - cuts
                self._fanout.camera.request_key(self._rendition)
                cuts = self._reader.cuts
            if taken is None:
                self._reader.wait(PEER_CHECK_S)
                continue
            if not muxer.fits(taken[0]):
                break
            yield self._fragment(muxer, *taken)
        self.leave()

    def _has_departed(self) -> bool:
        """Wait until all written bytes are on the wire; return False if that takes too long."""
        # Check first: waiting costs more than building a fragment, and is rarely needed.
        return not unsent_bytes(self._kernel) or hub.wait_writable(self._sock, WRITE_DEADLINE_S)

    def _fragment(self, muxer: Muxer, unit: Unit, catch_up: bool) -> bytes:
        begin, duration = self._timeline.place(unit.at_unix, catch_up and self._fast_catch_up)
        offset = self._timeline.offset(begin, unit.at_unix, unit.early_s)
        self._fast_catch_up |= not catch_up  # Units repeated after a loss are not shown again.
        count_sent(self._fanout.camera.meter, unit, catch_up)
        return muxer.fragment([muxer.sample(unit, duration, offset)], begin)

    def _find(self) -> VideoTrack | None:
        return self._fanout.camera.videos.get(self._rendition)

    @property
    def _watching(self) -> bool:
        has_video = self._fanout.holds_video(self) and self._find() is not None
        return has_video and self._fanout.camera.state != "stopped"
