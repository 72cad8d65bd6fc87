"""Numbers a camera's pictures: the encoded ones and those decoded from them by one count."""

from typing import NamedTuple

__all__ = ["UNCOUNTED", "Numbering", "Place"]


class Place(NamedTuple):
    """Which picture of its source one is, while all of these are counted.

    Attributes:
        begun: The number of the first that was counted; 0 if they are not.
        number: Its own number.
    """

    begun: int
    number: int


UNCOUNTED = Place(0, 0)


class Numbering:
    """One camera's count of pictures. It never goes back, whatever its source does.

    Without a video only the pictures that are taken count. With one, all that arrive do, so that a
    picture has the number of the unit that it was decoded from, whichever of the two comes first.
    """

    def __init__(self) -> None:
        self.newest = 0
        """The highest number so far."""
        self._begun = 0
        self._offset = 0

    def number(self, place: Place) -> int:
        """Return the number of a picture, or of a unit, that arrives now."""
        if not place.begun:
            self._begun = 0
            self.newest += 1
            return self.newest
        if place.begun != self._begun:
            self._begun = place.begun
            self._offset = self.newest + 1 - place.begun
        seq = self._offset + place.number
        if seq > self.newest:
            self.newest = seq
        return seq

    def restart(self) -> None:
        """Note that another source begins, which counts for itself."""
        self._begun = 0

    def continue_from(self, seq: int) -> None:
        """Number the next pictures after ``seq``."""
        self.newest = max(self.newest, seq)
        self._begun = 0
