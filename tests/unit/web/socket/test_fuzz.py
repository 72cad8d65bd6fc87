"""Random input wherever clients can write: bytes on a WebSocket, events, JSON and payloads."""

import math
import random
import socket
from functools import cache
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server import protocol
from server.commands import COMMANDS
from server.delivery.fanout import Fanout
from server.errors import RequestError
from server.loop import hub
from server.web.socket.message_filter import Json, Verdict, check_message
from server.web.socket.session import Session
from server.web.socket.websocket import MAX_MESSAGE_BYTES, WebSocket
from tests.support.fakes import offline_camera, settle, until

FUZZ = settings(max_examples=80, derandomize=True)

PAYLOADS = [
    protocol.CameraPayload,
    protocol.WatchPayload,
    protocol.NoticesPayload,
    protocol.ClockPayload,
    *COMMANDS.values(),
]

MESSAGES = [
    b'42["watch",{"camera":"test"}]',
    b'421["fps",{"camera":"test","fps":5}]',
    b'42["ack","test",1]',
    b"40",
    b"41",
    b"3",
    b'451-["x",{"_placeholder":true,"num":0}]',
    '42["watch",{"camera":"t\u00fcr"}]'.encode(),
]

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["test", 10**100, -1, 0, 1e999, float("nan"), "30"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["camera", "fps", "quality", "t", "width", "rendition"]) | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


def frame(payload: bytes, opcode: int, fin: bool, reserved: int, masked: bool, key: bytes) -> bytes:
    """Return a client's WebSocket frame, valid or not."""
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    mask = 0x80 if masked else 0
    size = len(payload)
    head = (
        bytes([first, mask | size])
        if size < 126
        else bytes([first, mask | 126]) + size.to_bytes(2, "big")
    )
    if not masked:
        return head + payload
    return head + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


frames = st.builds(
    frame,
    payload=st.sampled_from(MESSAGES) | st.binary(max_size=200) | st.just(b"4" * 5000),
    opcode=st.sampled_from([0, 1, 1, 1, 2, 8, 9, 10]) | st.integers(0, 15),
    fin=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 0, 1, 4, 7]),
    masked=st.sampled_from([True, True, True, False]),
    key=st.binary(min_size=4, max_size=4),
)


class Line:
    """One of the server's WebSockets, read as Engine.IO reads it, and its peer."""

    def __init__(self) -> None:
        listener = hub.listen("127.0.0.1", 0)
        self.peer = socket.socket()
        self.peer.connect(listener.getsockname())
        self._server, _ = listener.accept()
        listener.close()
        self.refused: list[str] = []
        self.websocket = WebSocket(self._server, self.refused.append)
        self.got: list[Any] = []
        self._task = hub.spawn(self._read)

    def _read(self) -> None:
        while (message := self.websocket.wait()) is not None:
            self.got.append(message)

    def expect_end(self) -> None:
        """Close the peer; the reader must end, and must not have raised."""
        self.peer.close()
        until(lambda: self._task.done)
        assert self.websocket.closed
        self._server.close()
        settle(2)


def feed(data: bytes, cuts: list[int]) -> Line:
    """Send bytes in pieces that arrive separately."""
    line = Line()
    edges = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    for start, end in pairwise(edges):
        try:
            line.peer.send(data[start:end])
        except OSError:
            break  # It may be cut off.
        settle(2)
    line.expect_end()
    return line


def test_reading_survives_random_frames(capfd: pytest.CaptureFixture[str]) -> None:
    """For any frames, split anywhere, the reader ends cleanly and only passes valid text on."""

    @FUZZ
    @given(
        sent=st.lists(frames, max_size=6).map(b"".join) | st.binary(max_size=300),
        cuts=st.lists(st.integers(0, 10_000), max_size=5),
    )
    def hold(sent: bytes, cuts: list[int]) -> None:
        for message in feed(sent, cuts).got:
            assert isinstance(message, str)
            assert len(message.encode()) <= MAX_MESSAGE_BYTES
            assert check_message(message) is Verdict.PASS

    hold()

    # An exception in a callback of the hub is only printed.
    assert "Traceback" not in capfd.readouterr().err


