"""What runs in a camera's child process: one source at a time, served over its standard input.

:mod:`server.capture.isolation.reader` starts it as ``python -m server.capture.isolation.child``.
It loads neither eventlet nor anything else that the source does not need, so it starts fast.
"""

import json
import os
import resource
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from server.capture.devices.controls import read_values, set_controls, write_controls
from server.capture.frames.change import ChangeDetector
from server.capture.frames.frame import Jpeg, Picture, size_of
from server.capture.frames.limits import check_size, is_too_large
from server.capture.isolation.channel import BEAT, SHAPE, WANT, Kind, Link, Message, Step
from server.capture.isolation.process import die_with_parent
from server.capture.isolation.shared_memory import Writer
from server.config.address import Address
from server.errors import PictureError, SourceEnded, SourceError

if TYPE_CHECKING:
    from server.capture.sources.source import Source

__all__ = ["main"]

BEAT_S = 0.25

# What decoding may take beyond what the process has after start. A belt: sizes are checked before.
MEMORY_BYTES = 2 << 30

Opener = Callable[[Address, str, float], "Source"]


def main(open_source: Opener | None = None) -> None:
    """Serve the source that the server names, and the next, until it closes the connection.

    Args:
        open_source: How to open it; a parameter so that tests can have a source that hangs.
    """
    die_with_parent(1)
    link = Link(socket.socket(fileno=0))
    child = _Child(link)
    threading.Thread(target=child.beat, name="beat", daemon=True).start()
    try:
        while True:
            child.serve(open_source)
    except (EOFError, OSError):
        pass  # The server wants no more, or is gone.
    # Without tearing the interpreter down: threads of OpenCV may still run.
    os._exit(0)


class _Child:
    def __init__(self, link: Link) -> None:
        self._link = link
        self._beating = threading.Event()
        self._begin()

    def _begin(self) -> None:
        """Begin anew, as for the first source."""
        self._writer = Writer()
        self._wanted: Message | None = None
        self._change = ChangeDetector()
        # Written by the working thread, read by the one that beats.
        self._grabbed = 0
        self._step = (Step.STARTING, time.monotonic())
        self._beating.set()

    def beat(self) -> None:
        """Tell again and again that this process lives, and what OpenCV is at."""
        try:
            while self._beating.wait():
                step, since = self._step
                self._link.offer(
                    Kind.BEAT, BEAT.pack(step, time.monotonic() - since, self._grabbed)
                )
                time.sleep(BEAT_S)
        except OSError:
            pass  # The server is gone, and this process will be.

    def serve(self, open_source: Opener | None) -> None:
        """Open and drain the source; tell the server of its end.

        Raises:
            EOFError: If the server wants no more.
            OSError: If the server is gone.
        """
        order = self._link.receive(None)
        assert order is not None
        if order.kind is Kind.CLOSE:
            self._rest()
        if order.kind is not Kind.OPEN:
            return  # Meant for a source that was lost meanwhile.
        self._begin()
        wanted = json.loads(order.payload)
        try:
            source = self._open(wanted, open_source)
            try:
                self._drain(source)
            finally:
                source.close()
        except _CloseError:
            self._rest()
        except SourceEnded as error:
            self._link.send(Kind.ENDED, str(error).encode())
        except SourceError as error:
            self._link.send(Kind.LOST, str(error).encode())
        except (EOFError, OSError):
            raise
        except BaseException as error:  # noqa: BLE001  its text could hold the password
            text = f"an unexpected {type(error).__name__} in {_where(error)}"
            self._link.send(Kind.LOST, text.encode())

    def _rest(self) -> None:
        """Be still until the next source: what is kept for later shall cost nothing."""
        self._beating.clear()
        self._enter(Step.STARTING)
        self._writer = Writer()  # And lets the last one's memory go.
        self._link.send(Kind.CLOSED)

    def _open(self, wanted: dict[str, Any], open_source: Opener | None) -> "Source":
        # Only now: the first beat is out, and loading OpenCV takes its time.
        from server.capture.sources.source import open_source as open_any

        _limit_memory()
        address = Address(**wanted["address"])
        self._enter(Step.OPENING)
        opener = open_source or open_any
        source = opener(address, wanted["name"], wanted["timeout_s"])
        try:
            check_size(source.info.width, source.info.height)
            self._link.send(Kind.OPENED, json.dumps(_facts_of(source)).encode())
        except BaseException:
            source.close()
            raise
        return source

    def _drain(self, source: "Source") -> None:
        while True:
            if not source.info.live:
                self._listen(source, None)  # It loses nothing by waiting.
            self._enter(Step.READING)
            grabbed = source.grab()
            at_unix = time.time()
            self._grabbed += grabbed
            self._listen(source, 0.0)  # Also notices that the server is gone.
            if grabbed and self._wanted is not None:
                self._enter(Step.DECODING)
                self._deliver(source, at_unix)

    def _listen(self, source: "Source", timeout_s: float | None) -> None:
        """Take in what the server has said; wait for it only while it wants nothing."""
        while order := self._link.receive(timeout_s if self._wanted is None else 0.0):
            if order.kind is Kind.WANT:
                self._wanted = order
            elif order.kind is Kind.SET:
                self._set(source, json.loads(order.payload))
            elif order.kind is Kind.CLOSE:
                raise _CloseError

    def _set(self, source: "Source", asked: dict[str, Any]) -> None:
        self._enter(Step.SETTING)
        refused = set_controls(source, read_values(asked["values"]))
        check_size(source.info.width, source.info.height)
        answer = {"id": asked["id"], "refused": refused} | _facts_of(source)
        self._link.send(Kind.SETTLED, json.dumps(answer).encode())
        self._enter(Step.WAITING)

    def _deliver(self, source: "Source", at_unix: float) -> None:
        assert self._wanted is not None
        slot, jpeg_up_to, pixels_from, changed = WANT.unpack(self._wanted.payload)
        try:
            picture = source.retrieve(jpeg_up_to, pixels_from)
            if changed and not self._change.is_worth_sending(picture):
                return
            self._wanted = None
            width, height = size_of(picture)
            if is_too_large(width, height):
                raise PictureError(f"a picture of {width} x {height} pixels is too large")
            slot, fd = self._writer.write(picture, slot)
        except PictureError as error:
            self._wanted = None
            self._link.send(Kind.BROKEN, str(error).encode())
            return
        except MemoryError:
            self._wanted = None
            self._link.send(Kind.BROKEN, b"a picture takes more memory than a camera may have")
            return
        try:
            shape = SHAPE.pack(slot, height, width, *_jpeg_shape(picture), at_unix)
            self._link.send(Kind.PICTURE, shape, fd)
        finally:
            if fd >= 0:
                os.close(fd)

    def _enter(self, step: Step) -> None:
        self._step = (step, time.monotonic())


class _CloseError(Exception):
    """The server wants no more of this source."""


def _jpeg_shape(picture: Picture) -> tuple[int, int, int, int]:
    """Return bytes and quality of a JPEG, and height and width of the pixels that come with it."""
    if not isinstance(picture, Jpeg):
        return 0, 0, 0, 0
    height, width = (0, 0) if picture.pixels is None else picture.pixels.shape[:2]
    return len(picture.data), picture.quality, height, width


def _facts_of(source: "Source") -> dict[str, Any]:
    """Return what a source says of itself, for JSON."""
    return {"info": asdict(source.info), "controls": write_controls(source.controls())}


def _limit_memory() -> None:
    with open("/proc/self/statm", "rb") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = used + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))
    # A core would hold the source's password.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None:
        return "its process"
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}, line {trace.tb_lineno}"


if __name__ == "__main__":
    main()
