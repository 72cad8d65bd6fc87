"""The hand-over from capture to delivery: holds the newest frame and nothing else."""

from collections.abc import Callable

from server.capture.frames.frame import Frame

__all__ = ["Slot"]


class Slot:
    """Holds a camera's newest frame. Used by green threads only.

    With a queue, a slow encoder would delay every viewer's picture. With a single place, a frame
    that nobody was ready for is replaced and counted.
    """

    def __init__(self) -> None:
        self.frame: Frame | None = None
        """The newest frame; None before the first one and after the source was closed."""
        self.replaced = 0
        """How many frames were replaced before anyone took them."""
        self._taken = True
        self._listeners: list[Callable[[], None]] = []

    def listen(self, on_frame: Callable[[], None]) -> None:
        """Call ``on_frame``, which must not block, after every :meth:`put`."""
        self._listeners.append(on_frame)

    def put(self, frame: Frame) -> None:
        """Replace the frame and wake the listeners."""
        if not self._taken:
            self.replaced += 1
        self.frame, self._taken = frame, False
        for on_frame in self._listeners:
            on_frame()

    def take(self) -> Frame | None:
        """Return the newest frame, which stays available to others."""
        self._taken = True
        return self.frame

    def clear(self) -> None:
        """Discard the frame because it is outdated, for example after its source was closed."""
        self.frame, self._taken = None, True
