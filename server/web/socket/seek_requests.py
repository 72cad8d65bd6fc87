"""Answers ``seek`` and ``play``, which take a viewer into a camera's past and back to live."""

import time
from collections.abc import Callable
from typing import Any

from server.capture.frames.unit import JPEG
from server.control.control import Control
from server.delivery.video import decodes
from server.errors import RequestError
from server.protocol import PlayPayload, SeekPayload
from server.recording.as_jpeg import AsJpeg, ToJpeg
from server.recording.memory import SAME_S, Memory
from server.web.socket.session import Session

__all__ = ["SeekRequests"]


class SeekRequests:
    """Handles the events with which dashboards look back.

    Args:
        control: Knows the cameras.
        memory_of: Returns a camera's memory; None if it has none.
        to_jpeg: Converts video that a dashboard cannot decode to JPEG.
    """

    def __init__(
        self, control: Control, memory_of: Callable[[str], Memory | None], to_jpeg: ToJpeg
    ) -> None:
        self._control = control
        self._memory_of = memory_of
        self._to_jpeg = to_jpeg

    def seek(self, session: Session, payload: SeekPayload) -> dict[str, Any]:
        """Show a dashboard the picture of a given time, or return it to live."""
        name = self._control.camera(payload.camera).name
        if session.codecs_of(name) is None:
            raise RequestError("bad_request", "camera: it is not being watched")
        number = session.next_seek()
        memory = self._memory_of(name)
        if payload.at is None or memory is None:
            session.show_live(name)
            return _answer(None, _span_of(memory), number)
        found = memory.decode_run(payload.at + SAME_S)
        if not found.units:
            session.show_live(name)
            return _answer(None, None, number)
        at_unix, codec = found.units[-1].at_unix, found.units[-1].codec
        codecs = session.codecs_of(name) if payload.video else None
        if codec != JPEG and not decodes(codecs or frozenset(), codec):
            memory = AsJpeg(memory, self._to_jpeg)
            found = memory.decode_run(at_unix)
        answer = _answer(at_unix, memory.span, number, *memory.neighbours(at_unix))
        if session.codecs_of(name) is None:
            raise RequestError("unavailable", "it is no longer being watched")
        past_viewer = session.show_past(name, memory)
        past_viewer.packed = payload.packed
        if number > past_viewer.player.number:  # Otherwise a later seek has overtaken this one.
            past_viewer.player.memory = memory
            past_viewer.player.seek(number, found, time.monotonic())
            past_viewer.wake()
        return answer

    def play(self, session: Session, payload: PlayPayload) -> dict[str, Any]:
        """Play from the dashboard's current position, or pause there."""
        name, speed = self._control.camera(payload.camera).name, payload.speed
        past_viewer = session.past_viewer_of(name)
        if past_viewer is None:
            here = SeekPayload(camera=name, at=time.time() if speed <= 0 else None)
            if self.seek(session, here)["at"] is None:
                return {"at": None, "speed": 1.0}
            past_viewer = session.past_viewer_of(name)
        if past_viewer is None:
            raise RequestError("unavailable", "it is no longer being watched")
        now = time.monotonic()
        past_viewer.player.play(speed, now)
        past_viewer.wake()
        return {"at": past_viewer.player.position(now), "speed": speed}


def _span_of(memory: Memory | None) -> tuple[float, float] | None:
    try:
        return memory.span if memory is not None else None
    except RequestError:
        return None  # The other node did not answer; live works without.


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
