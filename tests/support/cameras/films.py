"""Video and picture files for tests, each made once in a run by the ``ffmpeg`` program."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["CROSSING", "KEPT", "make_film"]

KEPT = "FILMS_OF_TESTS"
"""Environment variable with a folder that shares films among processes of ``python -m tests``."""

CROSSING = (
    "color=gray:size=320x180:rate=10[back];color=white:size=60x60:rate=10[box];"
    "[back][box]overlay=x='if(lt(t\\,6)\\,-60\\,(t-6)*170)':y=60:shortest=1"
)
"""No motion for so long that events are not merged, then a box crosses the picture; 8 s."""


def make_film(path: Path, *options: str, source: str = "testsrc2=size=320x180:rate=25") -> Path:
    """Write a film of FFmpeg's test picture, or of another source.

    Args:
        path: Its extension selects the format.
        options: For the output, such as ``-t 1``; they must name no other file.
        source: A filter that makes pictures.
    """
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, *options]
    kept = _place_of(command, path.suffix)
    if kept is not None and kept.exists():
        shutil.copyfile(kept, path)
        return path
    subprocess.run([*command, str(path)], check=True, timeout=60, capture_output=True)
    if kept is not None:
        with tempfile.TemporaryDirectory(dir=kept.parent) as aside:  # Others may make it too.
            shutil.copyfile(path, Path(aside, kept.name)).replace(kept)
    return path


def _place_of(command: list[str], suffix: str) -> Path | None:
    """Return where a run keeps a command's output; None if it keeps nothing."""
    folder = os.environ.get(KEPT)
    name = hashlib.sha256("\0".join(command).encode()).hexdigest()
    return Path(folder, name + suffix) if folder else None
