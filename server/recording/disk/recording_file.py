"""One recording as a file: fragmented MP4 that can be played at any time, and knows what it is.

It begins as every fragmented MP4 does. Then come a box with what the index needs, and an index of
the fragments (``sidx``) with room to grow, by which players know how long it is and where to seek.
That is renewed with each fragment, after it was written, so that it never promises too much.

Everything here blocks on the disk: on native threads only.
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
from server.recording.disk.fragments import read_samples
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
"""The kind of the box that says what the file is."""

MAX_PARTS = 400
"""As many parts, each beginning with a key picture, can be in a file."""

SIDX_HEAD = struct.Struct("!I4sIIIQQHH")
SIDX_PART = struct.Struct("!III")
SIDX_BYTES = SIDX_HEAD.size + MAX_PARTS * SIDX_PART.size + 8
BEGINS_WITH_KEY = 0x90000000

# Where the duration of the whole is; see _with_duration.
MEHD = struct.Struct("!I4sIQ")

# Linux takes no more in one call.
MAX_PARTS_AT_ONCE = 1024

# Of the file's head, when it is read.
MAX_HEAD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Facts:
    """What a recording's file says about it.

    Attributes:
        camera: The camera's name.
        begin_unix: When its first picture was captured, in Unix seconds.
        reason: Why it was recorded, such as ``always``.
        locked: Whether it is to be kept for ever.
        ticks: How long it is.
        nbytes: Up to the end of its last whole fragment.
        codec: What its pictures are encoded as, by RFC 6381.
        width: In pixels.
        height: In pixels.
        sets: The parameter sets, in Annex B format.
        whole: Whether nothing follows its fragments, and all are in the file's own index.
        film: Which time-lapse film it is of; empty for none.
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
        """When its last picture ended."""
        return self.begin_unix + self.ticks / TIMESCALE


@dataclass(slots=True)
class Parts:
    """The parts of a file, each from one key picture to another, as ``sidx`` has them.

    Attributes:
        at: Where the index is.
        mehd_at: Where the duration of the whole is.
        sizes: In bytes.
        ticks: Their durations.
    """

    at: int
    mehd_at: int
    sizes: list[int] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)

    @property
    def begin(self) -> int:
        """Where the first part begins."""
        return self.at + SIDX_BYTES

    @property
    def end(self) -> int:
        """Where the last part ends."""
        return self.begin + sum(self.sizes)

    def add(self, size: int, ticks: int, key: bool) -> None:
        """Add a fragment, to the last part unless it begins with a key picture."""
        if (key and len(self.sizes) < MAX_PARTS) or not self.sizes:
            self.sizes.append(size)
            self.ticks.append(ticks)
        else:
            self.sizes[-1] += size
            self.ticks[-1] += ticks

    def boxes(self) -> bytes:
        """Return ``sidx``, and the box that fills the rest of its room."""
        size = SIDX_HEAD.size + len(self.sizes) * SIDX_PART.size
        free = SIDX_BYTES - size
        head = SIDX_HEAD.pack(size, b"sidx", 1 << 24, 1, TIMESCALE, 0, free, 0, len(self.sizes))
        listed = b"".join(
            SIDX_PART.pack(size, ticks, BEGINS_WITH_KEY)
            for size, ticks in zip(self.sizes, self.ticks, strict=True)
        )
        return head + listed + struct.pack("!I4s", free, b"free")

    def write(self, descriptor: int) -> None:
        """Renew both in the file."""
        os.pwrite(descriptor, self.boxes(), self.at)
        mehd = MEHD.pack(MEHD.size, b"mehd", 1 << 24, sum(self.ticks))
        os.pwrite(descriptor, mehd, self.mehd_at)


def head_of(begin: Begin, camera: str) -> bytes:
    """Return how the file of a camera's recording begins."""
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
    """A recording that is being written. Others can tell that it is, by a lock of the kernel's.

    Args:
        path: A new file, in a folder that exists.
        head: What :func:`head_of` returns.

    Attributes:
        nbytes: How large it is.
        ticks: How long it is.

    Raises:
        FileExistsError: If there is one already.
        OSError: If it cannot be written; then there is none.
    """

    def __init__(self, path: Path, head: bytes) -> None:
        self.path = path
        self.ticks = 0
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        self._descriptor = open_private(path, os.O_RDWR)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)  # Who looks whether there is one is quick.
            _write(self._descriptor, [head], 0)
            self._parts = _find_parts(head)
        except BaseException:
            path.unlink(missing_ok=True)
            os.close(self._descriptor)
            raise
        self.nbytes = len(head)

    def append(self, fragment: Sequence[bytes], ticks: int, key: bool) -> None:
        """Add a fragment.

        Args:
            fragment: Its boxes, in parts.
            ticks: How long it is.
            key: Whether it begins with a key picture.

        Raises:
            OSError: If there is no room; then the file is as it was.
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
        """Whether no more parts fit into its index."""
        return len(self._parts.sizes) >= MAX_PARTS

    def close(self) -> None:
        """Have the disk keep it; without any fragment it is deleted.

        Raises:
            OSError: If the disk cannot; it is closed all the same.
        """
        try:
            if self.ticks:
                os.fsync(self._descriptor)
            else:
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)


def is_being_written(path: Path) -> bool:
    """Return whether some process is writing a recording."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_facts(path: Path) -> Facts:
    """Return what a recording's file says about it; ``bytes`` without what is torn at its end.

    Raises:
        PictureError: If it is none of ours, or has no whole fragment.
        OSError: If it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        return examine(descriptor)[0]
    finally:
        os.close(descriptor)


def repair(path: Path) -> Facts:
    """Cut off what is torn at a recording's end, renew its index, and return what it says then.

    Raises:
        PictureError: If it is none of ours, or has no whole fragment.
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
    """Note in a recording's file whether it is to be kept for ever.

    Raises:
        PictureError: If it is none of ours.
        OSError: If it cannot be read or written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        head = os.pread(descriptor, MAX_HEAD_BYTES, 0)
        at = next((at for at, kind, _ in _boxes(head) if kind == b"uuid"), -1)
        if at < 0 or head[at + 8 : at + 24] != OURS:
            raise PictureError(f"{path.name} is no recording")
        os.pwrite(descriptor, bytes([locked]), at + 24)
    finally:
        os.close(descriptor)


def examine(descriptor: int) -> tuple[Facts, Parts]:
    """Return what an open file says about itself, and its parts.

    Raises:
        PictureError: If it is none of ours, or has no whole fragment.
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
        raise PictureError("it is no recording, or only its beginning") from error
    there = os.fstat(descriptor).st_size
    promised = parts.end
    if promised > there:  # The power was lost before the disk had it.
        parts.sizes, parts.ticks = [], []
    for size, ticks, key in _fragments(descriptor, parts.end, there):
        parts.add(size, ticks, key)
    if not parts.sizes:
        raise PictureError("it has no whole fragment")
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
    """Return the parts that a file's index has; raises ValueError if there is no index."""
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
    """Yield the size, the duration and whether it begins with a key, of each whole fragment."""
    for size, listed in read_samples(descriptor, at, end):
        yield size, sum(one.duration for one in listed), listed[0].key


def _boxes(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield where each box begins, its kind and its size."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from("!I4s", data, at)
        if size < 8:
            return
        yield at, kind, size
        at += size


def _with_duration(init_segment: bytes) -> bytes:
    """Return it with a box for the duration of the whole, which grows."""
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
