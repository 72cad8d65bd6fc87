"""The interface of a source, and the function that opens one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from server.capture.devices.controls import ControlInfo, Value
from server.capture.frames.arrivals import Arrivals
from server.capture.frames.frame import Picture
from server.capture.frames.info import SourceInfo
from server.config.address import NETWORK_SCHEMES, Address

if TYPE_CHECKING:
    from server.capture.motion.motion_picture import MotionPicture
    from server.capture.streams.units.maker import Encoded

__all__ = ["Source", "VideoSource", "open_source", "video_of"]


class Source(Protocol):
    """A source of pictures. Every method blocks and is called natively, by one caller.

    Cameras use sources through a :class:`server.capture.sources.reader.Reader`.
    """

    info: SourceInfo
    arrivals: Arrivals
    """Measurements of what arrives; the source adds each picture that it grabs."""

    def grab(self) -> bool:
        """Wait for the next picture; return False if there is none yet.

        Raises:
            SourceEnded: If the source ended normally.
            SourceError: If the source is lost; says why.
        """

    def retrieve(self, jpeg_up_to: int = 0, pixels_from: int = 0) -> Picture | None:
        """Return the last grabbed picture, which may have to be decoded.

        None means that there is none yet, for example before the first key frame.

        Args:
            jpeg_up_to: The highest quality at which the source's own JPEG is accepted, 1 to 100; 0
                if pixels are needed.
            pixels_from: The minimum width of the pixels wanted beside a JPEG; 0 for no pixels.

        Raises:
            PictureError: If it cannot be decoded; the next one may be.
            SourceError: If the source is lost.
        """

    def controls(self) -> tuple[ControlInfo, ...]:
        """Return the controls, in the order in which several must be set."""

    def set_control(self, name: str, value: Value) -> Value:
        """Set a control between two pictures; return its new value.

        Args:
            name: The name of one of :meth:`controls`.
            value: As :meth:`ControlInfo.fit` returns it.

        Raises:
            ControlError: If the value is rejected; says which value the source keeps.
        """

    def close(self) -> None:
        """Release the device, file or connection."""


@runtime_checkable
class VideoSource(Protocol):
    """A source of encoded video, which can be passed on as it is.

    Attributes:
        lazy: Set to True while nobody waits for pictures, to grab several at a time.
        came_at: When the newest picture arrived, in monotonic seconds.
    """

    lazy: bool
    came_at: float

    @property
    def behind(self) -> bool:
        """Whether more pictures have arrived already, after a rest."""

    def rest(self) -> float:
        """Return how long grabbing may pause now, in seconds; only while it is lazy."""

    @property
    def at_key(self) -> bool:
        """Whether the last grabbed picture is a key frame."""

    @property
    def undecoded(self) -> int:
        """How many pictures must be decoded to see the newest one."""

    def motion_picture(self) -> "MotionPicture | None":
        """Return the newest picture, small and grey; None if there is none yet.

        Raises:
            PictureError: If it cannot be decoded.
        """

    def set_on_unit(self, on_picture: "Callable[[Encoded | None], None] | None") -> None:
        """Call ``on_picture`` with each encoded picture as soon as it is grabbed.

        It gets None for a picture that is damaged or cannot be passed on. Pass None to stop.
        """


def video_of(source: Source) -> VideoSource | None:
    """Return the video source itself, or that of a command's output; None if it is not a video."""
    found = getattr(source, "output", source)
    return found if isinstance(found, VideoSource) else None


def open_source(address: Address, name: str, timeout_s: float) -> Source:
    """Open the source at ``address``; blocks for up to about ``timeout_s`` seconds.

    Args:
        address: The source's address.
        name: The camera's name, which the test pattern shows.
        timeout_s: Limit for a network source to open and, later, to deliver a picture.

    Raises:
        SourceError: If it cannot be opened; says why.
    """
    # Each kind of source loads only what it needs: OpenCV alone takes 26 MB.
    if address.scheme == "test":
        from server.capture.sources.testpattern import TestPattern

        return TestPattern(name, **TestPattern.read_options(address.options))
    if address.scheme == "device":
        from server.capture.devices.opencv import DeviceVideo

        return DeviceVideo(address.target)
    if address.scheme == "exec":
        from server.capture.sources.command import CommandSource

        return CommandSource(address, timeout_s)
    if address.scheme == "file":
        from server.capture.streams.file import FileVideo

        return FileVideo(address.target, loop=address.options.get("loop", "1") == "1")
    assert address.scheme in NETWORK_SCHEMES
    if address.scheme in ("rtsp", "rtsps"):
        from server.capture.rtsp.opening import open_rtsp

        return open_rtsp(address, timeout_s)
    if address.scheme in ("http", "https"):
        from server.capture.sources.http import open_http

        return open_http(address, timeout_s, _open_stream)
    return _open_stream(address, timeout_s)


def _open_stream(address: Address, timeout_s: float) -> Source:
    from server.capture.sources.http import fetcher
    from server.capture.streams.stream import open_stream

    # FFmpeg itself would connect to any address, unchecked.
    fetch = fetcher(address, timeout_s) if address.guarded else None
    return open_stream(address, timeout_s, fetch=fetch)
