"""A source in a child process, so that nothing here can hang on OpenCV or be taken down by it.

The child (``child.py``) reads without pause. It puts what :meth:`IsolatedReader.read` asks for
into shared memory (``shared_memory.py``), decoded or not, and skips the rest. Their messages are
defined in ``channel.py``.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NoReturn

from server.capture.devices.controls import ControlInfo, Value, read_controls
from server.capture.frames.frame import Jpeg, Picture
from server.capture.frames.info import SourceInfo
from server.capture.frames.limits import MAX_PIXELS, check_size
from server.capture.isolation.channel import BEAT, NO_SLOT, SHAPE, WANT, Kind, Link, Message, Step
from server.capture.isolation.process import Process
from server.capture.isolation.shared_memory import FramePool
from server.capture.isolation.spare import CLOSE_DEADLINE_S, Kept, Spare
from server.capture.sources.reader import PATIENCE_S, Demand, Reading, is_due
from server.config.address import Address
from server.errors import ControlError, PictureError, SourceEnded, SourceError
from server.loop.memory import MMAP_THRESHOLD_BYTES, TRIM_THRESHOLD_BYTES

__all__ = ["IsolatedReader"]

# How late a picture may be asked for that became due while it was waited for.
ATTENTION_S = 0.05

# Until its first beat a child only loads Python, which takes 0.1 s, or long on a busy machine.
START_DEADLINE_S = 20.0

# OpenCV keeps to the time-outs it is given, almost. Longer than this beyond them, and it hangs.
GRACE_S = 1.0

# A source that has no picture to give may look at nothing else; pictures come first.
SET_DEADLINE_S = 2.0

# The protocols of FFmpeg that a source may use. Never file, concat or subfile: a camera's answer,
# such as a playlist, must not name what lies on this machine.
PROTOCOLS = {
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsp,rtsps,rtp,srtp,udp,tcp,tls",
    "http": "http,tcp",
    "https": "https,http,httpproxy,tls,tcp",
}


class IsolatedReader:
    """Reads any source, in a process of its own. Every method blocks and is called natively.

    Its pictures are read-only, in shared memory (``shared_memory.py``).

    Args:
        address: Where the source is; goes to the child over a socket, for everybody can read a
            command line.
        name: The camera's name.
        timeout_s: How long opening, and then each read, may take.
        child: The module that the child runs.
        spare: Where to look for a child before one is started, and where to leave it.

    Raises:
        SourceEnded: If it has no pictures, and that is no fault.
        SourceError: If it cannot be opened; says why.
    """

    def __init__(
        self,
        address: Address,
        name: str,
        timeout_s: float,
        child: str = "server.capture.isolation.child",
        spare: Spare | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._spare = spare
        self._environment = _environment(address, timeout_s)
        self._info: SourceInfo | None = None
        self.controls: tuple[ControlInfo, ...] = ()
        self._orders = 0  # How often controls were set,
        self._settled = 0  # the last of these that was answered,
        self._refused: dict[str, str] = {}  # and what was refused then.
        self._lender: FramePool | None = None
        self._lent = NO_SLOT
        self._asking = False
        self._answer: Reading | PictureError | None = None
        self._grabbed = 0  # Pictures that came by, as of the child's last beat.
        self._step = Step.STARTING
        self._busy_s = 0.0  # How long the child had been in its step when it last beat.
        self._heard_at = time.monotonic()

        kept = spare.take(self._environment) if spare else None
        if kept is None:
            kept = _start(child, self._environment)
        self._process, self._link, self._uses = kept
        try:
            self.info = self._open(address, name)
        except BaseException:
            self.close()
            raise

    def read(self, demand: Demand) -> Reading | None:
        """Return the next picture that is due; see :class:`Reader`.

        Pixels are not writable, and their memory is used anew when nothing refers to them any more.

        Raises:
            PictureError: If a picture cannot be decoded; the next one may be.
            SourceEnded: If there will be none, and that is as it should be.
            SourceError: If the source is lost, its process has ended, or it hangs and was killed.
        """
        grabbed = self._grabbed
        deadline = time.monotonic() + PATIENCE_S
        while (left_s := deadline - time.monotonic()) > 0:
            if not self._asking and is_due(demand):
                self._ask(demand)
            self._hear(left_s if self._asking else min(left_s, self._until_due_s(demand)))
            answer, self._answer = self._answer, None
            if isinstance(answer, PictureError):
                raise answer
            if answer is not None and _fits(answer, demand):
                return answer
        self._check()
        return Reading(None, time.time()) if self._grabbed != grabbed else None

    def set_controls(self, values: Mapping[str, Value]) -> dict[str, str]:
        """Have the child set controls between two pictures; see :class:`Reader`."""
        self._orders += 1
        order = {"id": self._orders, "values": dict(values)}
        self._tell(Kind.SET, json.dumps(order).encode())
        deadline = time.monotonic() + SET_DEADLINE_S
        while self._settled != self._orders:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise ControlError(f"the camera has not answered within {SET_DEADLINE_S:g} s")
            if not self._hear(min(left_s, PATIENCE_S)):
                self._check()
        return self._refused

    def _ask(self, demand: Demand) -> None:
        self._lent = self._lender.lend() if self._lender else NO_SLOT
        self._asking = True
        self._tell(Kind.WANT, _want(self._lent, demand))

    def _until_due_s(self, demand: Demand) -> float:
        return min(ATTENTION_S, max(0.0, demand.due() - time.monotonic()))

    def close(self) -> None:
        """End the child: politely, then at once. Pictures already handed out stay valid."""
        kept = Kept(self._process, self._link, self._uses + 1)
        if self._spare is not None and self._close_source():
            self._spare.keep(self._environment, kept)
        else:
            kept.end()

    def _close_source(self) -> bool:
        """Have the child close its source and stay; return whether it has."""
        deadline = time.monotonic() + CLOSE_DEADLINE_S
        try:
            asked = self._link.offer(Kind.CLOSE)
            while asked and (left_s := deadline - time.monotonic()) > 0:
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
        self._tell(Kind.OPEN, json.dumps(wanted).encode())
        while self._info is None:
            if not self._hear(PATIENCE_S) or self._step is Step.OPENING:
                self._check()
        check_size(self._info.width, self._info.height)
        return self._info

    def _tell(self, kind: Kind, payload: bytes) -> None:
        try:
            told = self._link.offer(kind, payload)
        except OSError:
            # It may have left word why; that, or the end of file, raises.
            while self._hear(PATIENCE_S):
                pass
            told = False
        if not told:
            self._lose("its process no longer listens; it was killed")

    def _hear(self, timeout_s: float) -> bool:
        """Take in one message; return whether one came within ``timeout_s``."""
        try:
            message = self._link.receive(timeout_s)
        except EOFError:
            self._process.wait(CLOSE_DEADLINE_S)
            self._lose(f"its process {self._process.fate}")
        except ValueError:
            self._lose("its process talks nonsense; it was killed")
        if message is None:
            return False
        self._heard_at = time.monotonic()
        self._take_in(message)
        return True

    def _take_in(self, message: Message) -> None:
        match message.kind:
            case Kind.BEAT:
                step, self._busy_s, self._grabbed = BEAT.unpack(message.payload)
                self._step = Step(step)
            case Kind.PICTURE:
                self._take_picture(message)
            case Kind.BROKEN:
                self._asking = False
                self._answer = PictureError(message.payload.decode())
                if self._lender and self._lent != NO_SLOT:
                    self._lender.give_back(self._lent)
            case Kind.OPENED:
                self._take_facts(json.loads(message.payload))
                # Not left to the next beat: a child that stops before it would count as starting.
                self._step, self._busy_s = Step.READING, 0.0
            case Kind.SETTLED:
                told = json.loads(message.payload)
                self._take_facts(told)
                self._settled, self._refused = told["id"], told["refused"]
                self._step, self._busy_s = Step.READING, 0.0
            case Kind.ENDED:
                raise SourceEnded(message.payload.decode())
            case _:
                raise SourceError(message.payload.decode())

    def _take_facts(self, told: dict[str, Any]) -> None:
        self.info = self._info = SourceInfo(**told["info"])
        self.controls = read_controls(told["controls"])

    def _take_picture(self, message: Message) -> None:
        slot, height, width, nbytes, quality, high, wide, at_unix = SHAPE.unpack(message.payload)
        picture: Picture
        try:
            if message.fd >= 0:
                self._lender = FramePool(message.fd)
                self._lender.claim(slot)
            elif not self._lender or slot != self._lent:
                raise ValueError("a slot that was not asked for")
            if nbytes:
                check_size(width, height)
                data = self._lender.copy_out(slot, nbytes)
                pixels = None
                if high:
                    pixels = self._lender.hand_over(slot, high, wide, behind=nbytes)
                else:
                    self._lender.give_back(slot)
                picture = Jpeg(data, width, height, quality, pixels)
            else:
                picture = self._lender.hand_over(slot, height, width)
        except (OSError, ValueError, SourceError) as error:
            self._lose(f"its process delivers no usable picture ({error}); it was killed")
        self._asking = False
        self._lent = NO_SLOT
        self._busy_s = 0.0
        self._answer = Reading(picture, at_unix)

    def _check(self) -> None:
        """Give the child up if it is silent, or in one step for too long."""
        silent_s = time.monotonic() - self._heard_at
        starting = self._step is Step.STARTING
        limit_s = max(self._timeout_s, START_DEADLINE_S) if starting else self._timeout_s
        if silent_s > limit_s:
            self._lose(f"its process has not answered for {limit_s:g} s; it was killed")
        busy_s = self._busy_s + silent_s
        if self._step is Step.OPENING:
            # As long again, for finding out why it cannot be opened.
            if busy_s > 2 * self._timeout_s + GRACE_S:
                self._lose(f"OpenCV has hung for {busy_s:.0f} s opening it; it was killed")
        elif self._step is Step.READING:
            if busy_s > self._timeout_s + GRACE_S:
                self._lose(
                    f"no picture for {busy_s:.0f} s, and OpenCV hangs reading; it was killed"
                )
        elif self._step is Step.SETTING and busy_s > self._timeout_s:
            self._lose(f"OpenCV has hung for {busy_s:.0f} s setting a control; it was killed")
        elif self._step is Step.DECODING and busy_s > self._timeout_s:
            self._lose(f"OpenCV has hung for {busy_s:.0f} s decoding a picture; it was killed")

    def _lose(self, reason: str) -> NoReturn:
        self._process.kill()
        raise SourceError(reason)


def _start(child: str, environment: Mapping[str, str]) -> Kept:
    """Start a child; raises SourceError if the system lets no more be started."""
    link, theirs = Link.pair()
    try:
        with theirs:
            return Kept(Process(child, theirs, dict(environment)), link, 0)
    except OSError as error:
        link.close()
        raise SourceError(f"no process can be started for it ({error.strerror})") from error


def _want(slot: int, demand: Demand) -> bytes:
    return WANT.pack(slot, demand.jpeg_up_to(), demand.pixels_from(), demand.changed)


def _fits(reading: Reading, demand: Demand) -> bool:
    """Return whether a picture is still what is wanted, which may have changed since it was."""
    picture = reading.picture
    return is_due(demand) and not (
        isinstance(picture, Jpeg) and picture.quality > demand.jpeg_up_to()
    )


def _environment(address: Address, timeout_s: float) -> dict[str, str]:
    """Return the settings that OpenCV, FFmpeg and numpy read from the environment."""
    environment = {
        "OPENCV_LOG_LEVEL": "SILENT",
        "OPENCV_FFMPEG_LOGLEVEL": "-8",
        "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": str(max(1, round(timeout_s))),
        "OPENCV_IO_MAX_IMAGE_PIXELS": str(MAX_PIXELS),
        # Linear algebra has no use here, and its threads take memory.
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_MMAP_THRESHOLD_": str(MMAP_THRESHOLD_BYTES),
        "MALLOC_TRIM_THRESHOLD_": str(TRIM_THRESHOLD_BYTES),
    }
    if address.scheme in PROTOCOLS:
        # What the user set stays, except that the allow-list is ours; the last of two counts.
        given = os.environ.get("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
        allowed = f"protocol_whitelist;{PROTOCOLS[address.scheme]}"
        environment["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "|".join(filter(None, (given, allowed)))
    return environment
