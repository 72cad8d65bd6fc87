"""Sends events from a child to the server: as JSON, with a picture in its own shared memory."""

import json
import math
import os

from server.capture.frames.event_report import Box, EventReport
from server.capture.isolation.channel import Kind, Link, Message
from server.capture.isolation.shared_memory import create_area
from server.capture.motion.settings import LABEL

__all__ = ["read_event_report", "send_event_report"]

# Far more than a small picture needs.
MAX_BYTES = 1 << 20


def send_event_report(link: Link, one: EventReport) -> None:
    """Send an event to the server.

    Raises:
        OSError: If the server is gone.
    """
    fd = -1
    if one.jpeg is not None:
        fd = create_area(len(one.jpeg))
    try:
        if one.jpeg is not None:
            os.pwrite(fd, one.jpeg, 0)
        fields = [one.label, one.at_unix, one.score, one.box, one.ended]
        link.send(Kind.EVENT_REPORT, json.dumps(fields).encode(), fd)
    finally:
        if fd >= 0:
            os.close(fd)


def read_event_report(message: Message) -> EventReport:
    """Return the event in a child's message, and close its descriptor.

    Raises:
        OSError: If its picture cannot be read.
        ValueError: If the message is invalid.
    """
    try:
        jpeg = None
        if message.fd >= 0:
            jpeg = os.pread(message.fd, min(MAX_BYTES, os.fstat(message.fd).st_size), 0)
    finally:
        if message.fd >= 0:
            os.close(message.fd)
    fields = json.loads(message.payload)
    if not isinstance(fields, list) or len(fields) != 5 or fields[0] != LABEL:
        raise ValueError("not an event")
    _, at_unix, score, box, ended = fields
    return EventReport(
        LABEL,
        _number(at_unix),
        None if score is None else min(1.0, max(0.0, _number(score))),
        None if box is None else _box(box),
        ended is True,
        jpeg,
    )


def _box(value: object) -> Box:
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError("not a box")
    left, top, width, height = (min(1.0, max(0.0, _number(one))) for one in value)
    return left, top, width, height


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a number")
    return float(value)
