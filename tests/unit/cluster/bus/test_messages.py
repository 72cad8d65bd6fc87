"""Messages between nodes, and which of them are rejected."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.capture.frames.arrivals import Figures
from server.capture.frames.info import SourceInfo
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
    request_of,
)
from server.commands import (
    CameraCommand,
    Preset,
    Reset,
    SetControl,
    SetFps,
    SetMotion,
    SetQuality,
    Start,
    Stop,
)
from server.errors import RequestError
from tests.support.fakes import offline_camera

NODE = "0123456789abcdef"

KINDS: list[type[Message]] = [Presence, Wake, Request, Reply, Notice]


def request(**changes: Any) -> bytes:
    said = {"id": "a", "node": NODE, "camera": "door", "action": "fps", "fps": 5, "who": "ann"}
    return json.dumps(said | changes).encode()


def test_camera_state_survives_the_round_trip() -> None:
    """A camera's own STATE survives the round trip."""
    camera = offline_camera()
    camera.tuning.set("crop", [0.1, 0.1, 0.5, 0.5])
    camera.tuning.save_preset("Desk")
    status = Status(**camera.describe())
    presence = Presence(node=NODE, host="h", cameras=[status])

    assert parse_message(Presence, presence.model_dump_json().encode()) == presence


def test_processor_state_is_passed_on_and_optional() -> None:
    """The processors' state passes too; an older node sends none."""
    process = [{"name": "annotate", "state": "stuck", "message": "has not returned", "ms": None}]
    process[0]["errors"] = 3
    told = offline_camera().describe() | {"process": process}

    assert Status(**told).model_dump()["process"] == process
    del told["process"]
    assert Status(**told).model_dump()["process"] == []


def test_unknown_keys_are_ignored() -> None:
    """Newer nodes may send keys that this one does not know."""
    assert parse_message(Request, request(mood="good")).camera == "door"


@pytest.mark.parametrize(
    "changes",
    [
        {"node": "xyz"},
        {"node": None},
        {"camera": "../door"},
        {"camera": ""},
        {"action": "format"},
        {"action": "quit"},
        {"fps": "5"},
        {"fps": True},
        {"fps": 0},
        {"fps": 1e9},
        {"action": "quality", "quality": 0},
        {"action": "quality", "quality": 5.5},
        {"who": ""},
        {"who": "x" * 81},
        {"id": "x" * 41},
    ],
)
def test_invalid_values_are_rejected(changes: dict[str, Any]) -> None:
    """Types are strict, and everything has a bound."""
    with pytest.raises(MessageError):
        parse_message(Request, request(**changes))


@pytest.mark.parametrize("data", [b"NaN", b"[" * 100_000, b"{}" * 400_000, b"\xff", b"null"])
@pytest.mark.parametrize("kind", KINDS)
def test_malformed_messages_are_rejected(kind: type[Message], data: bytes) -> None:
    """Noise, nesting and excess size end in MessageError."""
    with pytest.raises(MessageError):
        parse_message(kind, data)


@given(st.sampled_from(KINDS), st.binary(max_size=300))
def test_random_bytes_raise_only_message_error(kind: type[Message], data: bytes) -> None:
    """Random bytes raise MessageError and nothing else."""
    try:
        parse_message(kind, data)
    except MessageError:
        pass


def test_keys_missing_from_older_nodes_get_defaults() -> None:
    """A STATE without controls, presets or source is read as having none."""
    told = offline_camera().describe()
    for key in ("controls", "presets", "preset", "source"):
        del told[key]

    status = parse_message(Status, json.dumps(told).encode())

    assert (status.controls, status.presets, status.preset, status.source) == ([], [], None, None)


