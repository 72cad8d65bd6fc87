"""A camera's child process: serves one source at a time over its standard input.

:mod:`server.capture.isolation.reader` starts it as ``python -m server.capture.isolation.child``.
To start fast, it loads only what the source needs, and no eventlet.
"""

import importlib
import json
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from server.capture.devices.controls import read_values, set_controls, write_controls
from server.capture.frames.arrivals import Arrivals
from server.capture.frames.frame import Jpeg, Picture, size_of
from server.capture.frames.info import SourceInfo
from server.capture.frames.limits import check_size, is_too_large
from server.capture.isolation.channel import BEAT, SHAPE, WANT, Kind, Link, Message, Step
from server.capture.isolation.motion_sampler import MotionSampler
from server.capture.isolation.process import die_with_parent
from server.capture.isolation.shared_memory import Writer
from server.capture.isolation.videos import Videos, discard
from server.capture.motion.change import ChangeDetector
from server.capture.motion.settings import WIDTH
from server.config.address import Address
from server.errors import LoginRefused, PictureError, SourceEnded, SourceError

if TYPE_CHECKING:
    from server.capture.sources.source import Source

__all__ = ["main"]

BEAT_S = 0.25

# While pictures are delivered: they show that the child is alive, so beats only add figures.
FLOWING_BEAT_S = 1.0

# While nobody waits for pictures: at most this long, and at most this fraction of the timeout.
RESTING_BEAT_S = 2.0
RESTING_BEAT_SHARE = 0.25

BEST_QUALITY = 100

# At most this many queued pictures are grabbed before messages are handled again.
MAX_GATHERED = 60

# How long to wait for the server's first request after a source was opened.
FIRST_MESSAGE_S = 0.5

# The memory that decoding may take on top of the process's own. Picture sizes are checked, too.
MEMORY_BYTES = 2 << 30

Opener = Callable[[Address, str, float], "Source"]


def main(open_source: Opener | None = None) -> None:
    """Serve one source after another until the server closes the connection.

    Args:
        open_source: Opens a source; a parameter so that tests can supply a source that hangs.
    """
    die_with_parent(1)
    link = Link(socket.socket(fileno=0))
    child = _Child(link)
    threading.Thread(target=child.beat, name="beat", daemon=True).start()
    try:
        while True:
            child.serve(open_source)
    except (EOFError, OSError):
        pass  # The server closed the connection, or is gone.
    # Skip the interpreter's shutdown: OpenCV's threads may still be running.
    os._exit(0)


