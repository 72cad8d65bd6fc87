"""Video and picture files, read by FFmpeg."""

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from server.capture.frames.frame import Picture
from server.capture.streams.demuxer import Demuxer
from server.capture.streams.packet import Packet
from server.capture.streams.playout import Playout
from server.capture.streams.source_errors import explain_file
from server.capture.streams.video import REST_S, Video
from server.config.local import why_no_file
from server.errors import PictureError, SourceEnded, SourceError
from server.loop import native

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["FileVideo"]

# ``pattern_type`` matters for pictures: a % in the name is taken literally.
OPTIONS = {"protocol_whitelist": "file,crypto,data", "pattern_type": "none"}

MAX_WAIT_S = 0.2

USUAL_FPS = 25.0

# In H.264 and H.265, at most this many pictures wait for one that is displayed before them.
MAX_DELAYED = 16

# A longer step between two timestamps of a file is damage, not a pause.
MAX_STEP_S = 30.0


class FileVideo(Video):
    """A file, played at its own pace; a single picture is shown until the file changes.

    Args:
        path: Any file that FFmpeg can read.
        loop: Whether to start over at its end.

    Raises:
        SourceError: If it is missing, unreadable or holds no video.
    """

    def __init__(self, path: str, loop: bool) -> None:
        self._path = path
        self._loop = loop
        self._shown: Picture | None = None
        # Since when pictures may have waited to be read; None if the newest was taken on time.
        self._rested_at: float | None = None
        super().__init__(self._open(), live=False)
        self._playout = Playout(1 / (self.info.fps or USUAL_FPS), MAX_STEP_S)
        self._begin()

    def _begin(self) -> None:
        """Begin a round with the file just opened."""
        self._playout.restart()
        self._packet: Packet | None = None  # Read, but not due yet.
        self._due = 0.0  # When that packet, or the first picture of the tail, is due.
        self._tail: list[VideoFrame] = []  # Pictures that the decoder returned at the end.
        self._drained = False  # Whether the decoder was drained.
        self._pictures = 0  # Pictures read in this round.
        self._damaged = 0  # Pictures that could not be decoded, since the last that could.
        self._last: Packet | None = None  # The last packet taken.
        self._looked_at = 0.0  # When the file was last checked; see _watch.

    def _open(self) -> Demuxer:
        self._version = _version(self._path)
        # The prefix keeps FFmpeg from taking a name with a colon for a protocol.
        return Demuxer(
            f"file:{self._path}",
            f"the file {self._path}",
            lambda error: explain_file(error, self._path),
            OPTIONS,
        )

    def grab(self) -> bool:
        """Wait for the next picture, until it is due."""
        if self.info.still:
            return self._watch()
        if self._packet is None and not self._tail:
            self._packet = self._demuxer.read()
            if self._packet is None:
                return self._finish_round()
            self._pictures += 1
            # A packet read after a rest could have been read when the rest began.
            read_at = time.monotonic() if self._rested_at is None else self._rested_at
            self._due = self._playout.due(self._packet.timestamp_s, read_at)
        wait_s = self._due - time.monotonic()
        if wait_s > 0:
            self._rested_at = None
            if self.lazy:
                return False
            native.sleep(min(wait_s, MAX_WAIT_S))
        if wait_s > MAX_WAIT_S:
            return False
        if self._packet is None:
            self._decoder.show(self._tail.pop(0))
            self._await_tail()
        else:
            # Not the time at which a busy machine woke us: B-frames need distinct times.
            self._take(self._packet, self._due)
            self._last, self._packet = self._packet, None
        return True

    @property
    def behind(self) -> bool:
        """Whether more pictures are due already; see :class:`VideoSource`."""
        return self._rested_at is not None

    def rest(self) -> float:
        """Return how long reading may pause now; see :class:`VideoSource`."""
        now = time.monotonic()
        if self.info.still or self._due <= now:
            return 0.0
        self._rested_at = now
        return REST_S

    def retrieve(self, jpeg_up_to: int = 0, pixels_from: int = 0) -> Picture | None:
        """Return the newest picture; for a single picture, always that one."""
        if self.info.still:
            self._newest = self._last  # A JPEG may be passed through.
        try:
            picture = super().retrieve(jpeg_up_to, pixels_from)
            if picture is None and not self.info.still:
                picture = self._read_on(jpeg_up_to, pixels_from)
        except PictureError:
            self._damaged += 1
            raise
        if picture is None and self.info.still:
            picture = self._shown
        if picture is not None:
            self._shown = picture
            self._damaged = 0
        return picture

    def _read_on(self, jpeg_up_to: int, pixels_from: int) -> Picture | None:
        """Return the first picture of a round, for which the decoder may need some later ones.

        Those are read before they are due: otherwise each round would begin with a pause.
        """
        picture = None
        while picture is None and self._pictures <= MAX_DELAYED and not self._drained:
            packet = self._demuxer.read()
            if packet is None:
                break
            self._pictures += 1
            self._take(packet)
            self._last = packet
            picture = super().retrieve(jpeg_up_to, pixels_from)
            self._playout.restart()  # The next one is due a step after this picture.
        return picture

    def _await_tail(self) -> None:
        if self._tail:
            self._due = self._playout.due(None, time.monotonic())

    def _finish_round(self) -> bool:
        if self._pictures == 0:
            raise SourceError(f"the file {self._path} holds no pictures")
        if self._damaged:
            raise SourceError(
                f"the file {self._path} holds {self.info.codec} pictures that cannot be decoded"
            )
        if not self._drained:
            self._drained = True
            # With more pending, nobody has wanted pictures lately, so skip the last ones.
            if not self._loop or self._decoder.pending <= MAX_DELAYED:
                self._tail = self._decoder.end()
            if self._loop and self._pictures == 1:
                self.info = replace(self.info, fps=0.0, polled=True, still=True)
                if self._tail:
                    self._decoder.show(self._tail.pop())
                return True
            self._await_tail()
            return False
        if not self._loop:
            raise SourceEnded("the file has been played to its end")
        self._restart()
        return False

    def _restart(self) -> None:
        """Reopen the file, which may have been replaced."""
        self._demuxer.close()
        self._use(self._open(), live=False)
        self._begin()

    def _watch(self) -> bool:
        """Return whether the file is unchanged; otherwise reopen it once it is written."""
        native.sleep(max(0.0, min(self._looked_at + MAX_WAIT_S - time.monotonic(), MAX_WAIT_S)))
        self._looked_at = time.monotonic()
        found = _version(self._path)
        if found == self._version:
            return True
        native.sleep(MAX_WAIT_S)
        if found == _version(self._path):
            self._restart()
        return False


def _version(path: str) -> tuple[int, ...]:
    """Return values that change when a file is replaced or written to.

    Raises:
        SourceError: If it is missing or cannot be read.
    """
    if missing := why_no_file(path):
        raise SourceError(missing)
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
