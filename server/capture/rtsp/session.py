"""What is said to open a camera's video and to keep it coming. No I/O.

``ask`` sends a request and returns the answer, which is not a refusal.
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

# RFC 2326, 12.37.
TIMEOUT_S = 60.0
LEAST_TIMEOUT_S = 2.0

TRANSPORT = "RTP/AVP/TCP;unicast;interleaved=0-1"
CHANNELS = re.compile(r"interleaved=(\d{1,3})(?:-(\d{1,3}))?", re.I)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a camera offers.

    Attributes:
        base: The session's address.
        video: The video to ask for; None if there is none.
        has_sound: Whether there is sound.
        takes_parameters: Whether the camera knows GET_PARAMETER.
    """

    base: str
    video: Media | None
    has_sound: bool
    takes_parameters: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A video that was set up.

    Attributes:
        base: Its address.
        name: Its name, which each further request tells.
        channel: Of its packets of RTP; those of RTCP come on :attr:`reports`.
        reports: See there.
        alive_s: How often the camera wants to hear of us.
    """

    base: str
    name: str
    channel: int
    reports: int
    alive_s: float

    def request(self, method: str, *headers: tuple[str, str]) -> Request:
        """Return a request about it."""
        named = (("Session", self.name),) if self.name else ()
        return Request((*named, *headers), method=method, url=self.base)


def describe(ask: Ask, url: str) -> Offer:
    """Ask what there is at a URL.

    Raises:
        RtspError: If the answer cannot be understood, or is nothing for this reader.
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
    """Have a video set up, to be sent in the connection itself.

    Raises:
        RtspError: If the camera would send it another way.
    """
    url = control_url(base, video.control)
    answer = ask(Request((("Transport", TRANSPORT),), method="SETUP", url=url))
    transport = answer.header("transport")
    if not re.match(r"RTP/AVPF?/TCP\b", transport, re.I):
        raise RtspError("it does not send in the connection")
    found = CHANNELS.search(transport)
    channel = int(found[1]) if found else 0
    reports = int(found[2]) if found and found[2] else channel + 1
    name, _, options = answer.header("session").partition(";")
    timeout = re.search(r"timeout\s*=\s*(\d+)", options, re.I)
    # Some cameras that have none say 0.
    timeout_s = float(read_number(timeout[1]) if timeout else 0) or TIMEOUT_S
    return Session(base, name.strip(), channel, reports, max(timeout_s, LEAST_TIMEOUT_S) / 2)
