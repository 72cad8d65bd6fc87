"""Numbers a camera's pictures, with one count for encoded and decoded ones."""

from typing import NamedTuple

__all__ = ["UNCOUNTED", "Numbering", "Place"]


class Place(NamedTuple):
    """A picture's place in its source's own count.

    Attributes:
        begun: The number of the first picture counted; 0 if the source does not count.
        number: This picture's number.
    """

    begun: int
    number: int


UNCOUNTED = Place(0, 0)


class Numbering:
    """One camera's count of pictures. It never goes back, whatever the source does.

    Without a video, only captured pictures count. With one, every picture that arrives does, so
    that a picture has the number of the unit it was decoded from, whichever of them comes first.
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
        """Note that a new source begins, with a count of its own."""
        self._begun = 0

    def continue_from(self, seq: int) -> None:
        """Number the next pictures after ``seq``."""
        self.newest = max(self.newest, seq)
        self._begun = 0
