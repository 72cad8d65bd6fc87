"""Waits for the first picture of a response, as long as one may still come."""

import time
from collections.abc import Callable
from typing import TypeVar

from werkzeug.exceptions import NotAcceptable, ServiceUnavailable

from server.capture.interface import CameraInterface
from server.delivery.encoder import EncodedFrame
from server.delivery.fanout import Fanout
from server.delivery.mjpeg import FrameWaiter
from server.delivery.mp4.muxer import Muxer
from server.delivery.mp4_stream import Mp4Viewer
from server.errors import PictureError

__all__ = ["first_frame", "first_unit", "require_video"]

# Longer than a camera takes to open, shorter than a user's patience.
FIRST_FRAME_S = 8.0

# How often the camera's state is checked while waiting for a picture.
STATE_CHECK_S = 0.2

# Time for a camera that failed while nobody watched to try again.
RETRIED_S = 2.0

# Time from a camera's first picture until its video must be known.
KNOWN_S = 3.0

# Longest interval between two pictures to wait for.
MAX_INTERVAL_S = 60.0

Waited = TypeVar("Waited")


def require_video(fanout: Fanout, rendition: str, known: bool = False) -> None:
    """Answer 406 if a camera has no video in a rendition.

    Args:
        fanout: The camera's fanout.
        rendition: Name of the rendition.
        known: Whether the camera's video, if it has one, must be known by now.

    Raises:
        NotAcceptable: If there is none; the message has the path of the camera's MJPEG.
    """
    name, track = fanout.camera.name, fanout.camera.videos.get(rendition)
    if track is None or (known and track.codec is None):
        raise NotAcceptable(f"camera {name} has no video; MJPEG is at /video_feed/{name}")


def first_frame(fanout: Fanout, rendition: str, max_age_s: float) -> EncodedFrame:
    """Return the first frame that is recent enough; request one from the camera if needed.

    Raises:
        ServiceUnavailable: If none came; the message has the camera's state and the reason.
    """
    waiter = FrameWaiter(fanout, rendition)

    def take(timeout_s: float) -> EncodedFrame | None:
        frame = waiter.next(timeout_s)
        # A frame in the future is old as well: it is from before the clock was set back.
        if frame is None or abs(time.time() - frame.at_unix) <= max_age_s:
            return frame
        fanout.camera.request_frame()
        return None

    try:
        return wait_for(fanout, take)
    finally:
        waiter.leave()


def first_unit(fanout: Fanout, rendition: str, viewer: Mp4Viewer) -> tuple[Muxer, bytes]:
    """Return the muxer and the first bytes of a viewer's MP4.

    Raises:
        ServiceUnavailable: If there is no picture; the message has the camera's state and reason.
        NotAcceptable: If the camera works but has no video.
    """
    live_since = float("inf")

    def take(timeout_s: float) -> tuple[Muxer, bytes] | None:
        nonlocal live_since
        if fanout.camera.state == "live":
            live_since = min(live_since, time.monotonic())
        require_video(fanout, rendition, known=time.monotonic() > live_since + KNOWN_S)
        return viewer.first(timeout_s)

    try:
        return wait_for(fanout, take, keys_only=True)
    except PictureError as error:
        raise ServiceUnavailable(f"camera {fanout.camera.name}: {error}") from error


def wait_for(
    fanout: Fanout, take: Callable[[float], Waited | None], keys_only: bool = False
) -> Waited:
    """Call ``take`` until it returns something, and return that.

    Args:
        fanout: The camera's fanout.
        take: Waits up to that many seconds; returns None if nothing came.
        keys_only: Whether it waits for a key frame.

    Raises:
        ServiceUnavailable: If nothing came; the message has the camera's state and the reason.
    """
    camera = fanout.camera
    began = time.monotonic()
    lost = camera.meter.lost
    while time.monotonic() < began + FIRST_FRAME_S + _interval_s(camera, keys_only):
        taken = take(STATE_CHECK_S)
        if taken is not None:
            return taken
        if camera.state in ("ended", "stopped"):
            break
        tried = camera.meter.lost != lost or time.monotonic() > began + RETRIED_S
        if camera.state == "retrying" and tried:
            break
    reason = camera.reason or "nothing came in time"
    raise ServiceUnavailable(f"camera {camera.name} is {camera.state}: {reason}")


def _interval_s(camera: CameraInterface, keys_only: bool) -> float:
    """Return the source's interval between pictures, in seconds; 0 if unknown."""
    state = camera.describe()
    fps, source = state["source_fps"], state["source"]
    pictures = (keys_only and source and source["group"]) or 1
    return min(pictures / fps, MAX_INTERVAL_S) if fps else 0.0
