"""Waits for the first picture of an answer, while there is a prospect of one."""

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

# Longer than a camera takes to open, shorter than people are willing to wait.
FIRST_FRAME_S = 8.0

# How often the camera's state is checked while waiting for a picture.
STATE_CHECK_S = 0.2

# How long a camera that failed while nobody watched has to try again.
RETRIED_S = 2.0

# How long after its first picture a camera may still find out which video it has.
KNOWN_S = 3.0

# The longest time between two pictures that is waited for.
MAX_INTERVAL_S = 60.0

Waited = TypeVar("Waited")


def require_video(fanout: Fanout, rendition: str, known: bool = False) -> None:
    """Answer 406 if there is no such video.

    Args:
        fanout: Of the camera.
        rendition: Which video.
        known: Whether it is known by now what the camera can do.

    Raises:
        NotAcceptable: The message has the address of the camera's MJPEG.
    """
    name, track = fanout.camera.name, fanout.camera.videos.get(rendition)
    if track is None or (known and track.codec is None):
        raise NotAcceptable(
            f"camera {name} has no such video; as MJPEG it is at /video_feed/{name}"
        )


def first_frame(fanout: Fanout, rendition: str, max_age_s: float) -> EncodedFrame:
    """Return the first frame that is fresh enough, requesting one from the camera if needed.

    Raises:
        ServiceUnavailable: If there is none; the message has the camera's state and the reason.
    """
    waiter = FrameWaiter(fanout, rendition)

    def take(timeout_s: float) -> EncodedFrame | None:
        frame = waiter.next(timeout_s)
        # A frame from before the clock was set back has a time in the future, and is old too.
        if frame is None or abs(time.time() - frame.at_unix) <= max_age_s:
            return frame
        fanout.camera.request_frame()
        return None

    try:
        return wait_for(fanout, take)
    finally:
        waiter.leave()


def first_unit(fanout: Fanout, rendition: str, viewer: Mp4Viewer) -> tuple[Muxer, bytes]:
    """Return what begins a viewer's MP4.

    Raises:
        ServiceUnavailable: If there is no picture; the message has the camera's state and reason.
        NotAcceptable: If the camera works, but makes no video.
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
    """Return what ``take``, which waits for so many seconds, returns in the end.

    Args:
        fanout: Of the camera.
        take: Returns None if nothing came.
        keys_only: Whether it waits for a key picture.

    Raises:
        ServiceUnavailable: If it is nothing; the message has the camera's state and the reason.
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
    """Return how long the source takes from one picture to the next; 0 if that is not known."""
    told = camera.describe()
    fps, source = told["source_fps"], told["source"]
    pictures = (keys_only and source and source["group"]) or 1
    return min(pictures / fps, MAX_INTERVAL_S) if fps else 0.0
