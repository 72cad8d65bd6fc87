"""Pictures in memory that two processes share, without a copy in the one that shows them.

An area is cut into :data:`SLOTS` equal slots. Whose a slot is, is simple to prove: all are the
server's. It names one free slot with each request; the child writes that slot only, only between
the request and its answer; and no other request names it until the picture in it is gone. A picture
is gone when nothing in the server can reach its memory: every array, view and buffer over it keeps
one small object alive, and the end of that object frees the slot.

The child makes the areas, since it alone knows how large a picture became. A larger picture comes
with a new area; pictures in the old one live on until they are dropped, and so does its memory. The
memory has no name, so nothing is left behind however a process ends.
"""

import ctypes
import fcntl
import mmap
import os
import weakref
from collections import deque

import numpy as np

from server.capture.frames.frame import Image, Jpeg, Picture
from server.capture.frames.limits import is_too_large
from server.capture.isolation.channel import NO_SLOT

__all__ = ["SLOTS", "FramePool", "Writer"]

# The newest frame, one being encoded, one being replaced, the reference of the stillness check, one
# being decoded, and one so that there is one left. Slots never used take no memory.
SLOTS = 6

# Fewer free slots than this, and a picture is copied out, so that one is always free.
KEPT_FREE = 1

ALIGNMENT = mmap.PAGESIZE


class Writer:
    """The child's side: makes areas and fills slots."""

    def __init__(self) -> None:
        self._memory: mmap.mmap | None = None
        self._slot_bytes = 0

    def write(self, picture: Picture, slot: int) -> tuple[int, int]:
        """Copy the picture into ``slot``, or into a new area if it does not fit.

        Returns:
            The slot used, and the new area's descriptor, which the caller closes, or -1.
        """
        parts = _parts(picture)
        nbytes = sum(map(len, parts))
        fd = -1
        if self._memory is None or slot == NO_SLOT or nbytes > self._slot_bytes:
            # Of JPEG no two are of the same length. And pixels may be asked for next.
            room = 3 * picture.width * picture.height if isinstance(picture, Jpeg) else 0
            fd, slot = self._renew(nbytes + room), 0
        assert self._memory is not None
        at = slot * self._slot_bytes
        for part in parts:
            self._memory[at : at + len(part)] = part
            at += len(part)
        return slot, fd

    def _renew(self, nbytes: int) -> int:
        self._slot_bytes = -(-nbytes // ALIGNMENT) * ALIGNMENT
        fd = os.memfd_create("porthole-pictures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, SLOTS * self._slot_bytes)
        # The server need not fear that its memory shrinks under it.
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        self._memory = mmap.mmap(fd, SLOTS * self._slot_bytes)
        return fd


class FramePool:
    """The server's side of one area: lends slots out and hands pictures over.

    Args:
        fd: The area's descriptor; closed here.

    Raises:
        ValueError: If it is no area; a child gone mad is not to be believed.
    """

    def __init__(self, fd: int) -> None:
        try:
            if not fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
                raise ValueError("the shared memory is not sealed")
            size = os.fstat(fd).st_size
            if size <= 0 or size % (SLOTS * ALIGNMENT):
                raise ValueError(f"the shared memory has {size} bytes")
            self._memory = mmap.mmap(fd, size)
        finally:
            os.close(fd)
        self._slot_bytes = size // SLOTS
        # The slot freed last is used first: it is still in the caches. Appended to from whatever
        # thread drops a picture, which is why this is no more than one atomic operation.
        self._free: deque[int] = deque(range(SLOTS))

    def lend(self) -> int:
        """Return a free slot; there always is one. The caller writes to no other."""
        return self._free.pop()

    def give_back(self, slot: int) -> None:
        """Take back a lent slot that holds nothing any more."""
        self._free.append(slot)

    def hand_over(self, slot: int, height: int, width: int, behind: int = 0) -> Image:
        """Return the picture in a lent slot; the slot is free when the picture is gone.

        Args:
            slot: Where it is.
            height: In pixels.
            width: In pixels.
            behind: How many bytes of the slot come before it.

        Returns:
            Pixels as uint8, shape (height, width, 3), BGR order, not writable.

        Raises:
            ValueError: If no such picture fits there.
        """
        if is_too_large(width, height):
            raise ValueError(f"{width} x {height} is too large")
        nbytes = height * width * 3
        at = self._find(slot, behind + nbytes) + behind
        block = (ctypes.c_uint8 * nbytes).from_buffer(self._memory, at)
        image: Image = np.frombuffer(memoryview(block), np.uint8).reshape(height, width, 3)
        if len(self._free) < KEPT_FREE:
            # Somebody hoards pictures: give this one memory of its own.
            image = image.copy()
            self._free.append(slot)
        else:
            weakref.finalize(block, self._free.append, slot).atexit = False
        image.flags.writeable = False
        return image

    def copy_out(self, slot: int, nbytes: int) -> bytes:
        """Return a copy of the data in a lent slot, which stays lent.

        Raises:
            ValueError: If so much does not fit there.
        """
        at = self._find(slot, nbytes)
        return self._memory[at : at + nbytes]

    def _find(self, slot: int, nbytes: int) -> int:
        if not 0 <= slot < SLOTS or not 0 < nbytes <= self._slot_bytes:
            raise ValueError(f"no slot {slot} for {nbytes} bytes")
        return slot * self._slot_bytes

    def claim(self, slot: int) -> None:
        """Lend out a slot that the child chose in an area the server had not seen."""
        self._free.remove(slot)


def _parts(picture: Picture) -> list[bytes | memoryview]:
    """Return what a slot holds of a picture: pixels, or JPEG and behind it what pixels it has."""
    if not isinstance(picture, Jpeg):
        return [picture.reshape(-1).data]
    behind = [] if picture.pixels is None else [picture.pixels.reshape(-1).data]
    return [picture.data, *behind]
