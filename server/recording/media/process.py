"""A low-priority process that decodes and encodes kept units; started on demand.

Like any decoder it may hang or crash; it is then killed, and the current request fails. Green:
nothing here blocks the hub.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from server.capture.frames.unit import Unit
from server.capture.isolation.channel import Kind, Link, Message
from server.capture.isolation.process import Process
from server.loop import hub
from server.loop.concurrency import ConcurrencyLimit, LimitBusy
from server.loop.memory import MMAP_THRESHOLD_BYTES, TRIM_THRESHOLD_BYTES
from server.recording.media.fragments import Kept
from server.recording.media.messages import (
    in_memory,
    pack_units,
    read_json,
    read_memory,
    unpack_units,
)

__all__ = ["MediaError", "MediaProcess"]

CHILD = "server.recording.media.child"

ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(MMAP_THRESHOLD_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(TRIM_THRESHOLD_BYTES),
}

STUCK_AFTER_S = 30.0
"""Time for one request before the process is killed, generous enough for a busy machine."""

# Additional time for each unit; a large picture takes a few hundredths of a second.
PER_UNIT_S = 0.25

IDLE_S = 30.0
"""Time without requests after which the process is ended."""

# Longest wait of a request for those before it.
MAX_WAIT_S = 60.0

CLOSE_DEADLINE_S = 0.3


class MediaError(Exception):
    """A request failed; the message says why, for people."""


class MediaProcess:
    """The process. Any green thread may call it; requests are served one at a time.

    Args:
        stuck_after_s: Time for one request, besides that for its units.
        idle_s: Time without requests after which the process is ended.
    """

    def __init__(self, stuck_after_s: float = STUCK_AFTER_S, idle_s: float = IDLE_S) -> None:
        self._stuck_after_s = stuck_after_s
        self._idle_s = idle_s
        self._turn = ConcurrencyLimit(1, MAX_WAIT_S)
        self._process: Process | None = None
        self._link: Link | None = None
        self._requests = 0
        self._busy = False

    @property
    def pid(self) -> int | None:
        """The process id; None while it is not running."""
        return self._process.pid if self._process else None

    def ask(
        self,
        do: str,
        units: Sequence[Kept] = (),
        is_wanted: Callable[[], bool] = lambda: True,
        **more: Any,
    ) -> bytes:
        """Send a request; return the resulting picture, if any.

        Args:
            do: The kind of request; see ``child.py``.
            units: Its units.
            is_wanted: Called when its turn comes; returns whether it is still wanted.
            more: Its other parameters.

        Raises:
            MediaError: If it failed.
        """
        return self._ask_in_turn({"do": do, **more}, units, is_wanted)[1]

    def encode(
        self,
        video: str,
        pictures: Sequence[Unit],
        fps: int,
        urgent: bool = False,
        limit_s: float = 0.0,
    ) -> tuple[list[Unit], int]:
        """Encode the next JPEG pictures of a video in H.264.

        Args:
            video: Its name. It begins with a key frame, also after a restart of the process.
            pictures: At least one.
            fps: Approximate frame rate.
            urgent: Whether to encode at the usual priority.
            limit_s: Time after which no further picture is begun; 0 for no limit.

        Returns:
            Their units, and how many of the pictures were encoded.

        Raises:
            MediaError: If they cannot be encoded; the next ones begin with a key frame.
        """
        request = {"do": "encode", "video": video, "fps": fps, "urgent": urgent, "limit_s": limit_s}
        answer, data = self._ask_in_turn(request, pictures)
        units = unpack_units(data, int(answer["listed"])) if data else []
        return units, int(answer["done"])

    def end_video(self, video: str) -> None:
        """End a video; this does not start the process."""
        if self._link is None:
            return
        with suppress(MediaError):  # A failed request ends it, too.
            self._ask_in_turn({"do": "encode", "video": video}, ())

    def _ask_in_turn(
        self,
        request: dict[str, Any],
        units: Sequence[Kept],
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> tuple[dict[str, Any], bytes]:
        try:
            with self._turn.take():
                if not is_wanted():
                    raise MediaError("the request was abandoned")
                self._requests += 1
                self._busy = True
                return self._ask(request, units)
        except LimitBusy:
            raise MediaError("too many requests are waiting") from None
        finally:
            self._busy = False
            hub.call_later(self._idle_s, self._end_idle, self._requests)

    def close(self) -> None:
        """End the process; the current request fails."""
        process = self._process
        if process is None:
            return
        if self._busy:
            hub.run_native(process.kill)  # The waiting request then reads end of file.
        else:
            self._discard()

    def _ask(self, request: dict[str, Any], units: Sequence[Kept]) -> tuple[dict[str, Any], bytes]:
        fd = -1
        try:
            if self._link is None:
                self._process, self._link = hub.run_native(_start)
            if units:
                fd, request["listed"] = hub.run_native(_pack, units)
            # The child is waiting for a request, so the socket has room.
            self._link.offer(Kind.PROCESS, json.dumps(request).encode(), fd)
            message = self._receive(self._link, self._stuck_after_s + PER_UNIT_S * len(units))
            answer = read_json(message.payload)
        except (EOFError, OSError, ValueError):
            self._discard()
            raise MediaError("the media process has ended") from None
        except BaseException:
            self._discard()  # Otherwise the next request would read this one's answer.
            raise
        finally:
            if fd >= 0:
                os.close(fd)
        picture = read_memory(message.fd) if message.fd >= 0 else b""
        if "error" in answer:
            raise MediaError(str(answer["error"])[:200])
        return answer, picture

    def _receive(self, link: Link, limit_s: float) -> Message:
        if not hub.wait_readable(link, limit_s):
            raise MediaError(f"it took more than {limit_s:g} s and was stopped")
        message = link.receive(0.0)
        if message is None or message.kind is not Kind.PROCESSED:
            raise EOFError
        return message

    def _discard(self) -> None:
        process, link = self._process, self._link
        self._process = self._link = None
        if link is not None:
            link.close()
        if process is not None:
            hub.run_native(_end, process)

    def _end_idle(self, requests: int) -> None:
        if requests == self._requests and not self._busy:
            self.close()


def _start() -> tuple[Process, Link]:
    ours, theirs = Link.pair()
    try:
        with theirs:
            return Process(CHILD, theirs, ENVIRONMENT), ours
    except BaseException:
        ours.close()
        raise


def _pack(units: Sequence[Kept]) -> tuple[int, int]:
    """Return a descriptor of memory with units, and the length of their list."""
    parts = pack_units(units)
    return in_memory(parts), len(parts[0])


def _end(process: Process) -> None:
    if not process.wait(CLOSE_DEADLINE_S):
        process.kill()
