"""A process of low priority that decodes and encodes what is kept; started when it is needed.

It may hang or crash as any decoder can; then it is killed, and what it worked on has failed. Green:
nothing here waits for it on the hub.
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
from server.loop.lanes import Lanes, NoLane
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
"""How long one request may take before the process is killed, on a busy machine too."""

# And as long more for each unit: those of a large picture take a few hundredths of a second.
UNIT_S = 0.25

REST_S = 30.0
"""How long it is kept without work."""

# How long a request waits for those before it.
MAX_WAIT_S = 60.0

CLOSE_DEADLINE_S = 0.3


class MediaError(Exception):
    """What was asked for cannot be made; says why, for people."""


class MediaProcess:
    """The process. Green threads may call it, one request after the other.

    Args:
        stuck_after_s: How long one request may take.
        rest_s: How long it is kept without work.
    """

    def __init__(self, stuck_after_s: float = STUCK_AFTER_S, rest_s: float = REST_S) -> None:
        self._stuck_after_s = stuck_after_s
        self._rest_s = rest_s
        self._lane = Lanes(1, MAX_WAIT_S)
        self._process: Process | None = None
        self._link: Link | None = None
        self._requests = 0
        self._busy = False

    @property
    def pid(self) -> int | None:
        """The process; None while there is none."""
        return self._process.pid if self._process else None

    def ask(
        self,
        do: str,
        units: Sequence[Kept] = (),
        is_wanted: Callable[[], bool] = lambda: True,
        **more: Any,
    ) -> bytes:
        """Have something done; return the picture that was made, if any.

        Args:
            do: What; see ``child.py``.
            units: Of what.
            is_wanted: Returns whether to do it, when its turn has come.
            more: How.

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
        """Encode the next pictures of a video, which are JPEG, in H.264.

        Args:
            video: Its name. It begins with a key picture, and so it does after the process had to
                be started again.
            pictures: At least one.
            fps: Pictures a second, about.
            urgent: Whether to do it at the usual priority.
            limit_s: After which time no more are begun; 0 for never.

        Returns:
            Their units, and how many of the pictures were encoded.

        Raises:
            MediaError: If they cannot be encoded; the video then begins anew.
        """
        request = {"do": "encode", "video": video, "fps": fps, "urgent": urgent, "limit_s": limit_s}
        answer, data = self._ask_in_turn(request, pictures)
        units = unpack_units(data, int(answer["listed"])) if data else []
        return units, int(answer["done"])

    def end_video(self, video: str) -> None:
        """Encode no more of a video; a process that is not running is not started for that."""
        if self._link is None:
            return
        with suppress(MediaError):  # It has ended then, too.
            self._ask_in_turn({"do": "encode", "video": video}, ())

    def _ask_in_turn(
        self,
        request: dict[str, Any],
        units: Sequence[Kept],
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> tuple[dict[str, Any], bytes]:
        try:
            with self._lane.take():
                if not is_wanted():
                    raise MediaError("nobody waits for it any more")
                self._requests += 1
                self._busy = True
                return self._ask(request, units)
        except NoLane:
            raise MediaError("too much is waiting") from None
        finally:
            self._busy = False
            hub.call_later(self._rest_s, self._end_rest, self._requests)

    def close(self) -> None:
        """End the process; what it works on fails."""
        process = self._process
        if process is None:
            return
        if self._busy:
            hub.run_native(process.kill)  # Whoever waits for its answer reads an end of file.
        else:
            self._discard()

    def _ask(self, request: dict[str, Any], units: Sequence[Kept]) -> tuple[dict[str, Any], bytes]:
        fd = -1
        try:
            if self._link is None:
                self._process, self._link = hub.run_native(_start)
            if units:
                fd, request["listed"] = hub.run_native(_pack, units)
            # It waits for a request, so there is room.
            self._link.offer(Kind.PROCESS, json.dumps(request).encode(), fd)
            message = self._receive(self._link, self._stuck_after_s + UNIT_S * len(units))
            answer = read_json(message.payload)
        except (EOFError, OSError, ValueError):
            self._discard()
            raise MediaError("the process that works on it has ended") from None
        except BaseException:
            self._discard()  # Its answer would be taken for that of the next request.
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
            raise MediaError(f"it took more than {limit_s:g} s, and was ended")
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

    def _end_rest(self, requests: int) -> None:
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
    """Return the descriptor of memory with units, and how long their list is."""
    parts = pack_units(units)
    return in_memory(parts), len(parts[0])


def _end(process: Process) -> None:
    if not process.wait(CLOSE_DEADLINE_S):
        process.kill()
