"""What was, of each camera: what is in memory, and before it what is on the disk. Green."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from server.errors import PictureError
from server.loop import hub
from server.recording.disk.index import Recorded
from server.recording.library import Library
from server.recording.media.fragments import Kept, StoredUnit, cut, read_units
from server.recording.media.recent import Recent
from server.recording.rewind import Rewind

__all__ = ["Past"]

# Times on the disk are rounded: a unit there that is this much older than one in memory is another.
ROUNDING_S = 0.001

# More than there are in an hour, however often the camera is lost.
MAX_RECORDINGS = 500

# Who looks for a moment in a recording asks for many. A recording of five minutes has a few
# thousand units, each of about so many bytes, apart from its picture.
LISTED_S = 20.0
LISTED_BYTES = 16 << 20
UNIT_BYTES = 200


class Past:
    """Finds units of any time.

    Args:
        rewinds: What is in memory, by camera name.
        library: What is on the disk.
    """

    def __init__(self, rewinds: Mapping[str, Rewind], library: Library) -> None:
        self._rewinds = rewinds
        self._library = library
        self._listed: Recent[list[StoredUnit]] = Recent(LISTED_S, LISTED_BYTES)

    def span(self, camera: str) -> tuple[float, float] | None:
        """Return the times of the first and the last unit, in Unix seconds; None with nothing."""
        rewind = self._rewinds.get(camera)
        spans = [one for one in (rewind and rewind.span, self._library.span(camera)) if one]
        if not spans:
            return None
        return min(begin for begin, _ in spans), max(end for _, end in spans)

    def between(self, camera: str, from_unix: float, to_unix: float) -> Sequence[Kept]:
        """Return all from one moment to another, after what is needed to decode the first."""
        rewind = self._rewinds.get(camera)
        recent = rewind.between(from_unix, to_unix) if rewind else []
        if recent and recent[0].at_unix <= from_unix:
            return recent
        until = recent[0].at_unix - ROUNDING_S if recent else to_unix
        found, _ = self._library.recordings([camera], from_unix, until, MAX_RECORDINGS)
        older = [unit for one in reversed(found) for unit in self._read(one, from_unix, until)]
        return [*older, *recent]

    def find(self, camera: str, at_unix: float) -> Sequence[Kept]:
        """Return the picture of a moment, after those that are needed to decode it.

        It is the newest that is not later, or the first of all; nothing if there is none.
        """
        rewind = self._rewinds.get(camera)
        recent = rewind.find(at_unix) if rewind else []
        if recent and recent[-1].at_unix <= at_unix:
            return recent
        found, _ = self._library.recordings([camera], None, at_unix, 1)
        return (found and self._read(found[0], at_unix, at_unix)) or recent

    def _read(self, recording: Recorded, from_unix: float, to_unix: float) -> list[StoredUnit]:
        """Return what there is of a recording; nothing if it cannot be read."""
        key = recording.id, recording.bytes
        units = self._listed.get(key)
        if units is None:
            path = self._library.path_of(recording)
            with suppress(PictureError, OSError):
                units = hub.run_native(read_units, path, recording.begin)
                self._listed.put(key, units, len(units) * UNIT_BYTES)
        return cut(units or [], from_unix, to_unix)
