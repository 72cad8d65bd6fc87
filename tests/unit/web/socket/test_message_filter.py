"""Which client messages are passed to Engine.IO."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.web.socket.message_filter import Json, Verdict, check_message


@pytest.mark.parametrize(
    "message",
    [
        "3",
        "40",
        "40{}",
        '40{"token":"x"}',
        "40/admin,",
        '42["watch",{"camera":"door"}]',
        '420["watch",{"camera":"door"}]',
        '4212["quit",{}]',
        '42["nonsense"]',
        '42/admin,3["watch",{}]',
    ],
)
def test_valid_message_passes(message: str) -> None:
    """Messages that dashboards and standard clients send are passed."""
    assert check_message(message) is Verdict.PASS


@pytest.mark.parametrize("message", ["1", "41", "41/,", "41/admin,"])
def test_disconnect_message_ends_the_connection(message: str) -> None:
    """Engine.IO's or Socket.IO's: there is one namespace, and no reason to stay."""
    assert check_message(message) is Verdict.LEAVE


@pytest.mark.parametrize(
    "message",
    [
        "42",
        "42[",
        '42{"a":1}',
        "42[]",
        "42[1]",
        "42[null,2]",
        "42" + "[" * 5000,
        '42["connect"]',
        '42["disconnect","x"]',
        '42["connect_error"]',
    ],
)
def test_malformed_event_is_dropped(message: str) -> None:
    """A malformed event, or one with a name reserved for the server, is ignored."""
    assert check_message(message) is Verdict.DROP


@pytest.mark.parametrize(
    "message",
    ["", "0", "5", "6", "x", "4", "43[]", "430[1]", "44", '451-["a",{}]', "46", b"", b"\x00x"],
)
def test_protocol_violation_ends_the_connection(message: str | bytes) -> None:
    """Messages that our clients never send end the connection: binary, with attachments, acks."""
    assert check_message(message) is Verdict.END


@given(st.text() | st.binary() | st.text().map(lambda text: "42" + text))
def test_any_message_gets_a_verdict(message: str | bytes) -> None:
    """No message makes the check raise."""
    assert check_message(message) in Verdict


def test_huge_integer_is_parsed_as_infinity() -> None:
    """A number of thousands of digits costs nothing and is out of every range."""
    assert Json.loads('{"fps":' + "9" * 6000 + "}") == {"fps": float("inf")}
    assert check_message('42["fps",' + "9" * 6000 + "]") is Verdict.PASS
    assert Json.loads("[1,2.5]") == [1, 2.5]


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists))
def test_json_behaves_like_the_standard_module(value: object) -> None:
    """Ordinary values survive the round trip."""
    assert Json.loads(Json.dumps(value)) == json.loads(json.dumps(value)) == value
