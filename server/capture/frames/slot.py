"""The hand-over between capture and delivery: it holds the newest frame and nothing else."""

from collections.abc import Callable

from server.capture.frames.frame import Frame

__all__ = ["Slot"]


class Slot:
    """Holds a camera's newest frame. Only green code touches it.

    A queue here would let a slow encoder make everybody's picture old. With one place, a frame
    nobody was ready for is replaced, and counted.
    """

    def __init__(self) -> None:
        self.frame: Frame | None = None
        """The newest frame, or None before the first and after the source was released."""
        self.replaced = 0
        """How many frames were replaced before anyone took them."""
        self._taken = True
        self._listeners: list[Callable[[], None]] = []

    def listen(self, on_frame: Callable[[], None]) -> None:
        """Have ``on_frame`` called, quickly and without blocking, after every :meth:`put`."""
        self._listeners.append(on_frame)

    def put(self, frame: Frame) -> None:
        """Replace the frame and wake the listeners."""
        if not self._taken:
            self.replaced += 1
        self.frame, self._taken = frame, False
        for on_frame in self._listeners:
            on_frame()

    def take(self) -> Frame | None:
        """Return the newest frame, which stays here for other takers too."""
        self._taken = True
        return self.frame

    def clear(self) -> None:
        """Forget the frame: its source is gone, and it would only grow old."""
        self.frame, self._taken = None, True
