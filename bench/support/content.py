"""The benchmark's pictures: 1280x720, about 58 KiB each at quality 80."""

import pickle
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from server.capture.sources.testpattern import TestPattern
from tests.support.cameras.units import encoded_in

__all__ = [
    "FPS",
    "QUALITY",
    "SIZE",
    "Content",
    "load_jpegs",
    "load_pixels",
    "load_units",
    "prepare",
]

SIZE = (1280, 720)
FPS = 30
QUALITY = 80
PICTURES = 30

# For the same pictures as H.264, like a camera's: a key frame every two seconds.
KBPS = 2500
GROUP = 60

# Makes pictures of 58 KiB; without noise they have 43.
NOISE = 0.0115

Pixels = np.ndarray


@dataclass(frozen=True)
class Content:
    """The pictures of one run.

    Attributes:
        folder: Contains them as numbered JPEG files, for servers in other processes.
        source: The source for a Porthole that has to encode.
        mean_bytes: Mean size of a picture.
        origin: Where they come from, for people.
        draw_ms: CPU time to draw one picture of the test pattern; None if nothing is drawn.
        encode_ms: CPU time of ``cv2.imencode`` on one picture, on one thread.
    """

    folder: Path
    source: str
    mean_bytes: int
    origin: str
    draw_ms: float | None
    encode_ms: float

    def film(self) -> Path:
        """Return the same pictures as H.264; the first call encodes them."""
        path = self.folder / "film.mp4"
        return path if path.exists() else _write_film(path)


@contextmanager
def prepare(clip: Path | None) -> Iterator[Content]:
    """Create the pictures, and remove them at the end.

    Args:
        clip: A video that provides them, scaled; None for the test pattern.
    """
    with tempfile.TemporaryDirectory(prefix="porthole-bench-") as name:
        folder = Path(name)
        draw_ms = None
        if clip is None:
            pictures, draw_ms = _draw()
            source = pattern_source()
            origin = f"test pattern with noise {NOISE}"
        else:
            pictures = _read(clip)
            source = f"file:{_write_raw(pictures, folder / 'clip.avi')}"
            origin = clip.name
        started = time.thread_time()
        jpegs = [_encode(picture) for picture in pictures]
        encode_ms = (time.thread_time() - started) / len(pictures) * 1000
        for number, jpeg in enumerate(jpegs):
            (folder / f"{number:03}.jpg").write_bytes(jpeg)
        mean = sum(map(len, jpegs)) // len(jpegs)
        yield Content(folder, source, mean, origin, draw_ms, encode_ms)


def pattern_source(fps: int = FPS) -> str:
    """Return the test pattern's address at the size and noise of the bench."""
    return f"test:?size={SIZE[0]}x{SIZE[1]}&fps={fps}&noise={NOISE}"


def load_jpegs(folder: Path) -> list[bytes]:
    """Return the prepared pictures as JPEG, in order."""
    return [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]


def load_units(folder: Path) -> list[tuple[bytes, bool, str]]:
    """Return the film's access units in order: bytes, whether it is a key frame, and codec."""
    units: list[tuple[bytes, bool, str]] = pickle.loads((folder / "units").read_bytes())
    return units


def load_pixels(folder: Path) -> list[Pixels]:
    """Return the prepared pictures as uint8, shape (720, 1280, 3), BGR."""
    return [cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1) for jpeg in load_jpegs(folder)]


def _draw() -> tuple[list[Pixels], float]:
    pattern = TestPattern("bench", SIZE, FPS, NOISE)
    pattern.render(0)  # The first call loads the font.
    started = time.thread_time()
    # A quarter of a second apart, so that moving objects appear in many places.
    pictures = [pattern.render(1_700_000_000 + number / 4) for number in range(PICTURES)]
    return pictures, (time.thread_time() - started) / PICTURES * 1000


def _read(clip: Path) -> list[Pixels]:
    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    pictures: list[Pixels] = []
    while len(pictures) < PICTURES:
        read, picture = capture.read()
        if not read:
            break
        pictures.append(cv2.resize(picture, SIZE, interpolation=cv2.INTER_CUBIC))
    capture.release()
    if not pictures:
        raise SystemExit(f"bench: {clip} contains no readable video")
    return pictures


def _write_raw(pictures: list[Pixels], path: Path) -> Path:
    """Write an uncompressed video, which costs almost nothing to decode."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"I420"), FPS, SIZE)
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return path


def _write_film(film: Path) -> Path:
    """Encode the pictures, repeated four times, at a camera's bit rate; also save the units."""
    folder = film.parent
    rate = ("-b:v", f"{KBPS}k", "-maxrate", f"{KBPS}k", "-bufsize", f"{KBPS // 2}k")
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-y", "-stream_loop", "3", "-framerate", str(FPS)),
            *("-i", str(folder / "%03d.jpg"), "-c:v", "libx264", "-preset", "veryfast"),
            *("-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", str(GROUP), *rate, str(film)),
        ],
        check=True,
        timeout=120,
    )
    units = [(one.data, one.key, one.codec) for one in encoded_in(film)]
    (folder / "units").write_bytes(pickle.dumps(units))
    return film


def _encode(picture: Pixels) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
