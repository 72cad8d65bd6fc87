"""A camera's processors in a process of their own, so that they harm nobody but themselves.

Users' code may burn the processor in pure Python, sleep, hang, crash or eat memory. On a thread of
the server it would hold the interpreter's lock: measured with one such thread, half of all control
events took over 18 ms, one in a hundred 89 ms, and a healthy camera fell from 30 to 21 frames a
second. Here it has a lock of its own, eventlet never was, and what hangs can be ended.

=====================  ========================================================================
the server sends       which means
=====================  ========================================================================
``PREPARE`` json       load these processors; the first message
``PROCESS`` json       work on the picture in the shared memory, a new one of which may come along
(end of file)          end
=====================  ========================================================================

``PREPARED`` json answers the first, with what could not be loaded, and ``PROCESSED`` json the
second. What is done there stands in :mod:`server.capture.processing.sandbox_child`.
"""

import fcntl
import json
import mmap
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NoReturn

import numpy as np

from server.capture.frames.frame import Image
from server.capture.frames.limits import check_size
from server.capture.isolation.channel import NO_SLOT, Kind, Link, Message
from server.capture.isolation.process import Process
from server.capture.isolation.shared_memory import FramePool
from server.capture.processing.runner import Facts, Outcome
from server.config.processors import Processor
from server.errors import ConfigError, SourceError
from server.loop.memory import MMAP_THRESHOLD_BYTES, TRIM_THRESHOLD_BYTES

__all__ = ["STUCK_AFTER_S", "ProcessorSandbox", "SandboxError", "check_functions"]

STUCK_AFTER_S = 5.0
"""How long one processor may take for one picture before its process is ended."""

# Loading Python takes 0.2 s; what users import may take much longer, and a busy machine too.
LOAD_DEADLINE_S = 60.0

# How often a native thread looks whether it is still wanted.
PATIENCE_S = 0.1

CLOSE_DEADLINE_S = 0.3

ACCEPTED = "accepted: MODULE:FUNCTION of a function (image, info) -> image"

CHILD = "server.capture.processing.sandbox_child"

ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(MMAP_THRESHOLD_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(TRIM_THRESHOLD_BYTES),
}

HEAD_BYTES = mmap.PAGESIZE
"""Before the picture in the shared memory: its first byte names the processor at work, from 1."""


class SandboxError(Exception):
    """A picture is lost, with the process that worked on it.

    Args:
        message: Why, for people.
        place: Which processor did it, if that is known.
        stuck: Whether it just never returned.
    """

    def __init__(self, message: str, place: int | None = None, stuck: bool = False) -> None:
        super().__init__(message)
        self.place = place
        self.stuck = stuck


