"""The messages in which a child reports events."""

import json
import os

import pytest

from server.capture.frames.event_report import EventReport
from server.capture.isolation.channel import Kind, Link, Message
from server.capture.isolation.event_reports import read_event_report, send_event_report


@pytest.mark.parametrize(
    "one",
    [
        EventReport("motion", 1.5, 0.25, (0.0, 0.25, 0.5, 0.75), jpeg=b"\xff\xd8" * 40_000),
        EventReport("motion", 2.5, None, None, True),
    ],
)
def test_event_report_survives_a_round_trip(one: EventReport) -> None:
    """A report arrives intact, with a picture too large for one message or without a picture."""
    ours, theirs = Link.pair()
    with theirs:
        child = Link(theirs)
        send_event_report(child, one)
        message = ours.receive(1.0)
    ours.close()

    assert message is not None
    assert message.kind is Kind.EVENT_REPORT
    assert read_event_report(message) == one
    if message.fd >= 0:
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(message.fd)


@pytest.mark.parametrize(
    "told",
    [
        *(None, [], {}, ["motion", 1.0, 0.5, None]),
        ["motion", "now", 0.5, None, False],
        ["motion", 1.0, True, None, False],
        ["motion", float("nan"), 0.5, None, False],
        ["motion", 1.0, 0.5, [0, 0, 1], False],
        ["motion", 1.0, 0.5, "here", False],
    ],
)
def test_invalid_event_report_is_rejected(told: object) -> None:
    """A child reads untrusted input, so an attacker may control it."""
    with pytest.raises(ValueError):
        read_event_report(Message(Kind.EVENT_REPORT, json.dumps(told).encode(), -1))


def test_pipe_is_rejected_as_a_picture() -> None:
    """A pipe instead of memory is rejected: reading it would block."""
    read, write = os.pipe()
    told = json.dumps(["motion", 1.0, 0.5, None, False]).encode()
    with pytest.raises(OSError, match="seek"):
        read_event_report(Message(Kind.EVENT_REPORT, told, read))
    os.close(write)
