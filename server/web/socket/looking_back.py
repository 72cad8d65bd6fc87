"""Answers ``seek`` and ``play``: a viewer's way into the past of a camera, and back."""

import time
from collections.abc import Callable
from typing import Any

from server.capture.frames.unit import JPEG, Unit
from server.control.control import Control
from server.delivery.video import decodes
from server.errors import RequestError
from server.protocol import PlayPayload, SeekPayload
from server.recording.memory import SAME_S, Memory
from server.web.socket.session import Session

__all__ = ["LookingBack"]


class LookingBack:
    """The events by which dashboards look back.

    Args:
        control: Knows the cameras.
        memory_of: Returns what is kept of a camera; None for nothing.
    """

    def __init__(self, control: Control, memory_of: Callable[[str], Memory | None]) -> None:
        self._control = control
        self._memory_of = memory_of

    def seek(self, session: Session, payload: SeekPayload) -> dict[str, Any]:
        """Show the picture of a moment to a dashboard, or live again."""
        name = self._control.camera(payload.camera).name
        codecs = session.codecs_of(name)
        if codecs is None:
            raise RequestError("bad_request", "camera: it is not watched")
        number = session.number_seek()
        memory = self._memory_of(name)
        span = memory.span if memory is not None else None
        wanted = (
            memory.find(payload.at + SAME_S)
            if memory is not None and payload.at is not None
            else []
        )
        if memory is None or span is None or not wanted:
            session.look_live(name)
            return _answer(None, span, number)
        found = _shown_to(codecs, wanted)
        if session.codecs_of(name) is None:
            raise RequestError("unavailable", "it is no longer watched")
        at_unix = found[-1].at_unix
        looking = session.look_back(name, memory)
        if number > looking.player.number:
            looking.player.seek(number, found, time.monotonic())
            looking.wake()
        return _answer(at_unix, span, number, *memory.neighbours(at_unix))

    def play(self, session: Session, payload: PlayPayload) -> dict[str, Any]:
        """Play from where a dashboard is, or pause there."""
        name, speed = self._control.camera(payload.camera).name, payload.speed
        looking = session.in_past(name)
        if looking is None:
            here = SeekPayload(camera=name, at=time.time() if speed <= 0 else None)
            if self.seek(session, here)["at"] is None:
                return {"at": None, "speed": 1.0}
            looking = session.in_past(name)
            assert looking is not None
        now = time.monotonic()
        looking.player.play(speed, now)
        looking.wake()
        return {"at": looking.player.position(now), "speed": speed}


def _answer(
    at_unix: float | None,
    span: tuple[float, float] | None,
    number: int,
    before: float | None = None,
    after: float | None = None,
) -> dict[str, Any]:
    begin, end = span or (None, None)
    around = {"before": before, "after": after}
    return {"at": at_unix, "from": begin, "to": end, "seek": number, **around}


def _shown_to(codecs: frozenset[str], found: list[Unit]) -> list[Unit]:
    """Return what a dashboard is shown that decodes some codecs."""
    codec = found[-1].codec
    if codec == JPEG or decodes(codecs, codec):
        return found
    raise RequestError("unavailable", f"the past of this camera is video, {codec}")