@pytest.mark.parametrize("known", [True, False])
def test_source_figures_survive_the_round_trip(known: bool) -> None:
    """A source's known figures pass between nodes, and unknown ones stay unknown."""
    camera = offline_camera()
    info = SourceInfo(1280, 720, 0.0, "h264", live=True)
    camera._measured.opened(info)
    if known:
        camera._measured.update(Figures(fps=29.97, kbps=1900.4, group=60), info)
    told = camera.describe()

    status = parse_message(Status, json.dumps(told).encode())

    assert status.model_dump()["source"] == told["source"]
    assert (told["source"]["group"], told["source"]["kbps"]) == (
        (60, 1900) if known else (None,) * 2
    )


COMMANDS: list[tuple[CameraCommand, dict[str, Any]]] = [
    (Start(camera="door"), {"action": "start"}),
    (Stop(camera="door"), {"action": "stop"}),
    (SetFps(camera="door", fps=5.0), {"action": "fps", "fps": 5.0}),
    (SetFps(camera="door", fps="source"), {"action": "fps", "fps": "source"}),
    (
        SetMotion(camera="door", on=True, zones=[[[0, 0], [1, 0.5], [0, 1]]]),
        {"action": "motion", "on": True, "zones": [[[0, 0], [1, 0.5], [0, 1]]]}
        | dict.fromkeys(("sensitivity", "min_size", "min_s")),
    ),
    (SetQuality(camera="door", quality=40), {"action": "quality", "quality": 40}),
    (SetQuality(camera="door", quality="source"), {"action": "quality", "quality": "source"}),
    *(
        (
            SetControl(camera="door", control=name, value=value),
            {"action": "control", "control": name, "value": value},
        )
        for name, value in [
            ("brightness", 12.0),
            ("mirror", "both"),
            ("autofocus", False),
            ("crop", [0.0, 0.1, 0.5, 0.5]),
        ]
    ),
    (Reset(camera="door"), {"action": "reset", "control": None}),
    (Reset(camera="door", control="zoom"), {"action": "reset", "control": "zoom"}),
    (
        Preset(camera="door", preset="Night, 2nd", do="save"),
        {"action": "preset", "preset": "Night, 2nd", "do": "save"},
    ),
]

HEAD = {"id": "a", "node": NODE, "camera": "door", "who": "ann"}


@pytest.mark.parametrize(("command", "fields"), COMMANDS)
def test_command_arrives_unchanged(command: CameraCommand, fields: dict[str, Any]) -> None:
    """A command crosses the bus as flat fields and arrives unchanged."""
    data = request_of(command, id="a", node=NODE, who="ann").model_dump_json().encode()

    assert json.loads(data) == HEAD | fields
    assert parse_message(Request, data).command == command


@pytest.mark.parametrize(("command", "fields"), COMMANDS)
def test_request_from_an_older_node_is_understood(
    command: CameraCommand, fields: dict[str, Any]
) -> None:
    """Nodes of the previous version send the fields of all commands, null where unused."""
    unset = dict.fromkeys(("fps", "quality", "control", "value", "preset", "do"))
    data = json.dumps(HEAD | unset | fields).encode()

    assert parse_message(Request, data).command == command


def test_incomplete_request_is_rejected() -> None:
    """A control without a value is rejected as a bad request."""
    half = parse_message(Request, request(action="control", fps=None, control="zoom"))

    with pytest.raises(RequestError, match="control: a required field is missing"):
        half.command  # noqa: B018


def test_incomplete_request_is_not_copied_to_the_audit_log() -> None:
    """Fields are only checked together, so none of an incomplete request can be trusted."""
    half = parse_message(Request, request(action="control", control={"long": "x" * 9999}))

    assert half.details() == {"camera": "door"}


def test_request_details_are_formatted_for_the_audit_log() -> None:
    """Numbers appear as ``value`` and areas as text, whichever node the operator uses."""
    crop = request(action="control", control="crop", value=[0, 0, 0.5, 1])

    assert parse_message(Request, request()).details() == {"camera": "door", "value": 5.0}
    assert parse_message(Request, crop).details() == {
        "camera": "door",
        "control": "crop",
        "value": "(0.0, 0.0, 0.5, 1.0)",
    }
