"""The socket on which a child sends the units of a camera's videos.

Separate from ``channel.py``, because the hub reads it without a native thread, which would cost
more than all other work on a unit. A message holds whole units; a unit too large for a message
comes as the descriptor of a memory file. If the socket is full, the unit is skipped, because the
child must never stop reading its source. Nothing more of that video is then sent until its next key
frame, and the server is notified.

While nobody watches, a message holds several units: most of a message's cost, on both sides, is
waking up for it.
"""

import array
import fcntl
import functools
import os
import re
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from server.capture.frames.limits import is_too_large
from server.capture.frames.numbering import Place
from server.capture.isolation.channel import first_fd
from server.capture.streams.units.display import MAX_EARLY_S
from server.loop import native

__all__ = [
    "GATHER_S",
    "MAX_UNIT_BYTES",
    "Gap",
    "GapReason",
    "UnitHead",
    "UnitReceiver",
    "UnitSender",
    "unit_sockets",
]

MAX_UNIT_BYTES = 6 << 20
"""A larger picture must be damaged: the largest that cameras send are a tenth of this size."""

# Larger units are sent as a descriptor. Several of this size fit into the default socket buffer.
MAX_INLINE_BYTES = 48 << 10

# For several units. The kernel rejects a message larger than a socket's default buffer.
MAX_MESSAGE_BYTES = 192 << 10

# The requested size of the socket's buffer; the kernel may grant less.
BUFFER_BYTES = 512 << 10

GATHER_S = 0.5
"""How long units may wait to be sent together."""

# The most bytes that may wait: far less than the socket holds.
GATHER_BYTES = 160 << 10

# The most messages read in one go, after which the hub does other work.
MAX_READS = 16

HEAD = struct.Struct("<BBBIIIdfHHI40p")
FD_BYTES = native.socket.CMSG_SPACE(4)

MAX_SKIPPED = 1 << 20
CODEC = re.compile(rb"[A-Za-z0-9.]{1,39}")

KEY = 1
GAP = 2


class GapReason(IntEnum):
    """Why units are missing; drops are counted by these names."""

    NOTHING = 0
    DAMAGED = 1
    """Data was lost on the way from the camera, or cannot be decoded."""
    UNREAD = 2
    """The server had not read earlier units, so the socket was full."""


MAX_WHY = max(GapReason)


class UnitHead(NamedTuple):
    """The header of a unit.

    Attributes:
        track: The number of its video.
        key: Whether it is a key frame.
        place: The picture's number in its source.
        at_unix: When it was captured, in Unix seconds.
        width: In pixels.
        height: In pixels.
        codec: The RFC 6381 codec string.
        early_s: See :class:`server.capture.frames.unit.Unit`.
    """

    track: int
    key: bool
    place: Place
    at_unix: float
    width: int
    height: int
    codec: str
    early_s: float = 0.0


class Gap(NamedTuple):
    """Units that are missing; nothing more comes before the next key frame."""

    track: int
    why: GapReason
    skipped: int


