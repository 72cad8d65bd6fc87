"""Units of a small film, as a camera sends them."""

import subprocess

from server.capture.frames.unit import Unit
from server.delivery.mp4.nal import split_annex_b

__all__ = ["CODECS", "make_units"]

CODECS = {
    "avc1.42c01f": ("libx264", "-x264-params"),
    "hvc1.1.6.L60.90": ("libx265", "-x265-params"),
}

# The delimiters before each picture, and what key pictures are made of.
DELIMITERS = {"avc1": 9, "hvc1": 35}
KEYS = {"avc1": {5}, "hvc1": set(range(16, 22))}


def make_units(
    codec: str = "avc1.42c01f",
    size: tuple[int, int] = (128, 72),
    count: int = 24,
    group: int = 12,
    first_seq: int = 1,
    begin_unix: float = 1000.0,
    fps: float = 12.0,
) -> list[Unit]:
    """Return the units of FFmpeg's test picture, one for each picture, in order."""
    encoder, option = CODECS[codec]
    width, height = size
    command = [
        *("ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={width}x{height}:rate=12"),
        *("-frames:v", str(count), "-c:v", encoder, "-preset", "ultrafast"),
        *("-g", str(group), "-pix_fmt", "yuv420p"),
        *(option, "aud=1:repeat-headers=1:bframes=0:scenecut=0:log-level=0"),
        *("-f", "h264" if encoder == "libx264" else "hevc", "-"),
    ]
    stream = subprocess.run(command, check=True, timeout=60, capture_output=True).stdout
    name = codec.partition(".")[0]
    pictures: list[list[bytes]] = []
    keys: list[bool] = []
    for nal in map(bytes, split_annex_b(stream)):
        kind = nal[0] & 0x1F if name == "avc1" else nal[0] >> 1 & 0x3F
        if kind == DELIMITERS[name]:
            pictures.append([])
            keys.append(False)
        pictures[-1].append(nal)
        keys[-1] |= kind in KEYS[name]
    assert len(pictures) == count
    return [
        Unit(
            b"".join(b"\0\0\0\1" + nal for nal in nals),
            key,
            first_seq + at,
            begin_unix + at / fps,
            codec,
            width,
            height,
        )
        for at, (nals, key) in enumerate(zip(pictures, keys, strict=True))
    ]
