"""Video in wire format: access units made by the ``ffmpeg`` program."""

import base64
import subprocess
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Clip", "difference", "encode_clip"]

ACCESS_UNIT_DELIMITER = b"\x00\x00\x00\x01\x09"
SEQUENCE_PARAMETERS = b"\x00\x00\x00\x01\x67"


@dataclass(frozen=True)
class Clip:
    """A short video, H.264 in Annex B format."""

    units: list[bytes]
    width: int
    height: int
    codec: str
    """Codec string, RFC 6381."""

    def for_page(self) -> dict[str, object]:
        """Return it as a value that can be passed to a page."""
        units = [
            {"key": SEQUENCE_PARAMETERS in unit, "data": base64.b64encode(unit).decode()}
            for unit in self.units
        ]
        return {"units": units, "width": self.width, "height": self.height, "codec": self.codec}

    def decode(self) -> npt.NDArray[np.uint8]:
        """Return its pictures in display order: number, height, width, RGB."""
        command = ["ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-pix_fmt", "rgb24"]
        command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-"]
        raw = subprocess.run(
            command, input=b"".join(self.units), stdout=subprocess.PIPE, check=True, timeout=60
        ).stdout
        return np.frombuffer(raw, np.uint8).reshape(-1, self.height, self.width, 3)


def encode_clip(
    pictures: int = 24, size: str = "320x180", group: int = 8, options: tuple[str, ...] = ()
) -> Clip:
    """Encode FFmpeg's moving test picture; ``options`` are the encoder's."""
    width, height = map(int, size.split("x"))
    source = f"testsrc2=size={size}:rate=25,scale=out_color_matrix=bt709:out_range=tv"
    command = [
        *("ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-frames:v", str(pictures)),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", str(group)),
        *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
        *("-x264-params", "aud=1:sliced-threads=0:slices=1:scenecut=0", *options),
        *("-f", "h264", "-"),
    ]
    stream = subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE).stdout
    units = [ACCESS_UNIT_DELIMITER + unit for unit in stream.split(ACCESS_UNIT_DELIMITER)[1:]]
    at = units[0].index(SEQUENCE_PARAMETERS) + len(SEQUENCE_PARAMETERS)
    return Clip(units, width, height, f"avc1.{units[0][at : at + 3].hex()}")


def difference(pixels: str, reference: npt.NDArray[np.uint8]) -> float:
    """Return the mean difference between two pictures, painted and expected, in levels of 255."""
    height, width, _ = reference.shape
    painted = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(height, width, 4)
    return float(np.abs(painted[:, :, :3].astype(int) - reference).mean())
