"""The hand-over of a video from capture to delivery: the group of pictures so far."""

from collections import deque
from collections.abc import Callable, Sequence

from server.capture.frames.unit import Unit

__all__ = ["MAX_BYTES", "MAX_UNITS", "VideoTrack"]

MAX_BYTES = 8 << 20
"""A longer group loses its beginning; then nobody can join before the next key frame."""
MAX_UNITS = 900


class VideoTrack:
    """One video of a camera: the units since its last key frame. Used by green threads only.

    A slot, which holds only the newest frame, will not do, because a unit is useless without the
    ones before it. A viewer takes the units added since it last looked; a new one begins with the
    key frame.

    Args:
        rendition: The name of its rendition.

    Attributes:
        codec: The RFC 6381 codec string of its units, even while the video is not wanted; None
            while there is no such video.
        passed_through: Whether the units are the source's own.
        kbps: The bit rate in kilobits per second, if the camera knows it; 0 if unknown.
        units: In order, without a gap. The first is a key frame, unless :attr:`cut`.
        cut: Whether the beginning of the group was dropped because it is too long.
        taken: The number of units added so far.
    """

    def __init__(self, rendition: str) -> None:
        self.rendition = rendition
        self.codec: str | None = None
        self.passed_through = False
        self.kbps = 0
        self.units: deque[Unit] = deque()
        self.cut = False
        self.taken = 0
        self._nbytes = 0
        self._listeners: list[Callable[[], None]] = []

    def listen(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call ``on_change``, which must not block, after every :meth:`put` and :meth:`lose`.

        For units that arrive together it is called once per group of pictures.

        Returns:
            A function that ends the calls.
        """
        self._listeners.append(on_change)
        return lambda: self._listeners.remove(on_change)

    @property
    def newest(self) -> Unit | None:
        """The newest unit; None while the next key frame is awaited."""
        return self.units[-1] if self.units else None

    def put(self, unit: Unit) -> bool:
        """Add the next unit and call the listeners; return False if its group is incomplete."""
        taken = self._add(unit)
        if taken:
            self._notify()
        return taken

    def extend(self, units: Sequence[Unit]) -> None:
        """Add the next units; call the listeners once per group of pictures."""
        taken = False
        for unit in units:
            if unit.key and taken:
                self._notify()  # Before the key frame removes the units so far.
            taken = self._add(unit)
        if taken:
            self._notify()

    def _add(self, unit: Unit) -> bool:
        if unit.key:
            self._clear()
        elif not self.units:
            return False
        self.units.append(unit)
        self.taken += 1
        self._nbytes += len(unit.data)
        while (self._nbytes > MAX_BYTES or len(self.units) > MAX_UNITS) and len(self.units) > 1:
            self._nbytes -= len(self.units.popleft().data)
            self.cut = True
        return True

    def lose(self) -> None:
        """Forget the units, as when one was lost or the source closed; call the listeners."""
        if self.units:
            self._clear()
            self._notify()

    def _notify(self) -> None:
        for on_change in self._listeners:
            on_change()

    def _clear(self) -> None:
        self.units.clear()
        self._nbytes = 0
        self.cut = False
