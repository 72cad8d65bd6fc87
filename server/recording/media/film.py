"""Encode units as an MP4 that every browser plays."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from server.loop import hub
from server.recording.media.fragments import Kept, StoredUnit
from server.recording.media.process import MediaError, MediaProcess

__all__ = ["encode_film", "frames_a_second"]

# A batch takes the process less than a second, so that it can be cancelled soon.
BATCH_UNITS = 25
BATCH_PIXELS = 25_000_000
BATCH_BYTES = 8 << 20

# Phones cannot decode more.
MAX_WIDTH = 3840

MAX_FPS = 60


def encode_film(
    media: MediaProcess,
    units: Sequence[Kept],
    from_unix: float,
    path: Path,
    on_share: Callable[[float], bool] = lambda share: True,
) -> None:
    """Encode units of any codecs and sizes as one film; return when the file is complete.

    Args:
        media: Encodes it, one film at a time: no other may be requested meanwhile.
        units: Each is shown from its time until the next. The first one is a key frame.
        from_unix: Capture time of the first picture to show; earlier ones are only decoded.
        path: The file to create.
        on_share: Called with the share done, 0 to 1; returns whether to continue.

    Raises:
        MediaError: If encoding fails or is cancelled by ``on_share``; no file is left.
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
        for batch in _batches(units):
            media.ask("add", batch)
            done += len(batch)
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
    """Return the approximate frame rate of units, at least 1."""
    times = sorted(one.shown_unix for one in units)
    lengths = sorted(later - one for one, later in pairwise(times))
    median = lengths[len(lengths) // 2] if lengths else 1.0
    return max(1, min(MAX_FPS, round(1 / median))) if median > 0 else MAX_FPS


def _batches(units: Sequence[Kept]) -> Iterator[list[Kept]]:
    batch: list[Kept] = []
    nbytes = pixels = 0
    for unit in units:
        batch.append(unit)
        nbytes += unit.nbytes if isinstance(unit, StoredUnit) else len(unit.data)
        pixels += unit.width * unit.height
        if len(batch) >= BATCH_UNITS or pixels >= BATCH_PIXELS or nbytes >= BATCH_BYTES:
            yield batch
            batch, nbytes, pixels = [], 0, 0
    if batch:
        yield batch
