"""Sends a camera's videos to their viewers.

A unit that is not a key frame is useless to a viewer that has not had the one before it. So each
viewer has a *chain*: the last frame of its video that it was sent. While the chain holds, the
viewer is sent each frame and *flows*. When a frame could not be sent and it is too late to catch
up, the viewer falls back to JPEG in its room, until its link can carry the frames that it lacks or
a key frame comes.
"""

import time
from collections.abc import Callable, Mapping, Set
from types import MappingProxyType

from server.capture.frames.encoding import encoding_of
from server.capture.interface import CameraInterface
from server.delivery.video import Burst, Video, VideoFrame, VideoViewer, decodes
from server.loop import hub

__all__ = ["VideoFanout", "VideoViewer"]

# Missing frames are sent if that takes no longer than this.
MAX_CATCH_UP_S = 0.25
# The same for an unmeasured link, in bytes: it may be narrow, and sent bytes cannot be recalled. Of
# a larger group the key frame is sent first, to measure the link: it is about as large as a JPEG,
# and need not be decoded and encoded here.
MAX_BLIND_BYTES = 128_000
# Approximate time that a browser takes to decode a frame.
DECODE_S = 0.002
# More time for a key frame: it is about as large as a JPEG, which would take as long.
MAX_KEY_S = 0.5
# The share of a link that a video may take.
MAX_FILL = 0.95

# Assumed for a video whose size is not known yet.
TYPICAL_WIDTH = 1280
TYPICAL_SHAPE = 16, 9

# Approximate overhead of each unit on the wire.
HEAD_BYTES = 240

# Why frames were not sent: the viewer lacked earlier ones, or owed acknowledgements, or the frames
# were replaced before this process got round to sending them.
CHAIN, CREDIT, REPLACED = "chain", "credit", "replaced"