class ProcessorSandbox:
    """Works on pictures elsewhere. Every method but :meth:`abandon` is native, with one caller.

    Args:
        processors: With their place among all of the camera's.
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
        self._order = {
            "processors": [[index, asdict(processor)] for index, processor in processors],
            "camera": camera,
            "title": title,
        }
        self._stuck_after_s = stuck_after_s
        self._process: Process | None = None
        self._link: Link | None = None
        self._input: mmap.mmap | None = None
        self._lender: FramePool | None = None
        self._abandoned = False
        self.errors: dict[int, str] = {}
        """What could not be loaded, by its place."""

    def abandon(self) -> None:
        """Give up whatever is under way, soon; from any thread, and without waiting."""
        self._abandoned = True

    def prepare(self) -> None:
        """Start the process, unless it runs, and wait until all is loaded.

        Raises:
            SandboxError: If that fails.
        """
        if self._process is not None:
            return
        self._link, theirs = Link.pair()
        try:
            with theirs:
                self._process = Process(CHILD, theirs, ENVIRONMENT, heard=True)
        except OSError as error:
            self.close()
            raise SandboxError(f"no process can be started ({error.strerror})") from error
        self._tell(Kind.PREPARE, self._order)
        message = self._await(Kind.PREPARED, LOAD_DEADLINE_S, "is not loaded")
        self.errors = dict(json.loads(message.payload))

    def run(self, image: Image, facts: Facts, places: Sequence[int]) -> tuple[Image, list[Outcome]]:
        """Return what the processors at these places make of a picture, and what came of each.

        Args:
            image: Pixels, uint8, shape (height, width, 3); not written to.
            facts: Of the picture.
            places: Which processors, in order.

        Raises:
            SandboxError: If the picture is lost. The next call starts the process anew.
        """
        self.prepare()
        height, width = image.shape[:2]
        fd = self._lay_out(image)
        lent = self._lender.lend() if self._lender else NO_SLOT
        try:
            self._tell(
                Kind.PROCESS,
                {"height": height, "width": width, "facts": facts, "places": places, "slot": lent},
                fd,
            )
        finally:
            if fd >= 0:
                os.close(fd)
        message = self._await(Kind.PROCESSED, self._stuck_after_s, "has not returned")
        return self._take(message, lent)

    def close(self) -> None:
        """End the process."""
        if self._link is not None:
            self._link.close()
        if self._process is not None and not self._process.wait(CLOSE_DEADLINE_S):
            self._process.kill()
        self._forget()

    def _forget(self) -> None:
        self._process = self._link = self._input = self._lender = None

    def _lay_out(self, image: Image) -> int:
        """Put a picture where the process finds it; return the descriptor of new memory, or -1."""
        fd = -1
        if self._input is None or len(self._input) < HEAD_BYTES + image.nbytes:
            size = HEAD_BYTES + -(-image.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
            fd = os.memfd_create("porthole-picture", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            os.ftruncate(fd, size)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
            self._input = mmap.mmap(fd, size)
        self._input[0] = 0
        there = np.frombuffer(self._input, np.uint8, image.nbytes, HEAD_BYTES)
        np.copyto(there.reshape(image.shape), image)
        return fd

    def _tell(self, kind: Kind, content: dict[str, Any], fd: int = -1) -> None:
        assert self._link is not None
        try:
            self._link.send(kind, json.dumps(content).encode(), fd)
        except OSError:
            self._lose()

    def _await(self, kind: Kind, limit_s: float, what: str) -> Message:
        """Return the answer; give the process up when one processor takes too long."""
        assert self._link is not None
        at, since = self._at_work(), time.monotonic()
        while True:
            try:
                message = self._link.receive(PATIENCE_S)
            except (EOFError, ValueError):
                self._lose()
            if message is not None:
                if message.kind is not kind:
                    self._lose()
                return message
            if self._abandoned:
                self._kill()
                raise SandboxError("is not wanted any more")
            now_at, now = self._at_work(), time.monotonic()
            if now_at != at:
                at, since = now_at, now
            elif now - since > limit_s:
                self._kill()
                raise SandboxError(f"{what} for {limit_s:g} s; its process was ended", at, True)

    def _take(self, message: Message, lent: int) -> tuple[Image, list[Outcome]]:
        said = json.loads(message.payload)
        slot, height, width = said["slot"], said["height"], said["width"]
        try:
            if message.fd >= 0:
                self._lender = FramePool(message.fd)
                self._lender.claim(slot)
            elif self._lender is None or slot != lent:
                raise ValueError("a place that was not asked for")
            check_size(width, height)
            image = self._lender.hand_over(slot, height, width)
        except (OSError, ValueError, SourceError) as error:
            self._kill()
            raise SandboxError(f"delivers no usable picture ({error})") from error
        return image, [Outcome(*outcome) for outcome in said["outcomes"]]

    def _at_work(self) -> int | None:
        """Return which processor is at work."""
        return self._input[0] - 1 if self._input is not None and self._input[0] else None

    def _lose(self) -> NoReturn:
        """Raise, as the process has gone by itself."""
        at = self._at_work()
        assert self._process is not None
        self._process.wait(CLOSE_DEADLINE_S)
        fate = self._process.fate
        self._kill()
        raise SandboxError(f"took its process down, which {fate}", at)

    def _kill(self) -> None:
        if self._link is not None:
            self._link.close()
        if self._process is not None:
            self._process.kill()
        self._forget()


def check_functions(processors: Mapping[str, Sequence[Processor]]) -> None:
    """Have users' functions imported once, as their cameras will; blocks until that is done.

    All in one process, for each costs a start of Python.

    Args:
        processors: By camera.

    Raises:
        ConfigError: In one line, for the first that cannot be used.
    """
    mine = [(name, one) for name, those in processors.items() for one in those if one.module]
    if not mine:
        return
    sandbox = ProcessorSandbox(enumerate(one for _, one in mine), "", "")
    try:
        sandbox.prepare()
    except SandboxError as error:
        raise ConfigError(f"process: what the cameras name {error}; {ACCEPTED}") from None
    finally:
        sandbox.close()
    for place, reason in sorted(sandbox.errors.items()):
        name, one = mine[place]
        raise ConfigError(
            f"camera {name!r}: process = '{one.module}:{one.function}' cannot be used: {reason}; "
            f"{ACCEPTED}"
        )
