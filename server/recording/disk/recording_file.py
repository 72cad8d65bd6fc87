"""A recording's file: fragmented MP4 that is playable at any time and describes itself.

It begins like any fragmented MP4. Next come a ``uuid`` box with the values for our index, and a
``sidx`` box with room to grow, from which players learn the duration and where to seek. ``sidx``
is updated after each fragment is written, so it never lists data that is not there.

Everything here blocks on the disk: call it on native threads only.
"""

import errno
import fcntl
import json
import os
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from server.delivery.mp4.boxes import box
from server.delivery.mp4.movie import TIMESCALE
from server.errors import PictureError
from server.recording.disk.samples import read_samples
from server.recording.disk.segmenter import Begin
from server.users.private import open_private

__all__ = [
    "Facts",
    "Parts",
    "RecordingFile",
    "examine",
    "head_of",
    "is_being_written",
    "read_facts",
    "repair",
    "set_locked",
]

OURS = bytes.fromhex("706f7274686f6c652d7265636f726421")
"""The extended type of our ``uuid`` box."""

MAX_PARTS = 400
"""The most parts, each beginning with a key frame, that fit into a file's ``sidx``."""

SIDX_HEAD = struct.Struct("!I4sIIIQQHH")
SIDX_PART = struct.Struct("!III")
SIDX_BYTES = SIDX_HEAD.size + MAX_PARTS * SIDX_PART.size + 8
BEGINS_WITH_KEY = 0x90000000

# The box with the overall duration; see _with_duration.
MEHD = struct.Struct("!I4sIQ")

# IOV_MAX: Linux accepts no more buffers in one call.
MAX_PARTS_AT_ONCE = 1024

# Bytes to read of a file's head.
MAX_HEAD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Facts:
    """The values stored in a recording's file.

    Attributes:
        camera: The camera's name.
        begin_unix: When its first picture was captured, in Unix seconds.
        reason: Why it was recorded, such as ``always``.
        locked: Whether it is kept forever.
        ticks: Its duration.
        nbytes: Size up to the end of the last complete fragment.
        codec: The RFC 6381 codec string.
        width: In pixels.
        height: In pixels.
        sets: The parameter sets, in Annex B format.
        whole: Whether ``sidx`` lists all fragments and no incomplete one follows.
        film: The time-lapse film it belongs to; empty for none.
    """

    camera: str
    begin_unix: float
    reason: str
    locked: bool
    ticks: int
    nbytes: int
    codec: str
    width: int
    height: int
    sets: bytes
    whole: bool
    film: str = ""

    @property
    def end_unix(self) -> float:
        """When its last picture ends, in Unix seconds."""
        return self.begin_unix + self.ticks / TIMESCALE


@dataclass(slots=True)
class Parts:
    """The parts of a file as listed in ``sidx``, each from one key frame to the next.

    Attributes:
        at: Offset of ``sidx``.
        mehd_at: Offset of ``mehd``, the overall duration.
        sizes: In bytes.
        ticks: Their durations.
    """

    at: int
    mehd_at: int
    sizes: list[int] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)

    @property
    def begin(self) -> int:
        """Offset of the first part."""
        return self.at + SIDX_BYTES

    @property
    def end(self) -> int:
        """Offset of the end of the last part."""
        return self.begin + sum(self.sizes)

    def add(self, size: int, ticks: int, key: bool) -> None:
        """Add a fragment: as a new part if it begins with a key frame, else to the last one."""
        if (key and len(self.sizes) < MAX_PARTS) or not self.sizes:
            self.sizes.append(size)
            self.ticks.append(ticks)
        else:
            self.sizes[-1] += size
            self.ticks[-1] += ticks

    def boxes(self) -> bytes:
        """Return ``sidx``, and a ``free`` box that fills the rest of its space."""
        size = SIDX_HEAD.size + len(self.sizes) * SIDX_PART.size
        free = SIDX_BYTES - size
        head = SIDX_HEAD.pack(size, b"sidx", 1 << 24, 1, TIMESCALE, 0, free, 0, len(self.sizes))
        listed = b"".join(
            SIDX_PART.pack(size, ticks, BEGINS_WITH_KEY)
            for size, ticks in zip(self.sizes, self.ticks, strict=True)
        )
        return head + listed + struct.pack("!I4s", free, b"free")

    def write(self, descriptor: int) -> None:
        """Update ``sidx`` and ``mehd`` in the file."""
        os.pwrite(descriptor, self.boxes(), self.at)
        mehd = MEHD.pack(MEHD.size, b"mehd", 1 << 24, sum(self.ticks))
        os.pwrite(descriptor, mehd, self.mehd_at)


