"""What a camera offers, by the Session Description Protocol of RFC 8866. No I/O."""

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

# By the names of RFC 6184 and RFC 7798: FFmpeg's name, and where parameter sets stand.
CODECS = {
    "H264": ("h264", ("sprop-parameter-sets",)),
    "H265": ("hevc", ("sprop-vps", "sprop-sps", "sprop-pps")),
}
SYNTAXES: dict[str, Syntax] = {"h264": H264, "hevc": H265}

ABSOLUTE = re.compile(r"rtsps?://", re.I)


@dataclass(slots=True)
class Media:
    """One of the streams that are offered.

    Attributes:
        kind: ``video``, ``audio`` or another.
        protocol: As in ``RTP/AVP``.
        payload_type: What its packets of RTP are marked with.
        encoding: Its name, in capital letters; empty if it is not told.
        rate: Of its time stamps, a second.
        parameters: Of the encoding; the names are in small letters.
        control: Where to ask for it; may be relative.
        fps: The pictures a second that it promises; 0 for none.
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
        """FFmpeg's name of its encoding; empty if it is none that is read here."""
        return CODECS[self.encoding][0] if self._is_ours else ""

    @property
    def _is_ours(self) -> bool:
        plain = self.protocol in ("RTP/AVP", "RTP/AVP/TCP", "RTP/AVPF")
        # Packets that come in another order than they are to be decoded in are left to others.
        in_order = (
            self.parameters.get("packetization-mode", "0") in ("0", "1")
            and self.parameters.get("sprop-max-don-diff", "0") == "0"
            and self.parameters.get("tx-mode", "SRST") == "SRST"
        )
        return plain and in_order and self.encoding in CODECS and self.rate > 0

    @property
    def parameter_sets(self) -> list[bytes]:
        """The NAL units that the description brings; broken ones are left out."""
        units = []
        for name in CODECS[self.encoding][1] if self.encoding in CODECS else ():
            for text in self.parameters.get(name, "").split(","):
                with suppress(binascii.Error, ValueError):
                    units.append(base64.b64decode(text + "=" * (-len(text) % 4)))
        return [unit for unit in units if unit]

    @property
    def width(self) -> int:
        """Of its pictures, by the description; 0 if that does not tell."""
        syntax = SYNTAXES[self.codec]
        for unit in self.parameter_sets:
            if syntax.kind(unit) == syntax.sequence:
                with suppress(ValueError, IndexError):
                    return syntax.read(unit).width
        return 0


@dataclass(frozen=True, slots=True)
class Description:
    """A session.

    Attributes:
        media: Its streams.
        control: Where to ask for all of them; may be relative.
    """

    media: Sequence[Media]
    control: str


def parse_description(text: bytes) -> Description:
    """Return what a session description says; what is not understood is skipped.

    Raises:
        RtspError: If it describes nothing.
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
    """Return the video that FFmpeg would take: of several the widest; None if there is none.

    Raises:
        RtspError: If it is to be read by FFmpeg.
    """
    videos = [one for one in description.media if one.kind == "video"]
    if not videos:
        return None
    if not all(one.codec for one in videos):
        raise RtspError("its video is not H.264 or H.265 over RTP")
    if len(videos) > 1 and not all(one.width for one in videos):
        raise RtspError("it does not tell which of its videos is the widest")
    return max(videos, key=lambda one: one.width)


def control_url(base: str, control: str) -> str:
    """Return where to ask for something; FFmpeg joins them like this, and cameras expect it.

    Args:
        base: The session's address.
        control: As in the description: absolute, relative, or ``*`` for the base.
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
        number, _, said = rest.partition(" ")
        if number != str(media.payload_type):
            return
        if name == "rtpmap":
            encoding, _, rate = said.strip().partition("/")
            media.encoding = encoding.upper()
            media.rate = read_number(rate.partition("/")[0])
        else:
            for part in said.split(";"):
                key, equals, found = part.strip().partition("=")
                if equals:
                    media.parameters[key.strip().lower()] = found.strip().strip('"')
