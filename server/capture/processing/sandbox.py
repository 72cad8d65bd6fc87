"""Runs a camera's processors in a separate process, so that they cannot harm the server.

Users' code may spin in pure Python, sleep, hang, crash or use up memory. On a thread of the server
it would hold the interpreter lock: with one such thread, half of all control events took over
18 ms, one in a hundred took 89 ms, and a healthy camera fell from 30 to 21 fps. A
separate process has its own lock and no eventlet, and can be killed if it hangs.

=====================  ========================================================================
the server sends       meaning
=====================  ========================================================================
``PREPARE`` json       load these processors; the first message
``PROCESS`` json       process the picture in shared memory; may carry a new area of memory
(end of file)          end
=====================  ========================================================================

``PREPARED`` json answers the first and lists what could not be loaded; ``PROCESSED`` json answers
the second. :mod:`server.capture.processing.sandbox_child` is the other end.
"""

import json
import mmap
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NoReturn

from server.capture.frames.frame import Image
from server.capture.frames.limits import check_size
from server.capture.isolation.channel import NO_SLOT, Kind, Link, Message
from server.capture.isolation.process import Process
from server.capture.isolation.shared_memory import FramePool, create_area
from server.capture.processing.report import MAX_REPORTS, Report, make_report
from server.capture.processing.runner import Facts, Outcome
from server.config.processors import Processor
from server.errors import ConfigError, SourceError
from server.loop.memory import MMAP_THRESHOLD_BYTES, TRIM_THRESHOLD_BYTES

__all__ = ["STUCK_AFTER_S", "ProcessorSandbox", "SandboxError", "check_functions"]

STUCK_AFTER_S = 5.0
"""How long one processor may take for one picture before its process is killed."""

# Starting Python takes 0.2 s; users' imports, or a busy machine, may take much longer.
LOAD_DEADLINE_S = 60.0

# How often the waiting native thread checks whether the sandbox was abandoned.
POLL_S = 0.1

CLOSE_DEADLINE_S = 0.3

ACCEPTED = "accepted: MODULE:FUNCTION of a function (image, info) -> image"

CHILD = "server.capture.processing.sandbox_child"

ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(MMAP_THRESHOLD_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(TRIM_THRESHOLD_BYTES),
}

HEAD_BYTES = mmap.PAGESIZE
"""Precedes the picture in shared memory; its first byte is the running processor's place + 1."""


class SandboxError(Exception):
    """A picture is lost together with the process that worked on it.

    Args:
        message: The reason, for people; follows the processor's name.
        place: The index of the processor that caused it, if known.
        stuck: Whether it did not return.
    """

    def __init__(self, message: str, place: int | None = None, stuck: bool = False) -> None:
        super().__init__(message)
        self.place = place
        self.stuck = stuck


