"""What a camera's child process and the server say to each other, and the socket it goes over.

====================  =========================================================================
the server sends      which means
====================  =========================================================================
``OPEN`` json         open this source; the first message, and the only place of its password
``WANT`` ...          put the next picture into this slot: its own JPEG up to a quality, with its
                      pixels from a width on, or pixels alone; the very next, or the next that
                      shows anything new
``SET`` json          set these controls between two pictures
``CLOSE``             close the source, and wait for the next ``OPEN``
(end of file)         close the source and end
====================  =========================================================================

====================  =========================================================================
the child sends       which means
====================  =========================================================================
``OPENED`` json       the source is open; what it says of itself, and what can be set
``SETTLED`` json      the answer to ``SET``: what was refused, and what holds now
``PICTURE`` ...       the answer to ``WANT``: what is in which slot; a new area comes with it
``BROKEN`` text       the answer to ``WANT`` for a picture that cannot be decoded
``BEAT`` ...          alive, in this step for so many seconds, and so many pictures came by
``ENDED`` text        the source has come to its end, and that is no fault
``LOST`` text         the source is lost; why
``CLOSED``            the answer to ``CLOSE``, and the last message until the next ``OPEN``
====================  =========================================================================
"""

import array
import os
import struct
from enum import IntEnum
from typing import Any, NamedTuple

from server.loop import native

__all__ = ["BEAT", "NO_SLOT", "SHAPE", "WANT", "Kind", "Link", "Message", "Step"]

MAX_BYTES = 32768

WANT = struct.Struct("<iBI?")
"""A slot or :data:`NO_SLOT`, up to which quality its own JPEG will do, from which width on its
pixels are wanted too (0 for none), whether it must be new."""
SHAPE = struct.Struct("<iIIIBIId")
"""Slot, height, width, of JPEG its bytes and quality (of pixels 0 and 0), height and width of the
pixels behind a JPEG (0 and 0 without), Unix seconds."""
BEAT = struct.Struct("<BdQ")
"""Step, seconds in it, pictures grabbed."""

NO_SLOT = -1
"""There is no area yet; the child makes one."""


class Kind(IntEnum):
    """The first byte of a message."""

    OPEN = 1
    WANT = 2
    SET = 3
    CLOSE = 4
    OPENED = 11
    PICTURE = 12
    BROKEN = 13
    BEAT = 14
    ENDED = 15
    LOST = 16
    SETTLED = 17
    CLOSED = 18
    # Of processors; see sandbox.py.
    PREPARE = 21
    PROCESS = 22
    PREPARED = 31
    PROCESSED = 32


class Step(IntEnum):
    """What the child's one working thread is doing."""

    STARTING = 0
    OPENING = 1
    READING = 2
    DECODING = 3
    WAITING = 4
    SETTING = 5


class Message(NamedTuple):
    """One message; ``fd`` is a new area's descriptor, which the receiver owns, or -1."""

    kind: Kind
    payload: bytes
    fd: int


class Link:
    """One end of a pair of sockets that keep messages whole.

    Native. Any thread may send, for a message goes in one piece; one thread receives.

    Args:
        sock: A blocking ``AF_UNIX``, ``SOCK_SEQPACKET`` socket.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._poll = native.select.poll()
        self._poll.register(sock, native.select.POLLIN)

    @staticmethod
    def pair() -> tuple["Link", Any]:
        """Return this end, and a socket for the other."""
        ours, theirs = native.socket.socketpair(native.socket.AF_UNIX, native.socket.SOCK_SEQPACKET)
        return Link(ours), theirs

    def send(self, kind: Kind, payload: bytes = b"", fd: int = -1) -> None:
        """Send and wait until there is room.

        Raises:
            OSError: If the other end has gone.
        """
        self._send(kind, payload, fd, 0)

    def offer(self, kind: Kind, payload: bytes = b"") -> bool:
        """Send if there is room; return whether there was.

        A beat that is dropped is no loss: the next one says more.

        Raises:
            OSError: If the other end has gone.
        """
        try:
            self._send(kind, payload, -1, native.socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        return True

    def receive(self, timeout_s: float | None) -> Message | None:
        """Return the next message, or None if none came within ``timeout_s``; None waits for ever.

        Raises:
            EOFError: If the other end has gone.
            ValueError: If the message is of no known kind.
        """
        # poll() rounds up to whole milliseconds, so a wait is never cut short into a busy loop.
        timeout_ms = None if timeout_s is None else max(0.0, timeout_s) * 1000
        if not self._poll.poll(timeout_ms):
            return None
        try:
            data, extra, _, _ = self._sock.recvmsg(MAX_BYTES, native.socket.CMSG_SPACE(4))
        except ConnectionError:
            data, extra = b"", []
        if not data:
            raise EOFError
        fds = array.array("i")
        for level, kind, value in extra:
            if (level, kind) == (native.socket.SOL_SOCKET, native.socket.SCM_RIGHTS):
                fds.frombytes(value[: len(value) - len(value) % fds.itemsize])
        for surplus in fds[1:]:
            os.close(surplus)
        return Message(Kind(data[0]), data[1:], fds[0] if fds else -1)

    def close(self) -> None:
        """Close this end; the other reads an end of file."""
        self._sock.close()

    def _send(self, kind: Kind, payload: bytes, fd: int, flags: int) -> None:
        extra = []
        if fd >= 0:
            rights = array.array("i", [fd])
            extra = [(native.socket.SOL_SOCKET, native.socket.SCM_RIGHTS, rights)]
        self._sock.sendmsg([bytes([kind]), payload], extra, flags | native.socket.MSG_NOSIGNAL)
