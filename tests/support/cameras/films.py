"""Video and picture files for tests, made by FFmpeg's program."""

import atexit
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["CROSSING", "make_film"]

CROSSING = (
    "color=gray:size=320x180:rate=10[back];color=white:size=60x60:rate=10[box];"
    "[back][box]overlay=x='if(lt(t\\,6)\\,-60\\,(t-6)*170)':y=60:shortest=1"
)
"""Nothing for longer than events are merged, and then a box that crosses the picture; 8 s."""


# Of the process that collects the tests: those that run them are forked from it, and share these.
KEPT = Path(tempfile.mkdtemp(prefix="porthole-films-"))
atexit.register(shutil.rmtree, KEPT, ignore_errors=True)


def make_film(path: Path, *options: str, source: str = "testsrc2=size=320x180:rate=25") -> Path:
    """Write a film of FFmpeg's test picture.

    Starting FFmpeg takes longer than most films, so each is made once and then copied.

    Args:
        path: Its name says the format.
        options: For the output, such as ``-t 1``.
        source: A filter that makes pictures.
    """
    name = hashlib.sha256("\0".join((source, *options)).encode()).hexdigest()
    kept = KEPT / f"{name}{path.suffix}"
    if not kept.exists():
        made = kept.with_stem(f"{name}-{os.getpid()}")  # Another process may be making it, too.
        command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, *options, str(made)]
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        made.rename(kept)
    shutil.copyfile(kept, path)
    return path
