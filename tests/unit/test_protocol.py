"""The wire contract: payloads, and frames as bytes that other implementations can read."""

import math
from email.parser import BytesParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from socketio import packet as socketio_packet
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from server import protocol
from server.commands import COMMANDS, Quit, SetFps, SetMotion, SetQuality
from server.config.models import CAMERA_NAME
from server.errors import RequestError
from server.protocol import (
    BINARY,
    TEXT,
    CameraPayload,
    ClockPayload,
    NoticesPayload,
    Payload,
    WatchPayload,
    mjpeg_part,
    parse_payload,
    picture_head,
    room_of,
    socket_head,
    unit_head,
    websocket_frame,
)

KINDS = [CameraPayload, ClockPayload, NoticesPayload, WatchPayload, *COMMANDS.values()]

anything_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("kind", "sent", "expected"),
    [
        (CameraPayload, {"camera": "door"}, {"camera": "door"}),
        (CameraPayload, {"camera": "door", "colour": 1}, {"camera": "door"}),
        (
            WatchPayload,
            {"camera": "door"},
            {"camera": "door", "rendition": "full", "width": None, "video": [], "acks": None},
        ),
        (
            WatchPayload,
            {"camera": "door", "rendition": "auto", "width": 640, "video": ["h264"], "acks": 4},
            {"camera": "door", "rendition": "auto", "width": 640, "video": ["h264"], "acks": 4},
        ),
        (SetFps, {"camera": "door", "fps": 0.1}, {"camera": "door", "fps": 0.1}),
        (SetFps, {"camera": "door", "fps": 120}, {"camera": "door", "fps": 120.0}),
        (SetFps, {"camera": "door", "fps": "source"}, {"camera": "door", "fps": "source"}),
        (
            SetQuality,
            {"camera": "door", "quality": "source"},
            {"camera": "door", "quality": "source"},
        ),
        (SetQuality, {"camera": "door", "quality": 1}, {"camera": "door", "quality": 1}),
        (SetQuality, {"camera": "door", "quality": 100}, {"camera": "door", "quality": 100}),
        (ClockPayload, {"t": 1.5}, {"t": 1.5, "round_trip": None}),
        (ClockPayload, {"t": 1.5, "round_trip": 0.2}, {"t": 1.5, "round_trip": 0.2}),
        (NoticesPayload, {}, {"since": None, "before": None, "camera": None}),
        (
            NoticesPayload,
            {"since": 1.5, "before": 9, "camera": "door"},
            {"since": 1.5, "before": 9.0, "camera": "door"},
        ),
        (Quit, {}, {}),
        (Quit, {"anything": 1}, {}),
    ],
)
def test_valid_payload_is_accepted(
    kind: type[Payload], sent: object, expected: dict[str, Any]
) -> None:
    """A payload that the contract allows is accepted, and unknown keys are ignored."""
    assert parse_payload(kind, (sent,)).model_dump() == expected


def test_missing_payload_counts_as_empty() -> None:
    """``quit`` may come without arguments."""
    assert parse_payload(Quit, ()) == Quit()


@pytest.mark.parametrize(
    ("kind", "arguments", "named"),
    [
        (CameraPayload, (), "camera"),
        (CameraPayload, ({"camera": ""},), "camera"),
        (CameraPayload, ({"camera": "x" * 41},), "camera"),
        (CameraPayload, ({"camera": 1},), "camera"),
        (CameraPayload, ({"camera": None},), "camera"),
        (CameraPayload, ({"camera": ["door"]},), "camera"),
        (CameraPayload, ("door",), "payload"),
        (CameraPayload, (b"door",), "payload"),
        (CameraPayload, (None,), "payload"),
        (CameraPayload, ([{"camera": "door"}],), "payload"),
        (CameraPayload, ({"camera": "door"}, {}), "got 2"),
        (WatchPayload, ({"camera": "door", "width": 0},), "width"),
        (WatchPayload, ({"camera": "door", "width": 65536},), "width"),
        (WatchPayload, ({"camera": "door", "width": 1.5},), "width"),
        (WatchPayload, ({"camera": "door", "rendition": ""},), "rendition"),
        (WatchPayload, ({"camera": "door", "video": "h264"},), "video"),
        (WatchPayload, ({"camera": "door", "video": [1]},), "video"),
        (WatchPayload, ({"camera": "door", "acks": 0},), "acks"),
        (WatchPayload, ({"camera": "door", "acks": 9},), "acks"),
        (SetFps, ({"camera": "door"},), "fps"),
        (SetFps, ({"camera": "door", "fps": "5"},), "fps"),
        (SetFps, ({"camera": "door", "fps": True},), "fps"),
        (SetFps, ({"camera": "door", "fps": 0},), "fps"),
        (SetFps, ({"camera": "door", "fps": 120.1},), "fps"),
        (SetFps, ({"camera": "door", "fps": math.nan},), "fps"),
        (SetFps, ({"camera": "door", "fps": math.inf},), "fps"),
        (SetFps, ({"camera": "door", "fps": 10**400},), "fps"),
        (SetQuality, ({"camera": "door", "quality": 80.0},), "quality"),
        (SetQuality, ({"camera": "door", "quality": True},), "quality"),
        (SetQuality, ({"camera": "door", "quality": 0},), "quality"),
        (SetQuality, ({"camera": "door", "quality": 101},), "quality"),
        (SetMotion, ({"camera": "door", "on": 1},), "on"),
        (SetMotion, ({"camera": "door", "sensitivity": 101},), "sensitivity"),
        (SetMotion, ({"camera": "door", "min_size": 0},), "min_size"),
        (SetMotion, ({"camera": "door", "min_s": -1},), "min_s"),
        (SetMotion, ({"camera": "door", "zones": [[[0, 0], [1, 1]]]},), "zones"),
        (SetMotion, ({"camera": "door", "zones": [[[0, 0], [1, 1], [0, 1.1]]]},), "zones"),
        (SetMotion, ({"camera": "door", "zones": [[[0, 0], [1, 1], [0, math.nan]]]},), "zones"),
        (SetMotion, ({"camera": "door", "zones": [[[0, 0]] * 3] * 17},), "zones"),
        (ClockPayload, ({"t": math.nan},), "t"),
        (ClockPayload, ({"t": "now"},), "t"),
        (NoticesPayload, ({"since": -1},), "since"),
        (NoticesPayload, ({"since": "yesterday"},), "since"),
        (NoticesPayload, ({"before": math.inf},), "before"),
        (NoticesPayload, ({"before": True},), "before"),
        (NoticesPayload, ({"camera": ""},), "camera"),
        (NoticesPayload, ({"camera": ["door"]},), "camera"),
    ],
)
def test_invalid_payload_is_rejected(
    kind: type[Payload], arguments: tuple[object, ...], named: str
) -> None:
    """An invalid payload is a bad request, and the error names the key."""
    with pytest.raises(RequestError) as caught:
        parse_payload(kind, arguments)

    assert caught.value.code == "bad_request"
    assert named in str(caught.value)