class ProcessorSandbox:
    """Processes pictures in a child process, called by one native thread at a time.

    Args:
        processors: Each with its index among all of the camera's.
        camera: Its name.
        title: Its title.
        stuck_after_s: How long one processor may take for one picture.
    """

    def __init__(
        self,
        processors: Iterable[tuple[int, Processor]],
        camera: str,
        title: str,
        stuck_after_s: float = STUCK_AFTER_S,
    ) -> None:
        self._setup = {
            "processors": [[index, asdict(processor)] for index, processor in processors],
            "camera": camera,
            "title": title,
        }
        self._stuck_after_s = stuck_after_s
        self._process: Process | None = None
        self._link: Link | None = None
        self._input: mmap.mmap | None = None
        self._pool: FramePool | None = None
        self._abandoned = False
        self.errors: dict[int, str] = {}
        """Why processors could not be loaded, by index."""
        self.reports: list[Report] = []
        """Their reports about the last picture."""

    def abandon(self) -> None:
        """Make the current call give up soon; from any thread, without waiting."""
        self._abandoned = True

    def prepare(self) -> None:
        """Start the process unless it is running, and wait until all processors are loaded.

        Raises:
            SandboxError: If that fails.
        """
        if self._process is not None:
            return
        self._link, theirs = Link.pair()
        try:
            with theirs:
                self._process = Process(CHILD, theirs, ENVIRONMENT, show_errors=True)
        except OSError as error:
            self.close()
            raise SandboxError(f"cannot start its process ({error.strerror})") from error
        self._send(Kind.PREPARE, self._setup)
        message = self._receive(Kind.PREPARED, LOAD_DEADLINE_S, "has not loaded")
        self.errors = dict(json.loads(message.payload))

    def run(self, image: Image, facts: Facts, places: Sequence[int]) -> tuple[Image, list[Outcome]]:
        """Run the processors at these places on a picture; return it and their outcomes.

        Args:
            image: Pixels, uint8, shape (height, width, 3); not written to.
            facts: About the picture.
            places: Which processors, in order.

        Raises:
            SandboxError: If the picture is lost. The next call starts a new process.
        """
        self.prepare()
        height, width = image.shape[:2]
        fd = self._write_input(image)
        slot = self._pool.acquire() if self._pool else NO_SLOT
        try:
            self._send(
                Kind.PROCESS,
                {"height": height, "width": width, "facts": facts, "places": places, "slot": slot},
                fd,
            )
        finally:
            if fd >= 0:
                os.close(fd)
        message = self._receive(Kind.PROCESSED, self._stuck_after_s, "has not returned")
        return self._read_answer(message, slot)

    def close(self) -> None:
        """End the process."""
        if self._link is not None:
            self._link.close()
        if self._process is not None and not self._process.wait(CLOSE_DEADLINE_S):
            self._process.kill()
        self._forget()

    def _forget(self) -> None:
        self._process = self._link = self._input = self._pool = None

    def _write_input(self, image: Image) -> int:
        """Copy a picture into shared memory; return the descriptor of a new area, or -1."""
        fd = -1
        if self._input is None or len(self._input) < HEAD_BYTES + image.nbytes:
            size = HEAD_BYTES + -(-image.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
            fd = create_area(size)
            self._input = mmap.mmap(fd, size)
        self._input[0] = 0
        import numpy as np  # Only for pixels: see frame.py.

        pixels = np.frombuffer(self._input, np.uint8, image.nbytes, HEAD_BYTES)
        np.copyto(pixels.reshape(image.shape), image)
        return fd

    def _send(self, kind: Kind, content: dict[str, Any], fd: int = -1) -> None:
        assert self._link is not None
        try:
            self._link.send(kind, json.dumps(content).encode(), fd)
        except OSError:
            self._report_death()

    def _receive(self, kind: Kind, limit_s: float, what: str) -> Message:
        """Return the answer; kill the process if one processor takes too long."""
        assert self._link is not None
        at, since = self._running(), time.monotonic()
        while True:
            try:
                message = self._link.receive(POLL_S)
            except (EOFError, ValueError):
                self._report_death()
            if message is not None:
                if message.kind is not kind:
                    self._report_death()
                return message
            if self._abandoned:
                self._kill()
                raise SandboxError("was abandoned")
            now_at, now = self._running(), time.monotonic()
            if now_at != at:
                at, since = now_at, now
            elif now - since > limit_s:
                self._kill()
                raise SandboxError(f"{what} for {limit_s:g} s; its process was ended", at, True)

    def _read_answer(self, message: Message, requested: int) -> tuple[Image, list[Outcome]]:
        answer = json.loads(message.payload)
        slot, height, width = answer["slot"], answer["height"], answer["width"]
        try:
            if message.fd >= 0:
                self._pool = FramePool(message.fd)
                self._pool.claim(slot)
            elif self._pool is None or slot != requested:
                raise ValueError("a slot that was not requested")
            check_size(width, height)
            image = self._pool.view(slot, height, width)
            self.reports = [make_report(*one) for one in answer["reports"][:MAX_REPORTS]]
        except (OSError, TypeError, ValueError, SourceError) as error:
            self._kill()
            raise SandboxError(f"delivers no usable picture ({error})") from error
        return image, [Outcome(*outcome) for outcome in answer["outcomes"]]

    def _running(self) -> int | None:
        """Return the place of the running processor, or None."""
        return self._input[0] - 1 if self._input is not None and self._input[0] else None

    def _report_death(self) -> NoReturn:
        """Raise SandboxError for a process that ended on its own."""
        at = self._running()
        assert self._process is not None
        self._process.wait(CLOSE_DEADLINE_S)
        exit_reason = self._process.exit_reason
        self._kill()
        raise SandboxError(f"took its process down, which {exit_reason}", at)

    def _kill(self) -> None:
        if self._link is not None:
            self._link.close()
        if self._process is not None:
            self._process.kill()
        self._forget()


def check_functions(processors: Mapping[str, Sequence[Processor]]) -> None:
    """Import users' functions once, as their cameras will; block until that is done.

    Uses one process for all, because each costs a start of Python.

    Args:
        processors: By camera name.

    Raises:
        ConfigError: If one cannot be used; a line about the first of them.
    """
    user_functions = [
        (name, one) for name, chain in processors.items() for one in chain if one.module
    ]
    if not user_functions:
        return
    sandbox = ProcessorSandbox(enumerate(one for _, one in user_functions), "", "")
    try:
        sandbox.prepare()
    except SandboxError as error:
        raise ConfigError(f"process: a processor {error}; {ACCEPTED}") from None
    finally:
        sandbox.close()
    for place, reason in sorted(sandbox.errors.items()):
        name, one = user_functions[place]
        raise ConfigError(
            f"camera {name!r}: process = '{one.module}:{one.function}' cannot be used: {reason}; "
            f"{ACCEPTED}"
        )
