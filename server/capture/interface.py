"""The interface of a camera for delivery and control, whichever node owns the camera."""

from collections.abc import Collection, Mapping
from typing import Any, Literal, Protocol

from server.capture.frames.rendition import Rendition
from server.capture.frames.slot import Slot
from server.capture.frames.video_track import VideoTrack
from server.commands import CameraCommand
from server.metrics import Meter

__all__ = ["CameraInterface", "Owner", "State", "offered"]

State = Literal["idle", "starting", "live", "stalled", "retrying", "ended", "stopped"]


class Owner(Protocol):
    """The other node that owns a camera.

    Attributes:
        figures: Its measurements of the camera, as in the ``stats`` event.
    """

    @property
    def figures(self) -> Mapping[str, Any]: ...

    def execute(self, who: str, command: CameraCommand) -> None:
        """Have the node carry out an operator's command; return once that is done.

        Raises:
            RequestError: The node's error, or ``unavailable`` if it does not answer in time.
        """


class CameraInterface(Protocol):
    """One camera: its newest frame and its state.

    Attributes:
        name: Used in URLs, rooms and events.
        title: Shown to people.
        slot: Holds its newest frame.
        meter: Counts its frames in this process.
        ladder: Its renditions, the largest first.
        owner: The other node that owns it; None if this process does.
        videos: Its videos by rendition name; empty if it can have none.
        prefers_video: Whether video is encoded for every viewer that can decode it, not only for
            those whose link is too slow for JPEG.
    """

    name: str
    title: str
    slot: Slot
    meter: Meter
    ladder: tuple[Rendition, ...]
    videos: Mapping[str, VideoTrack]
    prefers_video: bool

    @property
    def owner(self) -> Owner | None: ...

    @property
    def state(self) -> State: ...

    @property
    def reason(self) -> str: ...

    @property
    def rate(self) -> float: ...

    @property
    def encoding_quality(self) -> int: ...

    @property
    def width(self) -> int: ...

    def slot_of(self, rendition: Rendition) -> Slot: ...

    def describe(self) -> dict[str, Any]: ...

    def set_viewers(self, viewers: int) -> None: ...

    def set_renditions(self, renditions: Collection[Rendition]) -> None:
        """Set which renditions are watched as JPEG; without any, no picture needs decoding."""

    def set_videos(self, renditions: Collection[str], lazy: bool = False) -> None:
        """Set which of its videos are wanted; the others get no units, and lose what they have.

        Args:
            renditions: Their names.
            lazy: Whether units may be sent in batches, up to half a second late.
        """

    def request_key(self, rendition: str) -> None:
        """Ask for a key frame in a video that is encoded here, at most one a second.

        Does nothing for a video that is passed through: its key frames are up to the source.
        """

    def request_frame(self) -> None:
        """Request the next picture of its source, whatever the set frame rate."""


def offered(camera: CameraInterface) -> list[Rendition]:
    """Return the renditions that are smaller than the camera's pictures, and the full one."""
    width = camera.width
    return [one for one in camera.ladder if not width or one.width is None or one.scales(width)]
