"""The slot for the newest frame."""

from server.capture.frames.frame import Frame
from server.capture.frames.slot import Slot
from tests.support.fakes import picture


def frame(seq: int) -> Frame:
    return Frame(picture(), seq, float(seq))


def test_newest_frame_wins() -> None:
    """A new frame replaces the old one."""
    slot = Slot()

    slot.put(frame(1))
    slot.put(frame(2))

    assert slot.frame is not None
    assert slot.frame.seq == 2


def test_untaken_frame_counts_as_replaced() -> None:
    """Only a frame that nobody took counts as replaced."""
    slot = Slot()

    slot.put(frame(1))
    slot.take()
    slot.put(frame(2))
    assert slot.replaced == 0
    slot.put(frame(3))

    assert slot.replaced == 1


def test_taken_frame_stays_available() -> None:
    """Taking a frame marks it as used but leaves it available."""
    slot = Slot()
    slot.put(frame(1))

    assert slot.take() is slot.take() is slot.frame


def test_cleared_slot_is_empty() -> None:
    """Clearing the slot removes its frame, which does not count as replaced."""
    slot = Slot()
    slot.put(frame(1))

    slot.clear()
    slot.put(frame(2))

    assert slot.replaced == 0
    slot.clear()
    assert slot.take() is None


def test_listeners_are_called_after_the_frame_is_stored() -> None:
    """Every listener finds the new frame already in the slot."""
    slot = Slot()
    seen: list[tuple[str, int]] = []
    for name in "ab":
        slot.listen(lambda name=name: seen.append((name, slot.frame.seq)))  # type: ignore[misc, union-attr]

    slot.put(frame(7))

    assert seen == [("a", 7), ("b", 7)]
