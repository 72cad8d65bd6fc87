"""Video and picture files for tests, made by FFmpeg's program."""

import subprocess
from pathlib import Path

__all__ = ["CROSSING", "make_film"]

CROSSING = (
    "color=gray:size=320x180:rate=10[back];color=white:size=60x60:rate=10[box];"
    "[back][box]overlay=x='if(lt(t\\,6)\\,-60\\,(t-6)*170)':y=60:shortest=1"
)
"""Nothing for longer than events are merged, and then a box that crosses the picture; 8 s."""


def make_film(path: Path, *options: str, source: str = "testsrc2=size=320x180:rate=25") -> Path:
    """Write a film of FFmpeg's test picture.

    Args:
        path: Its name says the format.
        options: For the output, such as ``-t 1``.
        source: A filter that makes pictures.
    """
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, *options, str(path)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    return path
