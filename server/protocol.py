"""The wire protocol: names and payloads of every event, and frames as bytes.

``docs/protocol.md`` describes it for authors of clients; operators' commands are in
:mod:`server.commands`. Payload models are strict: text and booleans do not count as numbers, and
NaN and infinity, which Python's JSON parser accepts, are rejected. Unknown keys are ignored, so
that newer clients can send more to older servers.
"""

import functools
import json
import math
import struct
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationError,
)

from server.errors import RequestError
from server.ranges import MAX_FPS, MAX_QUALITY, MIN_FPS, MIN_QUALITY

__all__ = [
    "BOUNDARY",
    "FROM_SOURCE",
    "PROTOCOL_VERSION",
    "TEXT",
    "CameraName",
    "CameraPayload",
    "ClockPayload",
    "ControlName",
    "ControlValue",
    "Fps",
    "FromSource",
    "JobName",
    "NoticesPayload",
    "Payload",
    "PlayPayload",
    "PresetName",
    "Quality",
    "SeekPayload",
    "WatchPayload",
    "check_value",
    "is_preset_name",
    "mjpeg_part",
    "parse_payload",
    "picture_head",
    "room_of",
    "socket_head",
    "unit_head",
    "websocket_frame",
]

PROTOCOL_VERSION = 1

BOUNDARY = b"frame"
"""Separates the parts of a multipart stream."""

TEXT, BINARY = 0x1, 0x2
"""WebSocket opcodes, RFC 6455 section 5.2."""

MAX_ACKS = 8
"""The most frames that a client may cover with one acknowledgement."""

MIN_SPEED = 0.25
"""The slowest speed at which the past can be played."""

CameraName = Annotated[str, Field(min_length=1, max_length=40)]
ControlName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,40}$")]
PresetName = Annotated[str, Field(pattern=r"^[^\s\p{C}](?:[^\p{C}]{0,38}[^\s\p{C}])?$")]

JobName = Annotated[str, Field(pattern=r"^[^\s\p{C}](?:[^\p{C}]{0,118}[^\s\p{C}])?$")]
"""The subject of a time-lapse film, such as a printer's file, whose name may be long."""

Fps = Annotated[float, Field(ge=MIN_FPS, le=MAX_FPS)]
Quality = Annotated[int, Field(ge=MIN_QUALITY, le=MAX_QUALITY)]
FromSource = Literal["source"]

FROM_SOURCE: FromSource = "source"
"""For fps and quality, instead of a number: the source's own value."""

PRESET_NAME = TypeAdapter(PresetName, config=ConfigDict(strict=True, defer_build=True))


def _is_finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e15 and math.isfinite(value)


def check_value(value: object) -> bool | float | str | tuple[float, float, float, float]:
    """Return the value if any control could take it; only the camera knows whether its own does.

    Raises:
        ValueError: If no control accepts such a value.
    """
    if isinstance(value, bool) or (isinstance(value, str) and len(value) <= 80):
        return value
    if _is_finite(value):
        return float(value)  # type: ignore[arg-type]
    if isinstance(value, list | tuple) and len(value) == 4 and all(map(_is_finite, value)):
        left, top, width, height = map(float, value)
        return left, top, width, height
    raise ValueError("not a value; accepted: a number, true or false, short text, or four numbers")


def is_preset_name(name: object) -> bool:
    """Return whether a preset may have this name."""
    try:
        PRESET_NAME.validate_python(name)
    except ValidationError:
        return False
    return True


def _check_speed(speed: float) -> float:
    if 0 < abs(speed) < MIN_SPEED:
        raise ValueError(f"accepted: 0, or {MIN_SPEED:g} to 8 in either direction")
    return speed


ControlValue = Annotated[Any, PlainValidator(check_value)]


