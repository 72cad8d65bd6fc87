"""A video file of the test pattern."""

import subprocess
from pathlib import Path

__all__ = ["make_clip"]


def make_clip(path: Path, seconds: float = 2, rate: float = 12.5) -> Path:
    """Write a small H.264 file with FFmpeg's own test picture."""
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-f", "lavfi"),
            *("-i", f"testsrc=size=320x180:rate={rate}", "-t", str(seconds)),
            *("-pix_fmt", "yuv420p", "-y", str(path)),
        ],
        check=True,
        timeout=60,
    )
    return path
