"""Pictures in memory shared by two processes, which the server uses without copying.

An area is divided into :data:`SLOTS` equal slots, all owned by the server. Each request names one
free slot. The child writes to that slot only, and only between the request and its answer. No other
request names the slot until the picture in it is gone, that is, until nothing in the server can
reach its memory: every array, view and buffer over it keeps one small object alive, and freeing
that object frees the slot.

The child creates the areas, because only it knows the size of a picture. A larger picture comes
with a new area; the old one stays in memory until its last picture is dropped. The memory has no
name, so it is freed however a process ends.
"""

import ctypes
import fcntl
import mmap
import os
import weakref
from collections import deque

from server.capture.frames.frame import Image, Jpeg, Picture
from server.capture.frames.limits import is_too_large
from server.capture.isolation.channel import NO_SLOT

__all__ = ["SLOTS", "FramePool", "Writer", "create_area"]

# For the newest frame, one being encoded, one being replaced, the freeze detector's reference, one
# being decoded, and a spare. Unused slots take no memory.
SLOTS = 6

# With fewer free slots than this, a picture is copied out, so that one is always free.
MIN_FREE = 1

ALIGNMENT = mmap.PAGESIZE


def create_area(nbytes: int) -> int:
    """Return the descriptor of new memory, sealed so that its size cannot change."""
    fd = os.memfd_create("porthole-pictures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, nbytes)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return fd


class Writer:
    """The child's side: creates areas and fills slots."""

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
            # JPEG sizes vary, and pixels may be requested next: leave room for pixels.
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
        fd = create_area(SLOTS * self._slot_bytes)
        self._memory = mmap.mmap(fd, SLOTS * self._slot_bytes)
        return fd


class FramePool:
    """The server's side of one area: manages its slots and returns the pictures in them.

    Args:
        fd: The area's descriptor; closed here.

    Raises:
        ValueError: If it is not a valid area; a broken child is not trusted.
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
        # Reuse the last freed slot first: it is still in the CPU's caches. Any thread may drop a
        # picture and so append here, which must be one atomic operation.
        self._free: deque[int] = deque(range(SLOTS))

    def acquire(self) -> int:
        """Return a free slot; there always is one. The child may write to this slot only."""
        return self._free.pop()

    def release(self, slot: int) -> None:
        """Free an acquired slot that holds no picture."""
        self._free.append(slot)

    def view(self, slot: int, height: int, width: int, offset: int = 0) -> Image:
        """Return the picture in an acquired slot; the slot is freed with the picture.

        Args:
            slot: The slot.
            height: In pixels.
            width: In pixels.
            offset: The start of the picture in the slot, in bytes.

        Returns:
            Pixels as uint8, shape (height, width, 3), BGR order, not writable.

        Raises:
            ValueError: If a picture of this size does not fit.
        """
        if is_too_large(width, height):
            raise ValueError(f"{width} x {height} is too large")
        nbytes = height * width * 3
        at = self._find(slot, offset + nbytes) + offset
        import numpy as np  # Only for pixels: see frame.py.

        block = (ctypes.c_uint8 * nbytes).from_buffer(self._memory, at)
        image: Image = np.frombuffer(memoryview(block), np.uint8).reshape(height, width, 3)
        if len(self._free) < MIN_FREE:
            # Something keeps many pictures: copy this one to its own memory.
            image = image.copy()
            self._free.append(slot)
        else:
            weakref.finalize(block, self._free.append, slot).atexit = False
        image.flags.writeable = False
        return image

    def copy_out(self, slot: int, nbytes: int) -> bytes:
        """Return a copy of the data in an acquired slot, which stays acquired.

        Raises:
            ValueError: If the slot is smaller.
        """
        at = self._find(slot, nbytes)
        return self._memory[at : at + nbytes]

    def _find(self, slot: int, nbytes: int) -> int:
        if not 0 <= slot < SLOTS or not 0 < nbytes <= self._slot_bytes:
            raise ValueError(f"no slot {slot} for {nbytes} bytes")
        return slot * self._slot_bytes

    def claim(self, slot: int) -> None:
        """Acquire the slot that the child chose in a new area."""
        self._free.remove(slot)


def _parts(picture: Picture) -> list[bytes | memoryview]:
    """Return a picture's contents for a slot: pixels, or a JPEG followed by its pixels, if any."""
    if not isinstance(picture, Jpeg):
        return [picture.reshape(-1).data]
    decoded = [] if picture.pixels is None else [picture.pixels.reshape(-1).data]
    return [picture.data, *decoded]
