"""How a child reports what happened."""

import json
import os

import pytest

from server.capture.frames.happening import Happening
from server.capture.isolation.channel import Kind, Link, Message
from server.capture.isolation.happenings import read_happening, send_happening


@pytest.mark.parametrize(
    "one",
    [
        Happening("motion", 1.5, 0.25, (0.0, 0.25, 0.5, 0.75), jpeg=b"\xff\xd8" * 40_000),
        Happening("motion", 2.5, None, None, True),
    ],
)
def test_it_goes_there_and_back(one: Happening) -> None:
    """With a picture that is larger than a message may be, and without."""
    ours, theirs = Link.pair()
    with theirs:
        child = Link(theirs)
        send_happening(child, one)
        message = ours.receive(1.0)
    ours.close()

    assert message is not None
    assert message.kind is Kind.HAPPENED
    assert read_happening(message) == one
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
def test_what_is_not_valid_is_refused(told: object) -> None:
    """A child reads what strangers send, and may be one of them by now."""
    with pytest.raises(ValueError):
        read_happening(Message(Kind.HAPPENED, json.dumps(told).encode(), -1))


def test_a_pipe_is_no_picture() -> None:
    """It would block whoever reads it."""
    read, write = os.pipe()
    told = json.dumps(["motion", 1.0, 0.5, None, False]).encode()
    with pytest.raises(OSError, match="seek"):
        read_happening(Message(Kind.HAPPENED, told, read))
    os.close(write)