class _Child:
    def __init__(self, link: Link) -> None:
        self._link = link
        self._beating = threading.Event()
        self._reset()

    def _reset(self) -> None:
        """Prepare for a new source."""
        self._writer = Writer()
        self._wanted: Message | None = None
        self._keys_only = False
        self._change = ChangeDetector()
        self._paused = True  # Until the first picture is wanted.
        self._arrivals = Arrivals()
        self._sent_info: SourceInfo | None = None
        # Written by the working thread, read by the heartbeat thread.
        self._grabbed = self._delivered = 0
        self._beat_s = self._resting_beat_s = BEAT_S
        self._step = (Step.STARTING, time.monotonic())
        self._beating.set()

    def beat(self) -> None:
        """Send regular heartbeats, which say that this process lives and what its source does."""
        delivered, sent_at = 0, float("-inf")
        try:
            while self._beating.wait():
                now = time.monotonic()
                if delivered == self._delivered or now - sent_at >= FLOWING_BEAT_S - BEAT_S / 2:
                    sent_at = now
                    self._send_beat(now)
                delivered = self._delivered
                time.sleep(self._beat_s)
        except OSError:
            pass  # The server is gone, so this process will end too.

    def _send_beat(self, now: float) -> None:
        step, since = self._step
        *figures, waiting_for = self._arrivals.figures
        beat = BEAT.pack(step, now - since, self._grabbed, *figures) + waiting_for.encode()
        self._link.offer(Kind.BEAT, beat)

    def serve(self, open_source: Opener | None) -> None:
        """Open a source and read it until it ends or the server closes it.

        Raises:
            EOFError: If the server closed the connection.
            OSError: If the server is gone.
        """
        message = self._link.receive(None)
        assert message is not None
        if message.kind is Kind.CLOSE:
            self._go_idle()
        if message.kind is not Kind.OPEN:
            discard(message)
            return  # It was meant for a source that has since failed.
        self._reset()
        wanted = json.loads(message.payload)
        try:
            source = self._open(wanted, open_source)
            self._videos, self._sampler = Videos(source), MotionSampler(source, self._link)
            try:
                self._drain(source)
            finally:
                self._videos.close()
                source.close()
        except _CloseError:
            self._go_idle()
        except SourceEnded as error:
            self._link.send(Kind.ENDED, str(error).encode())
        except LoginRefused as error:
            self._link.send(Kind.REFUSED, str(error).encode())
        except SourceError as error:
            self._link.send(Kind.LOST, str(error).encode())
        except (EOFError, OSError):
            raise
        except BaseException as error:  # noqa: BLE001  its text could contain the password
            text = f"an unexpected {type(error).__name__} in {_where(error)}"
            self._link.send(Kind.LOST, text.encode())

    def _go_idle(self) -> None:
        """Go idle until the next source: stop the heartbeat and free the memory."""
        self._beating.clear()
        self._set_step(Step.STARTING)
        self._writer = Writer()  # Releases the last source's memory.
        self._link.send(Kind.CLOSED)

    def _open(self, wanted: dict[str, Any], open_source: Opener | None) -> "Source":
        # Imported after the first beat, because loading OpenCV takes a while.
        from server.capture.sources.source import open_source as open_any

        _limit_memory()
        address = Address(**wanted["address"])
        self._set_step(Step.OPENING)
        self._resting_beat_s = min(RESTING_BEAT_S, RESTING_BEAT_SHARE * wanted["timeout_s"])
        opener = open_source or open_any
        source = opener(address, wanted["name"], wanted["timeout_s"])
        self._arrivals = source.arrivals
        try:
            check_size(source.info.width, source.info.height)
            self._link.send(Kind.OPENED, json.dumps(_properties_of(source)).encode())
            self._sent_info = source.info
        except BaseException:
            source.close()
            raise
        return source

    def _drain(self, source: "Source") -> None:
        # Wait for the server's request for video: the pictures queued during opening usually begin
        # with a key frame, from which a video can start.
        if first := self._link.receive(FIRST_MESSAGE_S):
            self._handle(source, first)
        while True:
            if source.info.polled or (self._paused and not source.info.live):
                self._set_step(Step.WAITING)
                self._handle_messages(source, self._sampler.wait_s if source.info.polled else None)
            self._set_step(Step.READING)
            grabbed = self._grab(source)
            if source.info is not self._sent_info and source.info != self._sent_info:
                self._sent_info = source.info
                self._link.send(Kind.CHANGED, json.dumps(_properties_of(source)).encode())
            self._rest(source)
            self._handle_messages(source, 0.0)  # Also detects that the server is gone.
            wanted = grabbed and self._wanted is not None and self._is_due()
            encoded = grabbed and self._videos.is_due()
            examined = grabbed and self._sampler.is_due()
            if wanted:
                self._set_step(Step.DECODING)
                self._deliver(source, encoded, examined)
            elif encoded or examined:
                self._set_step(Step.DECODING)
                self._work_on(source, encoded, examined)

    def _grab(self, source: "Source") -> bool:
        """Wait for the next picture, or grab all that queued up while nobody waited for one."""
        for _ in range(MAX_GATHERED):
            grabbed = source.grab()
            self._videos.note_grabbed(grabbed)
            self._grabbed += grabbed
            if self._wanted is not None or not self._videos.gathered:
                break
        return grabbed

    def _rest(self, source: "Source") -> None:
        """Pause reading while nobody waits for a picture; any message ends the pause."""
        awaited = self._sampler.on or not (self._wanted is None or self._keys_only)
        rest_s = self._videos.rest(awaited)
        self._beat_s = self._resting_beat_s if rest_s else BEAT_S
        if rest_s and (message := self._link.receive(rest_s)):
            self._handle(source, message)

    def _handle_messages(self, source: "Source", timeout_s: float | None) -> None:
        """Handle the server's messages; wait for one only while no picture is requested."""
        while message := self._link.receive(timeout_s if self._wanted is None else 0.0):
            self._handle(source, message)

    def _handle(self, source: "Source", message: Message) -> None:
        if message.kind is Kind.WANT:
            self._wanted, self._paused = message, False
            self._keys_only = WANT.unpack(message.payload)[-1]
        elif message.kind is Kind.HURRY:
            self._keys_only = False
        elif message.kind is Kind.VIDEO:
            self._set_step(Step.STARTING)  # An encoder may have to be loaded first.
            self._videos.configure(message)
            self._set_step(Step.READING)
        elif message.kind is Kind.KEY:
            self._videos.request_key(message.payload[0])
        elif message.kind is Kind.MOTION:
            self._set_step(Step.STARTING)  # OpenCV may have to be loaded first.
            self._sampler.configure(message)
            self._set_step(Step.READING)
        elif message.kind is Kind.PAUSE:
            self._paused = True
            source.arrivals.pause()
        elif message.kind is Kind.SET:
            self._set(source, json.loads(message.payload))
        elif message.kind is Kind.CLOSE:
            raise _CloseError

    def _is_due(self) -> bool:
        """Return whether the picture just grabbed meets the request."""
        # Once a key frame was grabbed, any picture will do: the decoder may output it only later.
        keys_only, self._keys_only = self._keys_only, self._keys_only and not self._videos.at_key
        return not self._keys_only and (keys_only or self._videos.caught_up)

    def _set(self, source: "Source", request: dict[str, Any]) -> None:
        self._set_step(Step.SETTING)
        refused = set_controls(source, read_values(request["values"]))
        check_size(source.info.width, source.info.height)
        answer = {"id": request["id"], "refused": refused} | _properties_of(source)
        self._link.send(Kind.SETTLED, json.dumps(answer).encode())
        self._set_step(Step.WAITING)

    def _work_on(self, source: "Source", encoded: bool, examined: bool) -> None:
        """Encode or examine a picture that was not requested."""
        try:
            if not encoded:
                self._sampler.decode_and_examine()
            elif (picture := source.retrieve(BEST_QUALITY, self._videos.width)) is not None:
                self._videos.encode(picture)
                if examined:
                    self._sampler.examine(picture)
        except (PictureError, MemoryError):
            self._videos.lose()  # The next requested picture reports the error.

    def _deliver(self, source: "Source", encoded: bool, examined: bool) -> None:
        """Send the requested picture; also encode and examine it if that is due."""
        assert self._wanted is not None
        slot, jpeg_up_to, pixels_from, changed, _ = WANT.unpack(self._wanted.payload)
        self._load_libraries(source, jpeg_up_to > 0 and not pixels_from)
        try:
            width = pixels_from
            if encoded or examined:
                width = max(width, self._videos.width * encoded, WIDTH * examined)
            picture = source.retrieve(jpeg_up_to, width)
            if encoded and picture is not None:
                self._videos.encode(picture)
            if examined and picture is not None:
                self._sampler.examine(picture)
            if isinstance(picture, Jpeg) and picture.pixels is not None and not pixels_from:
                picture = replace(picture, pixels=None)
            if picture is None and source.info.polled:
                raise PictureError("received a picture that cannot be decoded")
            if picture is None or (changed and not self._change.is_worth_sending(picture)):
                return
            self._wanted = None
            width, height = size_of(picture)
            if is_too_large(width, height):
                raise PictureError(f"a picture of {width} x {height} pixels is too large")
            slot, fd = self._writer.write(picture, slot)
        except PictureError as error:
            self._wanted = None
            self._videos.lose()
            self._link.send(Kind.BROKEN, str(error).encode())
            return
        except MemoryError:
            self._wanted = None
            self._link.send(Kind.BROKEN, b"a picture needs more memory than a camera may use")
            return
        try:
            at_unix, place = self._videos.at_unix, self._videos.place
            shape = SHAPE.pack(slot, height, width, *_jpeg_shape(picture), at_unix, *place)
            alone = isinstance(picture, Jpeg) and picture.pixels is None and fd < 0
            self._link.send(Kind.JPEG if alone else Kind.PICTURE, shape, fd)
            self._delivered += 1
        finally:
            if fd >= 0:
                os.close(fd)

    def _load_libraries(self, source: "Source", alone: bool) -> None:
        """Load the libraries for pixels before their first use, without timing that as decoding.

        On a busy machine, loading may exceed the time limit for a picture.

        Args:
            source: The source.
            alone: Whether JPEG without pixels will do.
        """
        is_jpeg = source.info.codec == "mjpeg"
        if "numpy" in sys.modules or (is_jpeg and alone):
            return
        self._set_step(Step.STARTING)
        importlib.import_module("numpy")
        if is_jpeg:
            importlib.import_module("cv2")
        self._set_step(Step.DECODING)

    def _set_step(self, step: Step) -> None:
        self._step = (step, time.monotonic())


class _CloseError(Exception):
    """The server has asked to close this source."""


def _jpeg_shape(picture: Picture) -> tuple[int, int, int, int]:
    """Return a JPEG's size in bytes and its quality, and the height and width of its pixels."""
    if not isinstance(picture, Jpeg):
        return 0, 0, 0, 0
    height, width = (0, 0) if picture.pixels is None else picture.pixels.shape[:2]
    return len(picture.data), picture.quality, height, width


def _properties_of(source: "Source") -> dict[str, Any]:
    """Return a source's properties and controls as JSON data."""
    return {"info": asdict(source.info), "controls": write_controls(source.controls())}


def _limit_memory() -> None:
    with open("/proc/self/statm", "rb") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = used + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))
    # A core dump would contain the source's password.
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