@given(st.sampled_from(KINDS), st.lists(anything_json | st.binary(max_size=4), max_size=3))
def test_any_arguments_are_accepted_or_rejected(
    kind: type[Payload], arguments: list[object]
) -> None:
    """Parsing any arguments accepts or rejects them, without another exception."""
    try:
        payload = parse_payload(kind, tuple(arguments))
    except RequestError as error:
        refusal = error
    else:
        assert isinstance(payload, kind)
        return

    assert refusal.code == "bad_request"
    assert len(str(refusal)) < 500


@given(st.sampled_from(KINDS), st.data())
def test_values_out_of_range_are_never_accepted(kind: type[Payload], data: st.DataObject) -> None:
    """Known keys with arbitrary values never let a value out of range through."""
    values = data.draw(
        st.fixed_dictionaries({}, optional=dict.fromkeys(kind.model_fields, anything_json))
    )

    try:
        payload = parse_payload(kind, (values,)).model_dump()
    except RequestError:
        return

    assert 0.1 <= payload.get("fps", 1) <= 120
    assert 1 <= payload.get("quality", 1) <= 100
    assert math.isfinite(payload.get("t", 0))
    assert 1 <= len(payload.get("camera") or "x") <= 40


def test_each_camera_has_its_own_room() -> None:
    """Two cameras do not share a room."""
    assert room_of("door") != room_of("yard")


def read_websocket(data: bytes) -> list[Frame]:
    """Return the frames that a browser would read; fail if it would close the connection."""
    client = Protocol(Side.CLIENT, max_size=None)
    client.receive_data(data)
    assert client.state is State.OPEN, client.close_exc
    frames = client.events_received()
    assert all(isinstance(frame, Frame) for frame in frames)
    return frames  # type: ignore[return-value]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
def test_websocket_frame_is_read_back(size: int) -> None:
    """Each of the three length forms, at its limits, can be read by the other side."""
    payload = bytes(size)

    (frame,) = read_websocket(b"".join(websocket_frame(BINARY, payload)))

    assert (frame.opcode, frame.fin) == (Opcode.BINARY, True)
    assert frame.data == payload
    assert (frame.rsv1, frame.rsv2, frame.rsv3) == (False, False, False)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=300)), max_size=5))
def test_websocket_frames_stay_separate(messages: list[tuple[bool, bytes]]) -> None:
    """Messages written one after the other are read back one by one."""
    payloads = [data.hex().encode() if text else data for text, data in messages]
    kinds = [TEXT if text else BINARY for text, _ in messages]

    stream = b"".join(
        part
        for kind, payload in zip(kinds, payloads, strict=True)
        for part in websocket_frame(kind, payload)
    )

    assert [(frame.opcode, frame.data) for frame in read_websocket(stream)] == list(
        zip(kinds, payloads, strict=True)
    )


headers = st.fixed_dictionaries(
    {
        "camera": st.text(max_size=40),
        "seq": st.integers(0, 2**53),
        "at": st.floats(0, 4e9),
        "width": st.integers(1, 65535),
        "rendition": st.just("full"),
    }
)


