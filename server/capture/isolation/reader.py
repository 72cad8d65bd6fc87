"""Reads a source in a child process, so that no decoder or driver can hang or crash the server.

The child (``child.py``) reads continuously. It puts the pictures that :meth:`IsolatedReader.read`
requests into shared memory (``shared_memory.py``), decoded or not, and skips the rest. The messages
between them are defined in ``channel.py``.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, NoReturn

from server.capture.devices.controls import ControlInfo, Value, read_controls
from server.capture.frames.arrivals import Figures
from server.capture.frames.event_report import EventReport
from server.capture.frames.frame import Jpeg, Picture
from server.capture.frames.info import SourceInfo
from server.capture.frames.limits import MAX_PIXELS, check_size
from server.capture.frames.numbering import UNCOUNTED, Place
from server.capture.isolation.channel import BEAT, NO_SLOT, SHAPE, WANT, Kind, Message, Step
from server.capture.isolation.event_reports import read_event_report
from server.capture.isolation.shared_memory import FramePool
from server.capture.isolation.spare import CLOSE_DEADLINE_S, IdleChild, SpareProcess, start_child
from server.capture.sources.reader import MAX_READ_S, Demand, Reading, is_due
from server.config.address import Address
from server.errors import ControlError, LoginRefused, PictureError, SourceEnded, SourceError
from server.loop.memory import MMAP_THRESHOLD_BYTES, TRIM_THRESHOLD_BYTES

__all__ = ["IDLE_READ_S", "IsolatedReader", "WouldBlock"]

# Longest delay before a due frame is requested.
MAX_REQUEST_DELAY_S = 0.05

IDLE_READ_S = 3.0
"""Limit for a read on the hub while only a key frame is wanted; long enough for a beat."""

# Before its first beat a child only loads Python: 0.1 s, or much longer on a busy machine.
START_DEADLINE_S = 20.0

# Sources may exceed their timeouts slightly. One that exceeds them by more than this is hanging.
GRACE_S = 1.0

# A child that waits for a picture handles no message until it has one.
SET_DEADLINE_S = 2.0


class WouldBlock(Exception):
    """The next message may take time to handle: call :meth:`IsolatedReader.read` natively."""


class IsolatedReader:
    """Reads any source in its own process. Methods block and run natively unless stated otherwise.

    Its pictures are read-only, in shared memory (``shared_memory.py``).

    Args:
        address: The source's address; sent to the child over a socket, because any process can read
            a command line.
        name: The camera's name.
        timeout_s: Limit for opening, and then for each picture.
        child: The module that the child runs.
        spare: Idle children, one of which is used if possible and returned at the end.

    Raises:
        SourceEnded: If it ended normally, without a picture.
        SourceError: If it cannot be opened; says why.
    """

    def __init__(
        self,
        address: Address,
        name: str,
        timeout_s: float,
        child: str = "server.capture.isolation.child",
        spare: SpareProcess | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._spare = spare
        self._environment = _environment(timeout_s)
        self._info: SourceInfo | None = None
        self.controls: tuple[ControlInfo, ...] = ()
        self.figures = Figures()
        self._event_reports: list[EventReport] = []
        self._sets_sent = 0  # The number of the last request to set controls.
        self._sets_answered = 0  # The number of the last one that was answered.
        self._refused: dict[str, str] = {}  # The values that this answer rejected.
        self._pool: FramePool | None = None
        self._slot = NO_SLOT
        self._requested = False
        self._outdated = False  # Whether the pending request was for viewers who have left.
        self._answer: Reading | PictureError | None = None
        self._unhandled: Message | None = None  # Left by a read on the hub.
        self._grabbed = 0  # Pictures grabbed, as of the child's last beat.
        self._step = Step.STARTING
        self._busy_s = 0.0  # How long the child had been in its step at its last beat.
        self._received_at = time.monotonic()

        idle = spare.take(self._environment) if spare else None
        if idle is None:
            idle = start_child(child, self._environment)
        self._process, self._link, self._uses = idle
        try:
            self.info = self._open(address, name)
        except BaseException:
            self.close()
            raise

    def read(self, demand: Demand) -> Reading | None:
        """Return the next picture that is due; see :class:`Reader`.

        Pixels are read-only, and their memory is reused once nothing refers to them.

        Raises:
            PictureError: If a picture cannot be decoded; the next one may be.
            SourceEnded: If the source ended normally.
            SourceError: If the source failed, its process ended, or it hung and was killed.
        """
        grabbed = self._grabbed
        deadline = time.monotonic() + MAX_READ_S
        while (left_s := deadline - time.monotonic()) > 0:
            if not self._requested and is_due(demand):
                self._request(demand)
            self._receive(left_s if self._requested else min(left_s, self._until_due_s(demand)))
            if reading := self._take_answer(demand):
                return reading
        self._check()
        return Reading(None, time.time()) if self._grabbed != grabbed else None

    def read_on_hub(self, demand: Demand, wait: Callable[[float | None], bool]) -> Reading | None:
        """Read as :meth:`read` does, without blocking the hub; only JPEG without pixels.

        A native call for each picture wakes two threads with cold caches, which is a quarter of the
        cost of a picture that passes through.

        Args:
            demand: The camera's demand.
            wait: Waits until the child has sent a message or the read must end, for at most the
                given number of seconds; returns False if the time has passed.

        Raises:
            WouldBlock: If another kind of message came, or the child hangs; call :meth:`read`.
        """
        grabbed, began = self._grabbed, time.monotonic()
        while True:
            if not self._requested and is_due(demand):
                self._request(demand)
            # Without a time limit: a demand for more than a key frame ends the wait.
            idle = self._requested or demand.keys_only()
            signalled = wait(None if idle else self._until_due_s(demand))
            received = self._receive_on_hub()
            if reading := self._take_answer(demand):
                return reading
            longest_s = IDLE_READ_S if demand.keys_only() else MAX_READ_S
            if (signalled and not received) or time.monotonic() - began > longest_s:
                break
        if self._fault() is not None:
            raise WouldBlock
        return Reading(None, time.time()) if self._grabbed != grabbed else None

    def _take_answer(self, demand: Demand) -> Reading | None:
        """Return the picture that has arrived, if it is still wanted."""
        answer, self._answer = self._answer, None
        if answer is not None and self._outdated:
            self._outdated = False
            return None
        if isinstance(answer, PictureError):
            raise answer
        return answer if answer is not None and _fits(answer, demand) else None

    def set_controls(self, values: Mapping[str, Value]) -> dict[str, str]:
        """Have the child set controls between two pictures; see :class:`Reader`."""
        self._sets_sent += 1
        request = {"id": self._sets_sent, "values": dict(values)}
        self._send(Kind.SET, json.dumps(request).encode())
        deadline = time.monotonic() + SET_DEADLINE_S
        while self._sets_answered != self._sets_sent:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise ControlError(f"the camera did not answer within {SET_DEADLINE_S:g} s")
            if not self._receive(min(left_s, MAX_READ_S)):
                self._check()
        return self._refused

    def accept_any_picture(self) -> None:
        """Accept any picture if only a key frame was requested; the hub may call this too."""
        with suppress(OSError):  # Reading finds out what happened to the child.
            self._link.offer(Kind.HURRY)

    def request_key(self, track: int) -> bool:
        """Request a key frame in an encoded video, by its number; also called on the hub."""
        try:
            return self._link.offer(Kind.KEY, bytes((track,)))
        except OSError:
            return False

    def set_videos(self, wanted: Mapping[str, Any], fd: int = -1) -> bool:
        """Set the wanted videos; also called on the hub. Returns False if that failed.

        Args:
            wanted: See ``Kind.VIDEO``.
            fd: The child's end of the socket for their units, if it has none yet.
        """
        try:
            return self._link.offer(Kind.VIDEO, json.dumps(wanted).encode(), fd)
        except OSError:
            return False

    def set_motion(self, wanted: Mapping[str, Any] | None) -> bool:
        """Configure motion detection; also called on the hub. Returns False if that failed."""
        try:
            return self._link.offer(Kind.MOTION, json.dumps(wanted).encode())
        except OSError:
            return False

    def take_event_reports(self) -> list[EventReport]:
        """Return the events since the last call; must not be called during a read."""
        reports, self._event_reports = self._event_reports, []
        return reports

    def _request(self, demand: Demand) -> None:
        self._slot = self._pool.acquire() if self._pool else NO_SLOT
        self._requested = True
        self._send(Kind.WANT, _want(self._slot, demand, self.info.polled))

    def _until_due_s(self, demand: Demand) -> float:
        return min(MAX_REQUEST_DELAY_S, max(0.0, demand.due() - time.monotonic()))

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the child has sent a message."""
        return self._link.fileno()

    def pause(self) -> None:
        """Pause the child until the next picture is wanted; see :class:`Reader`."""
        self._outdated = self._requested
        self._send(Kind.PAUSE)

    def close(self) -> None:
        """Close the source; keep the child as a spare, or end it. Returned pictures stay valid."""
        idle = IdleChild(self._process, self._link, self._uses + 1)
        if self._spare is not None and self._close_source():
            self._spare.keep(self._environment, idle)
        else:
            idle.end()

    def _close_source(self) -> bool:
        """Ask the child to close its source but keep running; return whether it has done so."""
        deadline = time.monotonic() + CLOSE_DEADLINE_S
        try:
            offered = self._link.offer(Kind.CLOSE)
            while offered and (left_s := deadline - time.monotonic()) > 0:
                message = self._link.receive(left_s)
                if message is not None and message.fd >= 0:
                    os.close(message.fd)
                if message is not None and message.kind is Kind.CLOSED:
                    return True
        except (EOFError, OSError, ValueError):
            pass
        return False

    def _open(self, address: Address, name: str) -> SourceInfo:
        wanted = {"address": asdict(address), "name": name, "timeout_s": self._timeout_s}
        self._send(Kind.OPEN, json.dumps(wanted).encode())
        while self._info is None:
            if not self._receive(MAX_READ_S) or self._step is Step.OPENING:
                self._check()
        check_size(self._info.width, self._info.height)
        return self._info

    def _send(self, kind: Kind, payload: bytes = b"") -> None:
        try:
            sent = self._link.offer(kind, payload)
        except OSError:
            return  # Receiving will raise an error: the reason that it sent, or the end of file.
        if not sent:
            self._kill("its process accepts no more messages; it was killed")

    def _receive(self, timeout_s: float) -> bool:
        """Handle one message; return whether one came within ``timeout_s``."""
        message, self._unhandled = self._unhandled, None
        try:
            message = message or self._link.receive(timeout_s)
        except EOFError:
            self._process.wait(CLOSE_DEADLINE_S)
            self._kill(f"its process {self._process.exit_reason}")
        except ValueError:
            self._kill("its process sent an invalid message; it was killed")
        if message is None:
            return False
        self._received_at = time.monotonic()
        self._handle(message)
        return True

    def _receive_on_hub(self) -> bool:
        """Handle a message if that cannot block; return whether one has arrived."""
        try:
            message = self._link.receive(0.0)
        except (EOFError, ValueError):
            raise WouldBlock from None
        if message is None:
            return False
        if message.kind is Kind.JPEG:
            handle = self._take_picture
        elif message.kind is Kind.BEAT:
            handle = self._handle
        else:
            self._unhandled = message
            raise WouldBlock
        self._received_at = time.monotonic()
        handle(message)
        return True

    def _handle(self, message: Message) -> None:
        match message.kind:
            case Kind.BEAT:
                beat = BEAT.unpack_from(message.payload)
                step, self._busy_s, self._grabbed, fps, kbps, group = beat
                self._step = Step(step)
                self.figures = Figures(fps, kbps, group, message.payload[BEAT.size :].decode())
            case Kind.PICTURE | Kind.JPEG:
                self._take_picture(message)
            case Kind.BROKEN:
                self._requested = False
                self._answer = PictureError(message.payload.decode())
                if self._pool and self._slot != NO_SLOT:
                    self._pool.release(self._slot)
            case Kind.OPENED:
                self._set_properties(json.loads(message.payload))
                # Do not wait for a beat: a child that hangs before it would count as starting.
                self._step, self._busy_s = Step.READING, 0.0
            case Kind.CHANGED:
                self._set_properties(json.loads(message.payload))
            case Kind.SETTLED:
                answer = json.loads(message.payload)
                self._set_properties(answer)
                self._sets_answered, self._refused = answer["id"], answer["refused"]
                self._step, self._busy_s = Step.READING, 0.0
            case Kind.EVENT_REPORT:
                self._take_event_report(message)
            case Kind.REFUSED:
                raise LoginRefused(message.payload.decode())
            case Kind.ENDED:
                raise SourceEnded(message.payload.decode())
            case _:
                raise SourceError(message.payload.decode())

    def _set_properties(self, data: dict[str, Any]) -> None:
        self.info = self._info = SourceInfo(**data["info"])
        self.controls = read_controls(data["controls"])

    def _take_picture(self, message: Message) -> None:
        slot, height, width, nbytes, quality, high, wide, at_unix, *place = SHAPE.unpack(
            message.payload
        )
        picture: Picture
        try:
            if message.fd >= 0:
                self._pool = FramePool(message.fd)
                self._pool.claim(slot)
            elif not self._pool or slot != self._slot:
                raise ValueError("a slot that was not requested")
            if message.kind is Kind.JPEG and (high or not nbytes):
                raise ValueError("not JPEG alone")
            if nbytes:
                check_size(width, height)
                data = self._pool.copy_out(slot, nbytes)
                pixels = None
                if high:
                    pixels = self._pool.view(slot, high, wide, offset=nbytes)
                else:
                    self._pool.release(slot)
                picture = Jpeg(data, width, height, quality, pixels)
            else:
                picture = self._pool.view(slot, height, width)
        except (OSError, ValueError, SourceError) as error:
            self._kill(f"its process delivers no usable picture ({error}); it was killed")
        self._requested = False
        self._slot = NO_SLOT
        self._busy_s = 0.0
        self._answer = Reading(picture, at_unix, Place(*place) if place[0] else UNCOUNTED)

    def _take_event_report(self, message: Message) -> None:
        try:
            report = read_event_report(message)
        except (OSError, ValueError):
            self._kill("its process sent an invalid message; it was killed")
        self._event_reports.append(report)

    def _check(self) -> None:
        """Kill the child if it is silent or in one step for too long."""
        if fault := self._fault():
            self._kill(f"{fault}; it was killed")

    def _fault(self) -> str | None:
        """Return what is wrong if the child is silent or in one step for too long."""
        silent_s = time.monotonic() - self._received_at
        starting = self._step is Step.STARTING
        limit_s = max(self._timeout_s, START_DEADLINE_S) if starting else self._timeout_s
        if silent_s > limit_s:
            return f"its process has not answered for {limit_s:g} s"
        busy_s = self._busy_s + silent_s
        if self._step is Step.OPENING:
            # Twice the timeout: the child may need as long again to find out what went wrong.
            if busy_s > 2 * self._timeout_s + GRACE_S:
                return f"its reader has hung for {busy_s:.0f} s opening it"
        elif self._step is Step.READING:
            if busy_s > self._timeout_s + GRACE_S:
                return f"no picture for {busy_s:.0f} s, and its reader is hanging"
        elif self._step is Step.SETTING and busy_s > self._timeout_s:
            return f"its reader has hung for {busy_s:.0f} s setting a control"
        elif self._step is Step.DECODING and busy_s > self._timeout_s:
            return f"its reader has hung for {busy_s:.0f} s decoding a picture"
        return None

    def _kill(self, reason: str) -> NoReturn:
        self._process.kill()
        raise SourceError(reason)


def _want(slot: int, demand: Demand, polled: bool) -> bytes:
    # Otherwise a polled camera would be fetched continuously until something changes.
    changed = demand.changed and not polled
    return WANT.pack(slot, demand.jpeg_up_to(), demand.pixels_from(), changed, demand.keys_only())


def _fits(reading: Reading, demand: Demand) -> bool:
    """Return whether a picture still meets the demand, which may have changed since."""
    if not is_due(demand):
        return False
    picture = reading.picture
    return not isinstance(picture, Jpeg) or picture.quality <= demand.jpeg_up_to()


def _environment(timeout_s: float) -> dict[str, str]:
    """Return the settings that OpenCV and numpy read from the environment."""
    return {
        "OPENCV_LOG_LEVEL": "SILENT",
        "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": str(max(1, round(timeout_s))),
        "OPENCV_IO_MAX_IMAGE_PIXELS": str(MAX_PIXELS),
        # Numpy's linear algebra is not used, and its threads take memory.
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_MMAP_THRESHOLD_": str(MMAP_THRESHOLD_BYTES),
        "MALLOC_TRIM_THRESHOLD_": str(TRIM_THRESHOLD_BYTES),
    }