def head_of(begin: Begin, camera: str) -> bytes:
    """Return the head of a recording's file, up to the first fragment."""
    first = begin.first
    known = {
        "camera": camera,
        "begin": first.shown_unix,
        "reason": begin.reason,
        "codec": first.codec,
        "width": first.width,
        "height": first.height,
        "sets": begin.sets.hex(),
    }
    if begin.film:
        known["film"] = begin.film
    ours = box(b"uuid", OURS, b"\0", json.dumps(known).encode())
    init = _with_duration(begin.init_segment)
    return init + ours + Parts(len(init) + len(ours), 0).boxes().ljust(SIDX_BYTES, b"\0")


class RecordingFile:
    """A recording being written; holds an exclusive ``flock``, so that others can tell.

    Args:
        path: A new file, in an existing folder.
        head: The result of :func:`head_of`.

    Attributes:
        nbytes: Its size.
        ticks: Its duration.

    Raises:
        FileExistsError: If the file exists.
        OSError: If it cannot be written; no file is left.
    """

    def __init__(self, path: Path, head: bytes) -> None:
        self.path = path
        self.ticks = 0
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        self._descriptor = open_private(path, os.O_RDWR)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)  # is_being_written holds it only briefly.
            _write(self._descriptor, [head], 0)
            self._parts = _find_parts(head)
        except BaseException:
            path.unlink(missing_ok=True)
            os.close(self._descriptor)
            raise
        self.nbytes = len(head)

    def append(self, fragment: Sequence[bytes], ticks: int, key: bool) -> None:
        """Append a fragment.

        Args:
            fragment: Its boxes, as a list of byte strings.
            ticks: Its duration.
            key: Whether it begins with a key frame.

        Raises:
            OSError: If it cannot be written; the file is left as it was.
        """
        parts = replace(self._parts, sizes=[*self._parts.sizes], ticks=[*self._parts.ticks])
        size = sum(map(len, fragment))
        parts.add(size, ticks, key)
        try:
            _write(self._descriptor, fragment, self.nbytes)
            parts.write(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self.nbytes)
            self._parts.write(self._descriptor)
            raise
        self._parts = parts
        self.nbytes += size
        self.ticks += ticks

    @property
    def is_full(self) -> bool:
        """Whether no more parts fit into ``sidx``."""
        return len(self._parts.sizes) >= MAX_PARTS

    def close(self) -> None:
        """Flush the file to the disk and close it; without any fragment, delete it.

        Raises:
            OSError: If that fails; the file is closed nevertheless.
        """
        try:
            if self.ticks:
                os.fsync(self._descriptor)
            else:
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)


def is_being_written(path: Path) -> bool:
    """Return whether any process is writing a recording."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_facts(path: Path) -> Facts:
    """Read the values stored in a recording's file, up to its last complete fragment.

    Raises:
        PictureError: If it is not a recording of ours, or has no complete fragment.
        OSError: If it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        return examine(descriptor)[0]
    finally:
        os.close(descriptor)


def repair(path: Path) -> Facts:
    """Cut off an incomplete fragment at a recording's end, update ``sidx``, and read the result.

    Raises:
        PictureError: If it is not a recording of ours, or has no complete fragment.
        OSError: If it cannot be read or written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        facts, parts = examine(descriptor)
        if not facts.whole:
            os.ftruncate(descriptor, facts.nbytes)
            parts.write(descriptor)
            os.fsync(descriptor)
            facts, _ = examine(descriptor)
        return facts
    finally:
        os.close(descriptor)


def set_locked(path: Path, locked: bool) -> None:
    """Set in a recording's file whether it is kept forever.

    Raises:
        PictureError: If it is not a recording of ours.
        OSError: If it cannot be read or written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        head = os.pread(descriptor, MAX_HEAD_BYTES, 0)
        at = next((at for at, kind, _ in _boxes(head) if kind == b"uuid"), -1)
        if at < 0 or head[at + 8 : at + 24] != OURS:
            raise PictureError(f"{path.name} is not a recording")
        os.pwrite(descriptor, bytes([locked]), at + 24)
    finally:
        os.close(descriptor)


