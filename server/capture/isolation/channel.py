"""The messages between the server and a camera's child process, and the socket that carries them.

====================  =========================================================================
the server sends      meaning
====================  =========================================================================
``OPEN`` json         open this source; the first message, and the only one with its password
``WANT`` ...          put the next picture into this slot: the source's JPEG if its quality is
                      accepted, with pixels if a width is given, otherwise pixels alone; the very
                      next picture, the next that shows anything new, or the next key frame
``PAUSE``             pause until the next ``WANT``, unless the source is live
``HURRY``             if only a key frame was requested, accept any picture now
``VIDEO`` json        send these videos: whether the source's own, which to encode, by number, the
                      highest and the usual frame rate, and whether units may wait to be sent
                      together; the first such message carries the socket for the units, see
                      ``units.py``
``KEY`` number        make a key frame in this video, if it is encoded
``MOTION`` json       detect motion with these settings, or null to stop
``SET`` json          set these controls between two pictures
``CLOSE``             close the source, and wait for the next ``OPEN``
(end of file)         close the source and exit
====================  =========================================================================

====================  =========================================================================
the child sends       meaning
====================  =========================================================================
``OPENED`` json       the source is open; its properties and controls
``SETTLED`` json      the answer to ``SET``: rejected values, and the source's new properties
``PICTURE`` ...       the answer to ``WANT``: slot, shape and number; carries a new area if there is
                      one
``JPEG`` ...          the same for JPEG without pixels or a new area, which the hub can handle
``CHANGED`` json      the source's properties have changed
``BROKEN`` text       the answer to ``WANT`` if the picture cannot be decoded
``BEAT`` ...          alive; the current step, seconds in it, pictures grabbed so far, measurements,
                      and what the source is waiting for
``EVENT_REPORT`` ...  motion started, changed or ended, as JSON; may carry memory with a picture
``ENDED`` text        the source ended normally
``LOST`` text         the source failed; why
``REFUSED`` text      the source rejects the user name or password
``CLOSED``            the answer to ``CLOSE``, and the last message until the next ``OPEN``
====================  =========================================================================
"""

import array
import os
import struct
from enum import IntEnum
from typing import Any, NamedTuple

from server.loop import native

__all__ = [
    "BEAT",
    "NO_SLOT",
    "SHAPE",
    "WANT",
    "Kind",
    "Link",
    "Message",
    "Step",
    "first_fd",
]

MAX_BYTES = 32768

# Room for one descriptor alongside a message.
FD_BYTES = native.socket.CMSG_SPACE(4)

# As plain numbers: combining enum members takes as long as sending a short message.
BLOCKING = int(native.socket.MSG_NOSIGNAL)
AT_ONCE = int(native.socket.MSG_NOSIGNAL | native.socket.MSG_DONTWAIT)

WANT = struct.Struct("<iBI??")
"""A slot or :data:`NO_SLOT`, the highest accepted quality of the source's JPEG, the minimum width
of its pixels (0 for none), whether the picture must show something new, and whether it must be a
key frame."""
SHAPE = struct.Struct("<iIIIBIIdII")
"""Slot, height, width, bytes and quality of a JPEG (0 and 0 for pixels), height and width of the
pixels after the JPEG (0 and 0 for none), Unix seconds, and the :class:`Place` in the source."""
BEAT = struct.Struct("<BdQffI")
"""Step, seconds in it, pictures grabbed; frames and kilobits per second, pictures in a group. Then,
as text, what the source is waiting for."""

NO_SLOT = -1
"""There is no area yet; the child creates one."""


class Kind(IntEnum):
    """The first byte of a message."""

    OPEN = 1
    WANT = 2
    SET = 3
    CLOSE = 4
    PAUSE = 5
    HURRY = 6
    VIDEO = 7
    KEY = 8
    MOTION = 9
    OPENED = 11
    PICTURE = 12
    BROKEN = 13
    BEAT = 14
    ENDED = 15
    LOST = 16
    SETTLED = 17
    CLOSED = 18
    REFUSED = 19
    CHANGED = 20
    EVENT_REPORT = 24
    JPEG = 25
    # For processors; see sandbox.py.
    PREPARE = 21
    PROCESS = 22
    PREPARED = 31
    PROCESSED = 32


