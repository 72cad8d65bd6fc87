"""The hand-over of a video from capture to delivery: the group of pictures so far."""

from collections import deque
from collections.abc import Callable, Sequence

from server.capture.frames.unit import Unit

__all__ = ["MAX_BYTES", "MAX_UNITS", "VideoTrack"]

MAX_BYTES = 8 << 20
"""Of a longer group the beginning is dropped: nobody can join before the next key picture."""
MAX_UNITS = 900


class VideoTrack:
    """One video of a camera: the units since its last key picture. Used by green threads only.

    A slot holds the newest frame alone. That will not do here, as a unit is worth nothing without
    the ones before it. So who watches takes what is new since it last looked, and who joins begins
    with the key picture.

    Args:
        rendition: The name of the rendition that it shows.

    Attributes:
        codec: What its units are encoded as, or would be if it was wanted, by RFC 6381; None
            while there is no such video.
        passed_through: Whether the units are the source's own.
        kbps: Kilobits a second that it takes, as far as its camera knows; 0 for unknown.
        units: In order, without a gap. The first is a key picture, unless :attr:`cut`.
        cut: Whether the beginning of the group was dropped, as it is too long.
        taken: How many units there have been.
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

        Of units that came together it is called once for those of each group.

        Returns:
            What ends that.
        """
        self._listeners.append(on_change)
        return lambda: self._listeners.remove(on_change)

    @property
    def newest(self) -> Unit | None:
        """The newest unit; None if the next key picture is waited for."""
        return self.units[-1] if self.units else None

    def put(self, unit: Unit) -> bool:
        """Take the next unit and wake the listeners; return False if its group is incomplete."""
        taken = self._add(unit)
        if taken:
            self._tell()
        return taken

    def extend(self, units: Sequence[Unit]) -> None:
        """Take the next units; wake the listeners once for those of each group of pictures."""
        taken = False
        for unit in units:
            if unit.key and taken:
                self._tell()  # Afterwards the ones before it are gone.
            taken = self._add(unit)
        if taken:
            self._tell()

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
        """Forget the units, as when one was lost or the source is closed; wake the listeners."""
        if self.units:
            self._clear()
            self._tell()

    def _tell(self) -> None:
        for on_change in self._listeners:
            on_change()

    def _clear(self) -> None:
        self.units.clear()
        self._nbytes = 0
        self.cut = False
