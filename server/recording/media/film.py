"""Has a film made of pictures: an MP4 that every browser plays."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from server.loop import hub
from server.recording.media.fragments import Kept, StoredUnit
from server.recording.media.process import MediaError, MediaProcess

__all__ = ["encode_film", "frames_a_second"]

# What the process is given at once takes it less than a second, so that it soon hears of an end.
AT_ONCE_UNITS = 25
AT_ONCE_PIXELS = 25_000_000
AT_ONCE_BYTES = 8 << 20

# More is beyond what phones decode.
MAX_WIDTH = 3840

MAX_FPS = 60


def encode_film(
    media: MediaProcess,
    units: Sequence[Kept],
    from_unix: float,
    path: Path,
    on_share: Callable[[float], bool] = lambda share: True,
) -> None:
    """Make a film of units, of whatever codecs and sizes; wait until the file is there.

    Args:
        media: Makes it. Nobody else may use it meanwhile for a film.
        units: Each is shown from its time on. The first one is a key picture.
        from_unix: When the one that is shown first was captured; earlier ones only lead to it.
        path: Of the file.
        on_share: Called with how much is done, 0 to 1; returns whether to go on.

    Raises:
        MediaError: If it cannot be made, or was not to go on; then there is no file.
    """
    shown = next(one for one in units if one.shown_unix >= from_unix)
    width = min(shown.width, MAX_WIDTH)
    size = max(2, width // 2 * 2), max(2, shown.height * width // shown.width // 2 * 2)
    unfinished = path.with_suffix(".part")
    begin: dict[str, Any] = {
        "from": from_unix,
        "path": str(unfinished),
        "fps": frames_a_second(units),
    }
    try:
        media.ask("begin", width=size[0], height=size[1], **begin)
        done = 0
        for some in _batches(units):
            media.ask("add", some)
            done += len(some)
            if not on_share(done / len(units)):
                media.ask("drop")
                raise MediaError("it was cancelled")
        media.ask("end")
        hub.run_native(unfinished.rename, path)
    except OSError as error:
        raise MediaError(error.strerror or "the file cannot be written") from error
    finally:
        hub.run_native(unfinished.unlink, True)


def frames_a_second(units: Sequence[Kept]) -> int:
    """Return about how many units a second there are, at least 1."""
    times = sorted(one.shown_unix for one in units)
    lengths = sorted(later - one for one, later in pairwise(times))
    usual = lengths[len(lengths) // 2] if lengths else 1.0
    return max(1, min(MAX_FPS, round(1 / usual))) if usual > 0 else MAX_FPS


def _batches(units: Sequence[Kept]) -> Iterator[list[Kept]]:
    some: list[Kept] = []
    nbytes = pixels = 0
    for unit in units:
        some.append(unit)
        nbytes += unit.nbytes if isinstance(unit, StoredUnit) else len(unit.data)
        pixels += unit.width * unit.height
        if len(some) >= AT_ONCE_UNITS or pixels >= AT_ONCE_PIXELS or nbytes >= AT_ONCE_BYTES:
            yield some
            some, nbytes, pixels = [], 0, 0
    if some:
        yield some