def examine(descriptor: int) -> tuple[Facts, Parts]:
    """Return the values stored in an open file, and its parts.

    Raises:
        PictureError: If it is not a recording of ours, or has no complete fragment.
        OSError: If it cannot be read.
    """
    head = os.pread(descriptor, MAX_HEAD_BYTES, 0)
    try:
        parts = _find_parts(head)
        at = next(at for at, kind, _ in _boxes(head) if kind == b"uuid")
        size = int.from_bytes(head[at : at + 4])
        if head[at + 8 : at + 24] != OURS:
            raise ValueError
        known = json.loads(head[at + 25 : at + size])
        camera, reason, codec = map(str, (known["camera"], known["reason"], known["codec"]))
        film = str(known.get("film", ""))
        begin, sets = float(known["begin"]), bytes.fromhex(known["sets"])
        width, height = int(known["width"]), int(known["height"])
    except (ValueError, TypeError, LookupError, StopIteration, struct.error) as error:
        raise PictureError("it is not a recording, or only the beginning of one") from error
    there = os.fstat(descriptor).st_size
    promised = parts.end
    if promised > there:  # A power cut lost fragments that sidx lists.
        parts.sizes, parts.ticks = [], []
    for size, ticks, key in _fragments(descriptor, parts.end, there):
        parts.add(size, ticks, key)
    if not parts.sizes:
        raise PictureError("it has no complete fragment")
    facts = Facts(
        camera=camera,
        begin_unix=begin,
        reason=reason,
        locked=bool(head[at + 24]),
        ticks=sum(parts.ticks),
        nbytes=parts.end,
        codec=codec,
        width=width,
        height=height,
        sets=sets,
        whole=parts.end == there == promised,
        film=film,
    )
    return facts, parts


def _find_parts(head: bytes) -> Parts:
    """Return the parts listed in a file's ``sidx``; raise ValueError if there is none."""
    mehd_at = sidx_at = -1
    for at, kind, _ in _boxes(head):
        if kind == b"moov":
            mehd_at = head.find(b"mehd", at) - 4
        if kind == b"sidx":
            sidx_at = at
            break
    if sidx_at < 0 or mehd_at < 0:
        raise ValueError("no index")
    parts = Parts(sidx_at, mehd_at)
    *_, count = SIDX_HEAD.unpack_from(head, sidx_at)
    for number in range(count):
        size, ticks, _ = SIDX_PART.unpack_from(
            head, sidx_at + SIDX_HEAD.size + number * SIDX_PART.size
        )
        parts.sizes.append(size)
        parts.ticks.append(ticks)
    return parts


def _fragments(descriptor: int, at: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """Yield each complete fragment's size and duration, and whether it begins with a key frame."""
    for size, listed in read_samples(descriptor, at, end):
        yield size, sum(one.duration for one in listed), listed[0].key


def _boxes(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield the offset, type and size of each box."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from("!I4s", data, at)
        if size < 8:
            return
        yield at, kind, size
        at += size


def _with_duration(init_segment: bytes) -> bytes:
    """Insert ``mehd``, the box for the overall duration, which grows with the file."""
    moov_at = next(at for at, kind, _ in _boxes(init_segment) if kind == b"moov")
    mvex_at = init_segment.rindex(b"mvex") - 4
    mehd = MEHD.pack(MEHD.size, b"mehd", 1 << 24, 0)
    grown = bytearray(init_segment)
    for at in (moov_at, mvex_at):
        struct.pack_into("!I", grown, at, int.from_bytes(grown[at : at + 4]) + len(mehd))
    grown[mvex_at + 8 : mvex_at + 8] = mehd
    return bytes(grown)


def _write(descriptor: int, parts: Sequence[bytes], at: int) -> None:
    left = deque[memoryview](memoryview(part) for part in parts)
    while left:
        written = os.pwritev(descriptor, list(islice(left, MAX_PARTS_AT_ONCE)), at)
        at += written
        while left and written >= len(left[0]):
            written -= len(left.popleft())
        if written:
            left[0] = left[0][written:]
