"""Parses the streams a camera offers, in the Session Description Protocol (RFC 8866). No I/O."""

import base64
import binascii
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from server.capture.rtsp.message import RtspError, read_number
from server.capture.streams.units.h264 import H264
from server.capture.streams.units.h265 import H265
from server.capture.streams.units.maker import Syntax

__all__ = ["Description", "Media", "choose_video", "control_url", "parse_description"]

MAX_MEDIA = 32

# By encoding name (RFC 6184, RFC 7798): FFmpeg's name, and the attributes with parameter sets.
CODECS = {
    "H264": ("h264", ("sprop-parameter-sets",)),
    "H265": ("hevc", ("sprop-vps", "sprop-sps", "sprop-pps")),
}
SYNTAXES: dict[str, Syntax] = {"h264": H264, "hevc": H265}

ABSOLUTE = re.compile(r"rtsps?://", re.I)


@dataclass(slots=True)
class Media:
    """One of the offered streams.

    Attributes:
        kind: ``video``, ``audio`` or another.
        protocol: The transport, such as ``RTP/AVP``.
        payload_type: The payload type of its RTP packets.
        encoding: The encoding's name in upper case; empty if unknown.
        rate: The clock rate of its timestamps, in Hz.
        parameters: The encoding's parameters; names are in lower case.
        control: The URL to set it up with; may be relative.
        fps: The announced frame rate; 0 if there is none.
    """

    kind: str
    protocol: str
    payload_type: int
    encoding: str = ""
    rate: int = 0
    parameters: dict[str, str] = field(default_factory=dict)
    control: str = ""
    fps: float = 0.0

    @property
    def codec(self) -> str:
        """FFmpeg's name of its encoding; empty if it cannot be read here."""
        return CODECS[self.encoding][0] if self._is_supported else ""

    @property
    def _is_supported(self) -> bool:
        plain = self.protocol in ("RTP/AVP", "RTP/AVP/TCP", "RTP/AVPF")
        # FFmpeg reads streams whose packets are not sent in decoding order.
        in_order = (
            self.parameters.get("packetization-mode", "0") in ("0", "1")
            and self.parameters.get("sprop-max-don-diff", "0") == "0"
            and self.parameters.get("tx-mode", "SRST") == "SRST"
        )
        return plain and in_order and self.encoding in CODECS and self.rate > 0

    @property
    def parameter_sets(self) -> list[bytes]:
        """The parameter sets in the description, as NAL units; broken ones are left out."""
        units = []
        for name in CODECS[self.encoding][1] if self.encoding in CODECS else ():
            for text in self.parameters.get(name, "").split(","):
                with suppress(binascii.Error, ValueError):
                    units.append(base64.b64decode(text + "=" * (-len(text) % 4)))
        return [unit for unit in units if unit]

    @property
    def width(self) -> int:
        """The width of its pictures by the description, in pixels; 0 if unknown."""
        syntax = SYNTAXES[self.codec]
        for unit in self.parameter_sets:
            if syntax.kind(unit) == syntax.sequence:
                with suppress(ValueError, IndexError):
                    return syntax.read(unit).width
        return 0


@dataclass(frozen=True, slots=True)
class Description:
    """A session description.

    Attributes:
        media: Its streams.
        control: The URL of the whole session; may be relative.
    """

    media: Sequence[Media]
    control: str


def parse_description(text: bytes) -> Description:
    """Parse a session description; unknown lines are skipped.

    Raises:
        RtspError: If it describes no stream.
    """
    media: list[Media] = []
    session = ""
    for line in re.split(r"[\r\n]+", text.decode("utf-8", "replace")):
        name, equals, value = line.strip().partition("=")
        if name == "m" and equals and len(media) < MAX_MEDIA:
            media.append(_read_media(value))
        elif name == "a" and value.startswith("control:") and not media:
            session = value.partition(":")[2].strip()
        elif name == "a" and media:
            _read_attribute(media[-1], value)
    if not media:
        raise RtspError("it describes no stream")
    return Description(media, session)


def choose_video(description: Description) -> Media | None:
    """Return the widest video, as FFmpeg would choose; None if there is none.

    Raises:
        RtspError: If only FFmpeg can read it.
    """
    videos = [one for one in description.media if one.kind == "video"]
    if not videos:
        return None
    if not all(one.codec for one in videos):
        raise RtspError("its video is not H.264 or H.265 over RTP")
    if len(videos) > 1 and not all(one.width for one in videos):
        raise RtspError("it does not say which of its videos is the widest")
    return max(videos, key=lambda one: one.width)


def control_url(base: str, control: str) -> str:
    """Return the URL to set a stream up with, joined as FFmpeg does it; cameras expect that.

    Args:
        base: The session's URL.
        control: From the description: absolute, relative, or ``*`` for the base.
    """
    if ABSOLUTE.match(control):
        return control
    if control in ("", "*"):
        return base
    return f"{base}{control}" if base.endswith("/") else f"{base}/{control}"


def _read_media(value: str) -> Media:
    kind, _, protocol, number, *_ = (*value.split(), "", "", "", "")
    return Media(kind.lower(), protocol.upper(), read_number(number, -1))


def _read_attribute(media: Media, value: str) -> None:
    name, _, rest = value.partition(":")
    rest = rest.strip()
    if name == "control":
        media.control = rest
    elif name == "framerate":
        with suppress(ValueError):
            media.fps = float(rest)
    elif name in ("rtpmap", "fmtp"):
        number, _, text = rest.partition(" ")
        if number != str(media.payload_type):
            return
        if name == "rtpmap":
            encoding, _, rate = text.strip().partition("/")
            media.encoding = encoding.upper()
            media.rate = read_number(rate.partition("/")[0])
        else:
            for part in text.split(";"):
                key, equals, found = part.strip().partition("=")
                if equals:
                    media.parameters[key.strip().lower()] = found.strip().strip('"')
