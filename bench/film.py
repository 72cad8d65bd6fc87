"""A film whose every picture is known, and what a viewer of it shows: is it one of those?"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from server.capture.streams.units import annex_b
from server.capture.streams.units.h264 import H264
from tests.support.units import encoded_in

__all__ = ["Film", "Screen", "Shown", "psnr"]

Luma = npt.NDArray[np.uint8]

# A JPEG may be that of a picture which the decoder still held when its unit came.
NEAR = 6


class Film:
    """The pictures of a film in H.264, by the bytes of their slices.

    Args:
        path: The film. No two of its pictures are encoded as the same bytes.

    Attributes:
        pictures: Their brightness, as FFmpeg decodes the whole film from its beginning, in the
            order in which their units come.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places = {slices_of(unit.data): at for at, unit in enumerate(encoded_in(path))}
        decoded: dict[int, Luma] = {}
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            for number, packet in enumerate(container.demux(stream)):
                if packet.size:
                    packet.pts, packet.dts = number, None
                for frame in stream.codec_context.decode(packet if packet.size else None):
                    decoded[frame.pts] = luma_of(frame)
        self.pictures = [decoded[at] for at in range(len(self._places))]

    def place_of(self, unit: bytes) -> int | None:
        """Return which picture an access unit is; None if it is none of the film's."""
        return self._places.get(slices_of(unit))


@dataclass
class Shown:
    """What viewers were shown of a film.

    Attributes:
        units: Pictures of video that were to be shown.
        identical: Those that came out of the decoder as in the film, to the last bit.
        jpegs: Pictures that came as JPEG.
        least_db: The lowest PSNR of a JPEG.
        faults: What was grey, torn, missing or another picture.
    """

    units: int = 0
    identical: int = 0
    jpegs: int = 0
    least_db: float = float("inf")
    faults: list[str] = field(default_factory=list)


class Screen:
    """What one viewer is sent, decoded as a browser does, and compared with the film.

    Args:
        film: What the camera shows.
    """

    def __init__(self, film: Film) -> None:
        self.film = film
        self.frames: list[tuple[dict[str, Any], bytes]] = []

    def take(self, header: dict[str, Any], data: bytes) -> None:
        """Keep a frame as it arrives; to be judged later."""
        self.frames.append((header, data))

    @property
    def painted(self) -> list[dict[str, Any]]:
        """The headers of those that are to be shown."""
        return [header for header, _ in self.frames if "catch_up" not in header]

    def places(self) -> dict[int, int]:
        """Return which pictures of the film the units are, by their number."""
        found = {
            header["seq"]: self.film.place_of(data)
            for header, data in self.frames
            if "codec" in header
        }
        return {seq: place for seq, place in found.items() if place is not None}

    def judge(self, shown: Shown, places: Mapping[int, int], least_db: float) -> None:
        """Compare all that was shown.

        Args:
            shown: What is found is added to it.
            places: Which pictures of the film some numbers are; also of other viewers. Not empty.
            least_db: A JPEG with less than this is another picture.
        """
        order = [header["seq"] for header in self.painted]
        if order != sorted(set(order)):
            shown.faults.append(f"out of order: {order}")
        self._judge_units(shown)
        known = sorted(places)
        for header, data in self.frames:
            if "codec" not in header:
                self._judge_jpeg(shown, header["seq"], data, places, known, least_db)

    def _judge_units(self, shown: Shown) -> None:
        context = av.CodecContext.create("h264", "r")
        context.thread_count = 1
        expected: dict[int, int] = {}  # By number: which picture is to be shown.
        units = [(header, data) for header, data in self.frames if "codec" in header]
        for header, data in units:
            place = self.film.place_of(data)
            if place is None:
                shown.faults.append(f"unit {header['seq']} is none of the film's")
                continue
            if "catch_up" not in header:
                expected[header["seq"]] = place
        shown.units += len(expected)
        for packet in (*(packet_of(header["seq"], data) for header, data in units), None):
            try:
                frames = context.decode(packet)
            except av.FFmpegError as error:
                shown.faults.append(f"cannot be decoded: {error}")
                continue
            for frame in frames:
                place = expected.pop(frame.pts, None)
                if place is None:
                    continue  # It was only to be decoded.
                luma, picture = luma_of(frame), self.film.pictures[place]
                if np.array_equal(luma, picture):
                    shown.identical += 1
                else:
                    shown.faults.append(f"{frame.pts}: {psnr(luma, picture):.1f} dB")
        if expected:
            shown.faults.append(f"never came out: {list(expected)}")

    def _judge_jpeg(
        self,
        shown: Shown,
        seq: int,
        data: bytes,
        places: Mapping[int, int],
        known: Sequence[int],
        least_db: float,
    ) -> None:
        shown.jpegs += 1
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        if image is None:
            shown.faults.append(f"JPEG {seq} cannot be decoded")
            return
        near = known[max(0, bisect_right(known, seq) - 1)]
        middle, every = places[near] + seq - near, len(self.film.pictures)
        nearby = [at % every for at in range(middle - NEAR, middle + NEAR + 1)]
        best_db = self._compare(image, nearby)
        if best_db < least_db:  # A source that was opened anew counts from elsewhere.
            best_db = self._compare(image, range(every))
        shown.least_db = min(shown.least_db, best_db)
        if best_db < least_db:
            shown.faults.append(f"JPEG {seq}: {best_db:.1f} dB")

    def _compare(self, image: Luma, places: Iterable[int]) -> float:
        """Return the best PSNR of a JPEG with some pictures of the film."""
        pictures = [self.film.pictures[at] for at in places]
        return max(psnr(image, as_jpeg_has_it(one, image.shape)) for one in pictures)


def psnr(one: Luma, other: Luma) -> float:
    """Return how alike two pictures are, in dB; 0 if they are not of the same size."""
    if one.shape != other.shape:
        return 0.0
    error = float(np.mean(np.square(one.astype(np.int16) - other), dtype=float))
    return 10 * float(np.log10(255**2 / error)) if error else float("inf")


def luma_of(frame: av.VideoFrame) -> Luma:
    """Return a copy of a picture's brightness."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width].copy()


def as_jpeg_has_it(luma: Luma, shape: tuple[int, ...]) -> Luma:
    """Return brightness as JPEG has it, from 0 to 255, and in its size."""
    full = cv2.convertScaleAbs(cv2.subtract(luma, 16), alpha=255 / 219)
    if full.shape != shape:
        full = cv2.resize(full, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return full


def packet_of(seq: int, data: bytes) -> av.Packet:
    """Return a unit as the decoder takes it, from which its picture gets the number."""
    packet = av.Packet(data)
    packet.pts = seq
    return packet


def slices_of(unit: bytes) -> bytes:
    """Return what of a unit is its picture, without what containers add and leave out."""
    parts = (unit[begin:end] for begin, end in annex_b.split(unit))
    return b"".join(part for part in parts if H264.is_slice(H264.kind(part)))