def test_reading_survives_mutated_frames(capfd: pytest.CaptureFixture[str]) -> None:
    """Flipped bits, and lost, doubled or swapped bytes in a valid frame do no harm."""

    @FUZZ
    @given(message=st.sampled_from(MESSAGES), chance=st.randoms(use_true_random=False))
    def hold(message: bytes, chance: random.Random) -> None:
        data = bytearray(frame(message, 1, True, 0, True, b"\1\2\3\4"))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] ^= 1 << chance.randrange(8)
                case 1:
                    del data[at]
                case 2:
                    data[at:at] = data[at : at + chance.randint(1, 8)]
                case _:
                    data[at] = chance.randrange(256)

        got = feed(bytes(data), [chance.randrange(100)]).got

        assert all(isinstance(one, str) for one in got)

    hold()

    assert "Traceback" not in capfd.readouterr().err


@FUZZ
@given(
    st.text(max_size=80)
    | st.sampled_from(MESSAGES).map(bytes.decode)
    | st.tuples(st.sampled_from(["42", "421", "42/x,", "4299999999999", "45", "40"]), anything).map(
        lambda pair: pair[0] + Json.dumps(pair[1])
    )
)
def test_any_text_gets_a_verdict(message: str) -> None:
    """No text raises; an accepted event is a list whose name is text and not reserved."""
    verdict = check_message(message)

    assert verdict in Verdict
    if verdict is Verdict.PASS and message.startswith("42"):
        name, *_ = Json.loads(message[message.index("[") :])
        assert isinstance(name, str)
        assert name not in ("connect", "disconnect")


@FUZZ
@given(st.text(alphabet='[]{}",:0123456789.eE+-truefalsnNaInity \\u', max_size=60))
def test_json_parses_or_raises_value_error(text: str) -> None:
    """Text that is nearly JSON gives a value or a ValueError, and nothing else."""
    try:
        Json.loads(text)
    except ValueError:
        pass


@cache
def draw_arguments() -> list[tuple[object, ...]]:
    """Return event arguments, drawn once and tried with all payloads."""
    drawn = []

    @FUZZ
    @given(st.lists(anything, max_size=2))
    def draw(arguments: list[object]) -> None:
        drawn.append(tuple(arguments))

    draw()
    return drawn


@pytest.mark.parametrize("kind", PAYLOADS, ids=lambda kind: kind.__name__)
def test_payloads_are_exact_or_rejected(kind: type[protocol.Payload]) -> None:
    """For any arguments, a payload has its declared types, or the error says why not."""
    refusals: list[RequestError] = []

    for arguments in draw_arguments():
        try:
            payload = protocol.parse_payload(kind, arguments)
        except RequestError as error:
            refusals.append(error)
            continue
        given_values: Any = arguments[0] if arguments else {}
        assert isinstance(given_values, dict)
        for key, value in payload.model_dump().items():
            info = kind.model_fields[key]
            if key not in given_values:
                assert value == info.default
                continue
            assert not isinstance(value, bool)
            assert value == given_values[key]
            if isinstance(value, float):
                assert math.isfinite(value)
            assert isinstance(value, tuple(get_args(info.annotation)) or info.annotation)

    assert all(error.code == "bad_request" and str(error) for error in refusals)


def test_arbitrary_acks_are_harmless() -> None:
    """Acknowledgements bypass the event parsers, so they are tried with anything too."""
    websocket: Any = SimpleNamespace(admitted=False, busy=False, offer=lambda packet: True)
    session = Session("sid", websocket, "ann", "operator", 2)
    session.watch(Fanout(offline_camera("test")))

    @FUZZ
    @given(name=st.just("test") | anything, seq=anything)
    def hold(name: object, seq: object) -> None:
        session.acknowledge(name, seq)

    hold()
