"""A video file of the test pattern."""

from pathlib import Path

from tests.support.cameras.films import make_film

__all__ = ["make_clip"]


def make_clip(path: Path, seconds: float = 2, rate: float = 12.5) -> Path:
    """Write a small H.264 file with FFmpeg's own test picture."""
    options = ("-t", str(seconds), "-pix_fmt", "yuv420p")
    return make_film(path, *options, source=f"testsrc=size=320x180:rate={rate}")
