"""The requests that set up a camera's video. No I/O.

``ask`` sends a request and returns the response; it raises an error for a refusal.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from server.capture.rtsp.description import (
    ABSOLUTE,
    Media,
    choose_video,
    control_url,
    parse_description,
)
from server.capture.rtsp.message import Request, Response, RtspError, read_number

__all__ = ["Offer", "Session", "describe", "set_up"]

Ask = Callable[[Request], Response]

# The default of RFC 2326, 12.37.
TIMEOUT_S = 60.0
MIN_TIMEOUT_S = 2.0

TRANSPORT = "RTP/AVP/TCP;unicast;interleaved=0-1"
CHANNELS = re.compile(r"interleaved=(\d{1,3})(?:-(\d{1,3}))?", re.I)


@dataclass(frozen=True, slots=True)
class Offer:
    """The streams that a camera offers.

    Attributes:
        base: The session's URL.
        video: The video to set up; None if there is none.
        has_sound: Whether there is sound.
        takes_parameters: Whether the camera supports GET_PARAMETER.
    """

    base: str
    video: Media | None
    has_sound: bool
    takes_parameters: bool


@dataclass(frozen=True, slots=True)
class Session:
    """The RTSP session of a video.

    Attributes:
        base: Its URL.
        name: Its ID, which every later request carries.
        channel: The interleaved channel of its RTP packets.
        reports: The interleaved channel of its RTCP packets.
        alive_s: Interval of keep-alive requests: half the session's timeout.
    """

    base: str
    name: str
    channel: int
    reports: int
    alive_s: float

    def request(self, method: str, *headers: tuple[str, str]) -> Request:
        """Return a request in this session."""
        named = (("Session", self.name),) if self.name else ()
        return Request((*named, *headers), method=method, url=self.base)


def describe(ask: Ask, url: str) -> Offer:
    """Ask which streams a URL offers.

    Raises:
        RtspError: If the response is invalid, or only FFmpeg can read its video.
    """
    public = ask(Request(method="OPTIONS", url=url)).header("public")
    answer = ask(Request((("Accept", "application/sdp"),), method="DESCRIBE", url=url))
    described = parse_description(answer.body)
    named = (described.control, answer.header("content-base"), answer.header("content-location"))
    base = next((one for one in named if ABSOLUTE.match(one)), url)
    return Offer(
        base=base,
        video=choose_video(described),
        has_sound=any(one.kind == "audio" for one in described.media),
        takes_parameters="GET_PARAMETER" in public.upper(),
    )


def set_up(ask: Ask, base: str, video: Media) -> Session:
    """Set up a video, interleaved in the RTSP connection.

    Raises:
        RtspError: If the camera insists on another transport.
    """
    url = control_url(base, video.control)
    answer = ask(Request((("Transport", TRANSPORT),), method="SETUP", url=url))
    transport = answer.header("transport")
    if not re.match(r"RTP/AVPF?/TCP\b", transport, re.I):
        raise RtspError("it does not send over the RTSP connection")
    found = CHANNELS.search(transport)
    channel = int(found[1]) if found else 0
    reports = int(found[2]) if found and found[2] else channel + 1
    name, _, options = answer.header("session").partition(";")
    timeout = re.search(r"timeout\s*=\s*(\d+)", options, re.I)
    # Some cameras without a timeout send 0.
    timeout_s = float(read_number(timeout[1]) if timeout else 0) or TIMEOUT_S
    return Session(base, name.strip(), channel, reports, max(timeout_s, MIN_TIMEOUT_S) / 2)
