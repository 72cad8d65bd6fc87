"""What nodes say to each other, and what is not believed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.capture.interface import Argument, PresetOrder, Setting
from server.cluster.bus.messages import (
    Message,
    MessageError,
    Notice,
    Presence,
    Reply,
    Request,
    Status,
    Wake,
    parse_message,
)
from server.cluster.incoming.rpc import argument_of, write_argument
from server.errors import RequestError
from tests.support.fakes import offline_camera

NODE = "0123456789abcdef"

KINDS: list[type[Message]] = [Presence, Wake, Request, Reply, Notice]


def request(**changes: Any) -> bytes:
    said = {"id": "a", "node": NODE, "camera": "door", "action": "fps", "fps": 5, "who": "ann"}
    return json.dumps(said | changes).encode()


def test_every_camera_can_be_told() -> None:
    """STATE as a camera describes itself passes, there and back."""
    camera = offline_camera()
    camera.tuning.set("crop", [0.1, 0.1, 0.5, 0.5])
    camera.tuning.save_preset("Desk")
    status = Status(**camera.describe())
    presence = Presence(node=NODE, host="h", cameras=[status])

    assert parse_message(Presence, presence.model_dump_json().encode()) == presence


def test_processing_is_told_and_may_be_left_out() -> None:
    """How processors do passes too; an older node says nothing of it."""
    process = [{"name": "annotate", "state": "stuck", "message": "has not returned", "ms": None}]
    process[0]["errors"] = 3
    told = offline_camera().describe() | {"process": process}

    assert Status(**told).model_dump()["process"] == process
    del told["process"]
    assert Status(**told).model_dump()["process"] == []


def test_newer_nodes_may_say_more() -> None:
    """Unknown keys are skipped."""
    assert parse_message(Request, request(mood="good")).camera == "door"


@pytest.mark.parametrize(
    "changes",
    [
        {"node": "xyz"},
        {"node": None},
        {"camera": "../door"},
        {"camera": ""},
        {"action": "format"},
        {"fps": "5"},
        {"fps": True},
        {"fps": 0},
        {"fps": 1e9},
        {"quality": 0},
        {"quality": 5.5},
        {"who": ""},
        {"who": "x" * 81},
        {"id": "x" * 41},
    ],
)
def test_wrong_values_are_refused(changes: dict[str, Any]) -> None:
    """Types are strict and everything has a bound."""
    with pytest.raises(MessageError):
        parse_message(Request, request(**changes))


@pytest.mark.parametrize("data", [b"NaN", b"[" * 100_000, b"{}" * 400_000, b"\xff", b"null"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_message_is_refused(kind: type[Message], data: bytes) -> None:
    """Noise, nesting and size end in MessageError."""
    with pytest.raises(MessageError):
        parse_message(kind, data)


@given(st.sampled_from(KINDS), st.binary(max_size=300))
def test_noise_is_refused_in_one_way(kind: type[Message], data: bytes) -> None:
    """Whatever comes, nothing but MessageError does."""
    try:
        parse_message(kind, data)
    except MessageError:
        pass


def test_older_nodes_say_less() -> None:
    """A STATE without controls and presets is one without any."""
    told = offline_camera().describe()
    for key in ("controls", "presets", "preset"):
        del told[key]

    status = parse_message(Status, json.dumps(told).encode())

    assert (status.controls, status.presets, status.preset) == ([], [], None)


@pytest.mark.parametrize(
    ("action", "value"),
    [
        ("fps", 5.0),
        ("quality", 40),
        ("fps", "source"),
        ("quality", "source"),
        ("stop", None),
        ("control", Setting("brightness", 12.0)),
        ("control", Setting("mirror", "both")),
        ("control", Setting("autofocus", False)),
        ("control", Setting("crop", (0.0, 0.1, 0.5, 0.5))),
        ("reset", Setting(None)),
        ("reset", Setting("zoom")),
        ("preset", PresetOrder("Night, 2nd", "save")),
    ],
)
def test_what_is_asked_arrives(action: Any, value: Argument) -> None:
    """What an action takes crosses the bus as it is."""
    asked = Request(
        id="a", node=NODE, camera="door", action=action, who="ann", **write_argument(action, value)
    )

    heard = parse_message(Request, asked.model_dump_json().encode())

    assert argument_of(heard) == value


def test_half_a_request_is_refused() -> None:
    """A control without a value is no wish."""
    half = parse_message(Request, request(action="control", fps=None, control="zoom"))

    with pytest.raises(RequestError, match="control: what it takes is missing"):
        argument_of(half)