KINDS = {kind.value: kind for kind in Kind}


class Step(IntEnum):
    """The current activity of the child's working thread."""

    STARTING = 0
    OPENING = 1
    READING = 2
    DECODING = 3
    WAITING = 4
    SETTING = 5


class Message(NamedTuple):
    """One message; ``fd`` is the descriptor of a new area, owned by the receiver, or -1."""

    kind: Kind
    payload: bytes
    fd: int


class Link:
    """One end of a pair of sockets that preserve message boundaries.

    Native. Any thread may send, because each message is sent in one piece; one thread receives.

    Args:
        sock: A blocking ``AF_UNIX``, ``SOCK_SEQPACKET`` socket.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._poll = native.select.poll()
        self._poll.register(sock, native.select.POLLIN)
        self._buffer = memoryview(bytearray(MAX_BYTES))

    @staticmethod
    def pair() -> tuple["Link", Any]:
        """Return our end, and a socket for the other end."""
        ours, theirs = native.socket.socketpair(native.socket.AF_UNIX, native.socket.SOCK_SEQPACKET)
        return Link(ours), theirs

    def send(self, kind: Kind, payload: bytes = b"", fd: int = -1) -> None:
        """Send, blocking until there is room.

        Raises:
            OSError: If the other end has gone.
        """
        self._send(kind, payload, fd, BLOCKING)

    def offer(self, kind: Kind, payload: bytes = b"", fd: int = -1) -> bool:
        """Send if there is room; return whether there was. Never blocks, so the hub may call it.

        Dropping a beat is harmless: the next one supersedes it.

        Raises:
            OSError: If the other end has gone.
        """
        try:
            self._send(kind, payload, fd, AT_ONCE)
        except BlockingIOError:
            return False
        return True

    def receive(self, timeout_s: float | None) -> Message | None:
        """Return the next message, or None if none came within ``timeout_s``; None waits forever.

        Raises:
            EOFError: If the other end has gone.
            ValueError: If the message is of an unknown kind.
        """
        if timeout_s != 0:
            # poll() rounds up to whole milliseconds, so short waits do not become a busy loop.
            timeout_ms = None if timeout_s is None else max(0.0, timeout_s) * 1000
            if not self._poll.poll(timeout_ms):
                return None
        try:
            size, extra, _, _ = self._sock.recvmsg_into((self._buffer,), FD_BYTES, AT_ONCE)
        except BlockingIOError:
            return None
        except ConnectionError:
            size = 0
        if not size:
            raise EOFError
        kind = KINDS.get(self._buffer[0])
        if kind is None:
            raise ValueError(f"unknown kind of message: {self._buffer[0]}")
        return Message(kind, bytes(self._buffer[1:size]), first_fd(extra) if extra else -1)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return int(self._sock.fileno())

    def close(self) -> None:
        """Close this end; the other end then reads an end of file."""
        self._sock.close()

    def _send(self, kind: Kind, payload: bytes, fd: int, flags: int) -> None:
        if fd < 0:
            self._sock.send(bytes((kind,)) + payload, flags)
            return
        rights = array.array("i", [fd])
        extra = [(native.socket.SOL_SOCKET, native.socket.SCM_RIGHTS, rights)]
        self._sock.sendmsg([bytes((kind,)), payload], extra, flags)


def first_fd(extra: list[tuple[int, int, bytes]]) -> int:
    """Return the first descriptor that came with a message, or -1; close all others."""
    fds = array.array("i")
    for level, kind, value in extra:
        if (level, kind) == (native.socket.SOL_SOCKET, native.socket.SCM_RIGHTS):
            fds.frombytes(value[: len(value) - len(value) % fds.itemsize])
    for surplus in fds[1:]:
        os.close(surplus)
    return fds[0] if fds else -1