@given(st.text(min_size=1, max_size=10).filter(lambda text: text), headers, st.binary())
def test_packet_is_a_socketio_event(event: str, header: dict[str, Any], data: bytes) -> None:
    """python-socketio can read both WebSocket messages of a frame from one buffer."""
    first, second = read_websocket(socket_head(event, header, len(data)) + data)

    assert (first.opcode, second.opcode) == (Opcode.TEXT, Opcode.BINARY)
    text = bytes(first.data).decode()
    assert text[0] == "4", "an Engine.IO message"
    packet = socketio_packet.Packet(encoded_packet=text[1:])
    assert packet.add_attachment(bytes(second.data)), "one attachment completes it"
    assert packet.packet_type == socketio_packet.BINARY_EVENT
    assert packet.namespace in (None, "/")
    assert packet.id is None
    assert packet.data == [event, header, data]


def test_packet_matches_socketio_byte_for_byte() -> None:
    """Byte for byte, the packet is what python-socketio would send in two messages."""
    header = {"camera": "door", "seq": 7, "at": 1.25, "width": 64, "height": 48}
    theirs = socketio_packet.Packet(
        socketio_packet.EVENT, data=["frame", header, b"jpeg"], binary=True
    )
    text, attachment = theirs.encode()

    first, second = read_websocket(socket_head("frame", header, 4) + b"jpeg")

    assert bytes(first.data).decode() == "4" + text
    assert bytes(second.data) == attachment


@given(
    st.from_regex(CAMERA_NAME, fullmatch=True),
    st.integers(0, 2**53),
    st.floats(0, 4e9),
    st.binary(),
)
def test_picture_head_matches_the_event_head(
    camera: str, seq: int, at_unix: float, jpeg: bytes
) -> None:
    """It equals the head of the same event byte for byte, for any valid camera name."""
    header = {"camera": camera, "seq": seq, "at": at_unix}
    header |= {"width": 64, "height": 48, "rendition": "320"}

    head = picture_head(camera, seq, at_unix, 64, 48, "320", len(jpeg))

    assert head == socket_head("frame", header, len(jpeg))


@given(st.integers(0, 2**53), st.floats(0, 4e9), st.booleans(), st.booleans(), st.binary())
def test_unit_is_a_socketio_event(
    seq: int, at_unix: float, key: bool, catch_up: bool, data: bytes
) -> None:
    """Its header identifies the unit, and mentions catching up only where needed."""
    same = "door", "full", "avc1.64001f", 640, 360
    head = unit_head(same, seq, at_unix, key, len(data), catch_up)

    first, second = read_websocket(head + data)

    packet = socketio_packet.Packet(encoded_packet=bytes(first.data).decode()[1:])
    packet.add_attachment(bytes(second.data))
    header = {"camera": "door", "rendition": "full", "codec": "avc1.64001f"}
    header |= {"width": 640, "height": 360, "seq": seq, "at": at_unix, "key": key}
    assert packet.data == ["frame", header | ({"catch_up": True} if catch_up else {}), data]


def read_multipart(stream: bytes) -> list[tuple[dict[str, str], bytes]]:
    """Return the parts between the boundaries, read by Content-Length."""
    assert stream.startswith(b"--frame\r\n")
    parts = []
    rest = stream.removeprefix(b"--frame\r\n")
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        fields = {k.lower(): v for k, v in BytesParser().parsebytes(head + b"\r\n\r\n").items()}
        size = int(fields["content-length"])
        parts.append((fields, rest[:size]))
        assert rest[size:].startswith(b"\r\n--frame\r\n")
        rest = rest[size:].removeprefix(b"\r\n--frame\r\n")
    return parts


@given(st.lists(st.tuples(st.binary(), st.floats(0, 4e9)), max_size=4))
def test_multipart_stream_is_read_back(pictures: list[tuple[bytes, float]]) -> None:
    """Every part has its type, length and time, and ends with the next boundary."""
    stream = b"--frame\r\n" + b"".join(mjpeg_part(jpeg, at_unix) for jpeg, at_unix in pictures)

    parts = read_multipart(stream)

    assert [body for _, body in parts] == [jpeg for jpeg, _ in pictures]
    for (fields, _), (_, at_unix) in zip(parts, pictures, strict=True):
        assert fields["content-type"] == "image/jpeg"
        assert abs(float(fields["x-timestamp"]) - at_unix) < 1e-5


def test_multipart_part_ends_with_the_boundary() -> None:
    """The boundary follows directly; sent with the next picture, it would delay each by a frame."""
    assert mjpeg_part(b"jpeg", 1).endswith(b"jpeg\r\n--frame\r\n")


def test_header_is_strict_json() -> None:
    """A packet's text is compact JSON that a browser can parse."""
    (first, _) = read_websocket(socket_head("frame", {"title": 'a "b" ä'}, 0))

    expected = '451-["frame",{"title":"a \\"b\\" \\u00e4"},{"_placeholder":true,"num":0}]'
    assert bytes(first.data).decode() == expected


def test_every_payload_is_exported() -> None:
    """Each payload model is in the module's ``__all__``."""
    kinds = {name for name, value in vars(protocol).items() if name.endswith("Payload")}

    assert kinds <= set(protocol.__all__)
