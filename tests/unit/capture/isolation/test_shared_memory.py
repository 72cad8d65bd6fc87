"""Pictures in shared memory, and the ownership of its slots."""

import gc
import os

import numpy as np
import pytest

from server.capture.isolation.channel import NO_SLOT
from server.capture.isolation.shared_memory import SLOTS, FramePool, Writer
from tests.support.fakes import picture


def pair() -> tuple[Writer, FramePool]:
    """Return both sides of one area, with all slots free."""
    writer = Writer()
    slot, fd = writer.write(picture(), NO_SLOT)
    pool = FramePool(fd)
    pool.claim(slot)
    pool.release(slot)
    return writer, pool


def test_picture_arrives_without_a_copy() -> None:
    """The picture shows what was written to its slot, and is read-only."""
    writer, pool = pair()
    slot = pool.acquire()
    assert writer.write(picture(shade=7), slot) == (slot, -1)

    image = pool.view(slot, 48, 64)

    assert (image == 7).all()
    assert not image.flags.writeable
    assert not image.flags.owndata


def test_slot_is_freed_with_its_last_reference() -> None:
    """Views and buffers of a picture keep its slot; the last one to go frees it."""
    _, pool = pair()
    image = pool.view(pool.acquire(), 48, 64)
    view = image[::2, ::2].reshape(-1)[5:]
    buffer = memoryview(image)

    counts = [len(pool._free)]
    del image
    counts.append(len(pool._free))
    del view
    counts.append(len(pool._free))
    del buffer
    gc.collect()
    counts.append(len(pool._free))

    assert counts == [SLOTS - 1] * 3 + [SLOTS]


def test_kept_pictures_are_never_overwritten() -> None:
    """However many pictures are kept, all stay unchanged, and a slot is always free."""
    writer, pool = pair()
    kept = []
    for shade in range(3 * SLOTS):
        slot = pool.acquire()
        writer.write(picture(shade=shade), slot)
        kept.append(pool.view(slot, 48, 64))

    assert [int(image.max()) for image in kept] == list(range(3 * SLOTS))
    assert [int(image.min()) for image in kept] == list(range(3 * SLOTS))


def test_pictures_dropped_in_any_order_never_collide() -> None:
    """When pictures are dropped in any order, each keeps its own shade while it exists."""
    random = np.random.default_rng(3)
    writer, pool = pair()
    alive: dict[int, np.ndarray] = {}
    for shade in range(200):
        slot = pool.acquire()
        writer.write(picture(shade=shade), slot)
        alive[shade] = pool.view(slot, 48, 64)
        while len(alive) > random.integers(0, 9):
            del alive[int(random.choice(list(alive)))]
        assert all((image == shade).all() for shade, image in alive.items())


def test_larger_picture_gets_a_new_area() -> None:
    """A picture that does not fit arrives in a larger area; those in the old one stay valid."""
    writer, pool = pair()
    old_slot = pool.acquire()
    writer.write(picture(shade=5), old_slot)
    old = pool.view(old_slot, 48, 64)

    slot, fd = writer.write(picture(640, 480, shade=9), pool.acquire())
    renewed = FramePool(fd)
    renewed.claim(slot)
    image = renewed.view(slot, 480, 640)
    del pool

    assert (old == 5).all()
    assert (image == 9).all()


@pytest.mark.parametrize(
    ("slot", "height", "width"), [(0, 4800, 64), (SLOTS, 48, 64), (-1, 48, 64), (0, 0, 64)]
)
def test_invalid_slot_or_size_is_rejected(slot: int, height: int, width: int) -> None:
    """A faulty child cannot make the server read beyond the memory."""
    _, pool = pair()

    with pytest.raises(ValueError):
        pool.view(slot, height, width)


def test_unsealed_memory_is_rejected() -> None:
    """Memory that could shrink is rejected: a read beyond its end would crash the server."""
    fd = os.memfd_create("test", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 1 << 20)

    with pytest.raises(ValueError, match="sealed"):
        FramePool(fd)