class Payload(BaseModel):
    """The data a client sends with an event."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, defer_build=True)


class CameraPayload(Payload):
    """``unwatch``."""

    camera: CameraName


class WatchPayload(CameraPayload):
    """``watch``; ``width`` is the tile's, in device pixels.

    ``video`` lists the codecs that the client decodes; ``acks`` is the most frames that it covers
    with one acknowledgement.
    """

    rendition: Annotated[str, Field(min_length=1, max_length=40)] = "full"
    width: Annotated[int, Field(ge=1, le=65535)] | None = None
    video: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=10)] = []
    acks: Annotated[int, Field(ge=1, le=MAX_ACKS)] | None = None


class SeekPayload(CameraPayload):
    """``seek``; ``at`` is in Unix seconds, or null for live. Without ``video``, JPEG is sent.

    With ``packed``, one ``frame`` may carry several units of video.
    """

    at: Annotated[float, Field(ge=0)] | None
    video: bool = True
    packed: bool = False


class PlayPayload(CameraPayload):
    """``play``; ``speed`` is 0 to pause, or 0.25 to 8 in either direction."""

    speed: Annotated[float, Field(ge=-8, le=8), AfterValidator(_check_speed)]


class ClockPayload(Payload):
    """``clock``; ``t`` is the client's clock in Unix seconds, and is sent back unchanged.

    ``round_trip`` is the shortest the client has measured so far, in seconds.
    """

    t: float
    round_trip: Annotated[float, Field(ge=0, le=60)] | None = None


class NoticesPayload(Payload):
    """``notices``: between two times, in Unix seconds, or of one camera."""

    since: Annotated[float | None, Field(ge=0)] = None
    before: Annotated[float | None, Field(ge=0)] = None
    camera: Annotated[str | None, Field(min_length=1, max_length=40)] = None


P = TypeVar("P", bound=Payload)


def parse_payload(kind: type[P], arguments: tuple[object, ...]) -> P:
    """Return the payload in an event's arguments.

    Raises:
        RequestError: ``bad_request``, with the key and what is wrong with it.
    """
    if len(arguments) > 1:
        raise RequestError("bad_request", f"expected one payload, got {len(arguments)}")
    payload = arguments[0] if arguments else {}
    if not isinstance(payload, dict):
        raise RequestError("bad_request", "the payload is not an object")
    try:
        return kind.model_validate(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # Payloads are flat: anything after the key names the member of a union.
        key = first["loc"][0] if first["loc"] else "payload"
        raise RequestError("bad_request", f"{key}: {first['msg']}") from None


def room_of(camera: str) -> str:
    """Return the Socket.IO room of a camera's viewers."""
    return f"camera:{camera}"


def picture_head(
    camera: str, seq: int, at_unix: float, width: int, height: int, rendition: str, size: int
) -> bytes:
    """Return the bytes that precede the ``size`` bytes of a JPEG in its ``frame`` event.

    Write both in one call, because Nagle's algorithm delays the second of two small writes. Names
    need no escaping and Python's numbers are valid JSON, so this formats the text itself.
    """
    text = (
        f'451-["frame",{{"camera":"{camera}","seq":{seq},"at":{at_unix!r},"width":{width},'
        f'"height":{height},"rendition":"{rendition}"}},{{"_placeholder":true,"num":0}}]'
    ).encode()
    return _event_head(text, size)


def socket_head(event: str, header: dict[str, Any], size: int) -> bytes:
    """Return the bytes that precede the ``size`` bytes of a binary Socket.IO event.

    A binary event is two WebSocket messages: the packet with a placeholder (Socket.IO protocol
    revision 5, type 5) inside an Engine.IO message (protocol revision 4, type 4), then the bytes.
    """
    arguments = [event, header, {"_placeholder": True, "num": 0}]
    text = ("451-" + _compact(arguments)).encode()
    return _event_head(text, size)


def unit_head(
    same: tuple[str, str, str, int, int],
    seq: int,
    at_unix: float,
    key: bool,
    size: int,
    catch_up: bool = False,
) -> bytes:
    """Return the bytes that precede a unit of video in its ``frame`` event.

    Args:
        same: The fields that most units share: camera, rendition, codec, width and height.
        seq: Its number.
        at_unix: When it was captured, in Unix seconds.
        key: Whether it can be decoded by itself.
        size: Its length in bytes.
        catch_up: Whether it is only decoded, not painted.
    """
    more = ',"catch_up":true' if catch_up else ""
    text = (
        f'451-["frame",{{{_in_common(*same)},"seq":{seq},"at":{at_unix!r},'
        f'"key":{"true" if key else "false"}{more}}},{{"_placeholder":true,"num":0}}]'
    ).encode()
    return _event_head(text, size)


def _event_head(text: bytes, size: int) -> bytes:
    return b"".join((_frame_head(TEXT, len(text)), text, _frame_head(BINARY, size)))


@functools.lru_cache(maxsize=256)
def _in_common(camera: str, rendition: str, codec: str, width: int, height: int) -> str:
    header = {"camera": camera, "rendition": rendition, "codec": codec}
    return _compact(header | {"width": width, "height": height})[1:-1]


# Created once: json.dumps() with separators creates an encoder on each call.
_compact = json.JSONEncoder(separators=(",", ":")).encode


def websocket_frame(opcode: int, payload: bytes) -> tuple[bytes, bytes]:
    """Return header and payload of a complete, unmasked WebSocket frame, RFC 6455 section 5.2."""
    return _frame_head(opcode, len(payload)), payload


def _frame_head(opcode: int, size: int) -> bytes:
    first = 0x80 | opcode
    if size < 126:
        return struct.pack("!BB", first, size)
    if size < 65536:
        return struct.pack("!BBH", first, 126, size)
    return struct.pack("!BBQ", first, 127, size)


def mjpeg_part(jpeg: bytes, at_unix: float) -> bytes:
    """Return one part of a ``multipart/x-mixed-replace`` stream, closed by the next boundary.

    Browsers show a part once they see its end. If the boundary came with the next picture, the page
    would be a whole frame behind.
    """
    head = (
        f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n"
        f"X-Timestamp: {at_unix:.6f}\r\n\r\n"
    )
    return b"".join((head.encode(), jpeg, b"\r\n--", BOUNDARY, b"\r\n"))