def unit_sockets() -> tuple[Any, Any]:
    """Return our end and the child's; neither blocks."""
    ends = native.socket.socketpair(native.socket.AF_UNIX, native.socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
        end.setsockopt(native.socket.SOL_SOCKET, native.socket.SO_SNDBUF, BUFFER_BYTES)
    return ends  # type: ignore[no-any-return]


class UnitSender:
    """The child's side. One thread.

    Args:
        fd: The socket; :meth:`close` closes it.

    Attributes:
        lazy: Whether units may wait for up to :data:`GATHER_S` to be sent together.
    """

    def __init__(self, fd: int) -> None:
        self.lazy = False
        self._sock = native.socket.socket(fileno=fd)
        self._sock.setblocking(False)
        self._waiting: list[tuple[UnitHead, bytes]] = []
        self._waiting_bytes = 0
        self._waiting_since = 0.0
        self._sent: defaultdict[int, _Sent] = defaultdict(_Sent)  # By video.

    def send(self, head: UnitHead, data: bytes) -> None:
        """Send a unit, or queue it while lazy; skip it if one that it depends on is missing."""
        if not self.lazy:
            self._send_unit(head, data)
            return
        if not self._waiting:
            self._waiting_since = time.monotonic()
        self._waiting.append((head, data))
        self._waiting_bytes += len(data)
        waited_s = time.monotonic() - self._waiting_since
        if waited_s >= GATHER_S or self._waiting_bytes >= GATHER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send the waiting units in as few messages as possible."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        batch: list[tuple[UnitHead, bytes]] = []
        nbytes = 0
        for head, data in waiting:
            size = HEAD.size + len(data)
            if nbytes + size > MAX_MESSAGE_BYTES:
                self._send_batch(batch)
                batch, nbytes = [], 0
            batch.append((head, data))
            nbytes += size
        self._send_batch(batch)

    def _send_batch(self, units: list[tuple[UnitHead, bytes]]) -> None:
        """Send units in one message if none before them is missing; otherwise one by one."""
        begun = {track for track, sent in self._sent.items() if sent.whole}
        parts: list[bytes] = []
        for head, data in units:
            if head.key:
                begun.add(head.track)
            large = len(data) > MAX_INLINE_BYTES
            if large or head.track not in begun or self._sent[head.track].skipped:
                break
            parts += (_pack(head, 0, GapReason.NOTHING, len(data)), data)
        else:
            if len(units) > 1 and self._send_message(parts):
                self._sent.update((track, _Sent(whole=True)) for track in begun)
                return
        for head, data in units:
            self._send_unit(head, data)

    def _send_unit(self, head: UnitHead, data: bytes) -> None:
        sent = self._sent[head.track]
        if not head.key and not sent.whole:
            self._skip(head.track)
        elif len(data) > MAX_UNIT_BYTES:
            self._lose(head.track, GapReason.DAMAGED)
        elif self._send(_pack(head, sent.skipped, sent.why, len(data)), data):
            if not sent.whole:
                self._sent[head.track] = _Sent(whole=True)
        else:
            self._lose(head.track, GapReason.UNREAD)

    def lose(self, track: int, why: GapReason) -> None:
        """Note that a unit is missing: send no more before the next key frame."""
        self.flush()
        self._lose(track, why)

    def _lose(self, track: int, why: GapReason) -> None:
        sent = self._sent[track]
        sent.whole, sent.why, sent.unreported = False, sent.why or why, True
        self._skip(track)

    def is_whole(self, track: int) -> bool:
        """Return whether all units of a video were sent since its last key frame."""
        return self._sent[track].whole

    def restart(self, track: int) -> None:
        """Begin a video with its next key frame."""
        self.flush()
        self._sent.pop(track, None)

    def close(self) -> None:
        """Send the waiting units, and close the socket."""
        self.flush()
        self._sock.close()

    def _skip(self, track: int) -> None:
        sent = self._sent[track]
        if not sent.why:
            return  # Nothing is missing: the video has not begun yet.
        sent.skipped = min(sent.skipped + 1, MAX_SKIPPED)
        if sent.unreported:
            gap = HEAD.pack(track, GAP, sent.why, sent.skipped, 0, 0, 0.0, 0.0, 0, 0, 0, b"")
            if self._send(gap, b""):
                sent.unreported, sent.skipped = False, 0

    def _send(self, head: bytes, data: bytes) -> bool:
        """Send a message if there is room; return whether there was."""
        if len(data) <= MAX_INLINE_BYTES:
            return self._send_message((head, data))
        try:
            fd = _in_memory(data)
        except MemoryError:
            return False
        try:
            rights = array.array("i", [fd])
            extra = (native.socket.SOL_SOCKET, native.socket.SCM_RIGHTS, rights)
            return self._send_message((head,), extra)
        finally:
            os.close(fd)

    def _send_message(self, parts: Sequence[bytes], *extra: tuple[int, int, Any]) -> bool:
        try:
            self._sock.sendmsg(parts, extra, native.socket.MSG_NOSIGNAL)
        except OSError:
            return False  # It is full. If the server has gone, the other socket detects that.
        return True


@dataclass(slots=True)
class _Sent:
    """The state of sending one video.

    Attributes:
        whole: Whether all units since a key frame were sent.
        skipped: How many units were skipped and not yet reported.
        why: Why the first of the missing units is missing.
        unreported: Whether the server does not know yet that units are missing.
    """

    whole: bool = False
    skipped: int = 0
    why: GapReason = GapReason.NOTHING
    unreported: bool = False


class UnitReceiver:
    """The server's side. On the hub; nothing here blocks.

    Args:
        sock: Our end; :meth:`close` closes it.
        tracks: The number of videos.
        on_units: Called with the units of a message, in order.
        on_gap: Called when units are missing.
    """

    # Shared by all receivers: each message is copied out before the next is read.
    _buffer = memoryview(bytearray(MAX_MESSAGE_BYTES))

    def __init__(
        self,
        sock: Any,
        tracks: int,
        on_units: Callable[[list[tuple[UnitHead, bytes]]], None],
        on_gap: Callable[[Gap], None],
    ) -> None:
        self._sock = sock
        self._tracks = tracks
        self._on_units = on_units
        self._on_gap = on_gap

    @property
    def sock(self) -> Any:
        """The socket to wait for."""
        return self._sock

    def receive(self) -> None:
        """Handle the messages that have arrived.

        Raises:
            EOFError: If the child has closed its end.
            ValueError: If a message is invalid; a broken child is not trusted.
        """
        for _ in range(MAX_READS):
            try:
                nbytes, extra, _, _ = self._sock.recvmsg_into([self._buffer], FD_BYTES)
            except BlockingIOError:
                return
            except ConnectionError:
                raise EOFError from None
            if not nbytes:
                raise EOFError
            self._handle(self._buffer[:nbytes], first_fd(extra) if extra else -1)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _handle(self, message: memoryview, fd: int) -> None:
        units: list[tuple[UnitHead, bytes]] = []
        gaps: list[Gap] = []
        try:
            while message:
                head, gap, nbytes = _unpack(message, self._tracks)
                message = message[HEAD.size :]
                if gap is not None:
                    if units:
                        raise ValueError("a gap follows a unit in the same message")
                    gaps.append(gap)
                if head is None:
                    continue
                if fd < 0:
                    data, message = bytes(message[:nbytes]), message[nbytes:]
                else:
                    data = _from_memory(fd, nbytes)
                if len(data) != nbytes:
                    raise ValueError("a unit is shorter than announced")
                units.append((head, data))
        finally:
            if fd >= 0:
                os.close(fd)
        for gap in gaps:
            self._on_gap(gap)
        if units:
            self._on_units(units)


def _pack(head: UnitHead, skipped: int, why: GapReason, nbytes: int) -> bytes:
    begun, number = head.place
    flags = KEY if head.key else 0
    track, width, height, codec = head.track, head.width, head.height, head.codec.encode()
    times = head.at_unix, head.early_s
    return HEAD.pack(
        track, flags, why, skipped, begun, number, *times, width, height, nbytes, codec
    )


def _unpack(message: memoryview, tracks: int) -> tuple[UnitHead | None, Gap | None, int]:
    """Return a unit's head, if there is one, the gap before it, if any, and its size in bytes."""
    if len(message) < HEAD.size:
        raise ValueError("a video message is cut off")
    values = HEAD.unpack_from(message)
    track, flags, why, skipped, begun, number, at_unix, early_s, width, height, nbytes, codec = (
        values
    )
    if track >= tracks or why > MAX_WHY or skipped > MAX_SKIPPED:
        raise ValueError("a video message is invalid")
    gap = Gap(track, GapReason(why), skipped) if skipped else None
    if flags == GAP:
        return None, gap, 0
    if flags > KEY or not 0 < begun <= number or not 0 < nbytes <= MAX_UNIT_BYTES:
        raise ValueError("a unit's head is invalid")
    if not 0 < at_unix < 1e12 or not -MAX_EARLY_S <= early_s <= MAX_EARLY_S:
        raise ValueError("a unit's head is invalid")
    name = _codec_name(codec, width, height)
    place = Place(begun, number)
    head = UnitHead(track, flags == KEY, place, at_unix, width, height, name, early_s)
    return head, gap, nbytes


@functools.lru_cache(32)
def _codec_name(codec: bytes, width: int, height: int) -> str:
    """Return a codec's name; raise ValueError if it or the picture's size is invalid."""
    if not width or not height or is_too_large(width, height) or not CODEC.fullmatch(codec):
        raise ValueError("a unit's head is invalid")
    return codec.decode("ascii")


def _in_memory(data: bytes) -> int:
    """Return the descriptor of a memory file that holds ``data``, sealed against changes."""
    fd = os.memfd_create("porthole-unit", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        if os.write(fd, data) != len(data):
            raise MemoryError
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_WRITE)
    except (OSError, MemoryError):
        os.close(fd)
        raise MemoryError from None
    return fd


def _from_memory(fd: int, nbytes: int) -> bytes:
    """Read a memory file, which must be sealed against shrinking, so that reading never blocks."""
    try:
        if not fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
            raise ValueError("the memory of a unit is not sealed")
        return os.pread(fd, nbytes, 0)
    except OSError as error:
        raise ValueError("the memory of a unit cannot be read") from error