class VideoFanout:
    """The videos of one camera, each with its viewers.

    Args:
        camera: The camera; it is notified of which videos are wanted.
        clock: Monotonic seconds.
        on_flow: Called when a viewer needs no JPEG any more, or needs it again.
        batch_size: Yield to other green threads after this many viewers.
        readers: The names of the videos that are read from their tracks, by reader.
        lazy: The readers that accept units late and several at a time.

    Attributes:
        videos: By the rendition's name.
        watched: Whether any of them has viewers.
    """

    def __init__(
        self,
        camera: CameraInterface,
        clock: Callable[[], float],
        on_flow: Callable[[VideoViewer], None],
        batch_size: int,
        readers: Mapping[object, str] = MappingProxyType({}),
        lazy: Set[object] = frozenset(),
    ) -> None:
        self._camera = camera
        self._clock = clock
        self._on_flow = on_flow
        self._batch_size = batch_size
        self._readers = readers
        self._lazy_readers = lazy
        self.videos = {name: Video(camera.name, track) for name, track in camera.videos.items()}
        self.watched = False
        self._wanted: tuple[list[str], bool] = [], False

    def join(self, viewer: VideoViewer, name: str | None) -> None:
        """Give a viewer a video from now on, or none; it begins with JPEG."""
        video = self.videos.get(name) if name is not None else None
        if viewer.video is video and video is not None:
            return
        self.leave(viewer)
        viewer.video, viewer.chain = video, 0
        if video is not None:
            if not video.viewers:
                video.update()  # The pump skips videos without viewers.
            video.viewers[viewer.key] = viewer
            viewer.accounted = video.track.taken
        self.update_camera()

    def leave(self, viewer: VideoViewer) -> None:
        """Stop sending a viewer video."""
        video, viewer.video, viewer.flows = viewer.video, None, False
        if video is not None:
            video.viewers.pop(viewer.key, None)
            self.update_camera()

    def kbps_of(self, name: str) -> float:
        """Return a video's bit rate in kilobits per second; estimated if not yet measured."""
        video, camera = self.videos[name], self._camera
        kbps = video.kbps or video.track.kbps
        if not kbps:  # Assume the rate of our own encoder.
            kbps = encoding_of(camera.width or TYPICAL_WIDTH, TYPICAL_SHAPE).kbps
        return kbps + camera.rate * HEAD_BYTES * 8 / 1000

    def serve(self, viewer: VideoViewer) -> None:
        """Send the missing frames to a viewer that became ready between two frames."""
        video = viewer.video
        if video is not None and video.newest is not None and video.newest.seq > viewer.chain:
            self._offer(video, viewer, self._clock())

    def pump(self) -> None:
        """Send all new frames."""
        for video in self.videos.values():
            if video.viewers and video.update():
                self._pump(video)

    def _pump(self, video: Video) -> None:
        frame = video.newest
        if frame is None:
            for viewer in list(video.viewers.values()):
                if viewer.flows:
                    self._fall_back(viewer)
            return
        previous = video.previous_seq
        viewers = list(video.viewers.values())
        for begin in range(0, len(viewers), self._batch_size):
            if begin:
                hub.sleep(0)
            now, sent = self._clock(), 0
            for viewer in viewers[begin : begin + self._batch_size]:
                follows = viewer.chain == previous and viewer.flows
                if follows and viewer.send_video(frame, now) is None:
                    self._advance(video, viewer, frame, frame)
                    sent += 1
                elif viewer.video is video and not self._offer(video, viewer, now):
                    self._drop(viewer, frame.number + 1, CHAIN)
            self._count(video, frame, sent, sent)

    def _offer(self, video: Video, viewer: VideoViewer, now: float) -> bool:
        """Send a viewer all missing frames; return False and leave it on JPEG if they are too many.

        A viewer that cannot take them now is served once it can, unless it is too far behind then.
        """
        frame = video.newest
        if frame is None or frame.seq < viewer.last_seq or frame.seq == viewer.chain:
            return True
        missing, key = video.missing(viewer.chain), video.key
        if missing is not None and key is not None and self._measures(viewer, key, *missing):
            if viewer.chain == key.seq:
                return True  # Wait for its acknowledgement, which measures the link.
            frame, missing = key, (1, key.size)
        suits = viewer.flows or self._suits(video, frame, viewer)
        if not suits or missing is None or not self._fits(video, viewer, *missing):
            if suits and not video.track.passed_through:
                self._camera.request_key(video.name)
            if not viewer.flows:
                return False
            self._drop(viewer, frame.number + 1, CREDIT)
            self._fall_back(viewer)
            return True
        # Do not paint a picture again that it has had as JPEG.
        painted = frame.seq > viewer.last_seq
        one = frame if painted and missing[0] == 1 else video.burst(viewer.chain, painted)
        if viewer.send_video(one, now) is not None:
            return True
        self._advance(video, viewer, one.frames[0] if isinstance(one, Burst) else one, frame)
        self._count(video, one, 1, int(painted))
        if not viewer.flows:
            viewer.flows = True
            self._on_flow(viewer)
        return True

    def _measures(self, viewer: VideoViewer, key: VideoFrame, count: int, size: int) -> bool:
        """Return whether to send a group's key frame alone, to measure the link."""
        if viewer.link.is_known or count == 1:
            return False
        if viewer.chain == key.seq:
            return key.size + size > MAX_BLIND_BYTES
        took_s = viewer.link.send_s(size) + (count - 1) * DECODE_S
        is_news = not viewer.flows and key.seq > viewer.last_seq
        fits = key.size <= MAX_BLIND_BYTES and took_s <= MAX_CATCH_UP_S
        return size > MAX_BLIND_BYTES and is_news and fits

    def _suits(self, video: Video, frame: VideoFrame, viewer: VideoViewer) -> bool:
        """Return whether a viewer can decode a video and its link can carry it."""
        fits = video.kbps * 1000 <= MAX_FILL * viewer.link.rate_bps
        return fits and decodes(viewer.codecs, frame.unit.codec)

    def _fits(self, video: Video, viewer: VideoViewer, count: int, size: int) -> bool:
        """Return whether a viewer's missing frames can be sent in time on its link."""
        took_s = viewer.link.send_s(size) + (count - 1) * DECODE_S
        if viewer.flows:
            # After a single key frame allow more: its measurement includes the start of the
            # decoder, and a JPEG would have to be decoded here first.
            is_first = video.key is not None and viewer.chain == video.key.seq
            return count == 1 or took_s <= (MAX_KEY_S if is_first else MAX_CATCH_UP_S)
        if count == 1:
            return took_s <= MAX_KEY_S
        if size > MAX_BLIND_BYTES and not viewer.link.is_known:
            return False
        return took_s <= min(MAX_CATCH_UP_S, video.key_in_s)

    def _fall_back(self, viewer: VideoViewer) -> None:
        """Give a viewer JPEG until it can start a new chain."""
        viewer.flows = False
        viewer.miss(CREDIT)
        self._on_flow(viewer)

    def _advance(
        self, video: Video, viewer: VideoViewer, first: VideoFrame, last: VideoFrame
    ) -> None:
        """Record what a viewer was sent, and count the frames it missed of an older group."""
        if first.number > viewer.accounted:
            was_ready = viewer.chain == video.updated_seq
            why = CHAIN if not viewer.flows else REPLACED if was_ready else CREDIT
            self._drop(viewer, first.number, why)
        viewer.accounted = last.number + 1
        viewer.chain = viewer.last_seq = last.seq

    def _drop(self, viewer: VideoViewer, end: int, why: str) -> None:
        """Count the frames before number ``end`` that a viewer was not sent, each once."""
        self._camera.meter.drops[why] += max(0, end - viewer.accounted)
        viewer.accounted = max(end, viewer.accounted)

    def _count(self, video: Video, one: VideoFrame | Burst, viewers: int, painted: int) -> None:
        """Count a frame or burst that was sent to ``viewers`` viewers."""
        meter = self._camera.meter
        meter.sent += painted
        meter.sent_bytes += viewers * one.size
        meter.sent_age_s += painted * (time.time() - one.at_unix)
        video.sent_bytes += viewers * one.size

    def update_camera(self) -> None:
        """Tell the camera which videos are needed, if that has changed."""
        held, videos = self._readers.values(), self.videos.values()
        names = [one.name for one in videos if one.viewers or one.name in held]
        self.watched = any(one.viewers for one in videos)
        eager = self.watched or self._readers.keys() - self._lazy_readers
        wanted = names, bool(names) and not eager
        if wanted != self._wanted:
            self._wanted = wanted
            self._camera.set_videos(*wanted)
