"""A film whose every picture is known, and what a viewer of it shows: is it one of those?"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from server.capture.frames.rendition import FULL
from server.capture.streams.units import annex_b
from server.capture.streams.units.h264 import H264
from tests.support.cameras.units import encoded_in

__all__ = ["Film", "Screen", "Shown", "as_jpeg_has_it", "psnr"]

Luma = npt.NDArray[np.uint8]
Units = list[tuple[dict[str, Any], bytes]]
Compare = Callable[[str, int, Luma], None]

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
        units: Pictures of the film's own video that were to be shown.
        identical: Those that came out of the decoder as in the film, to the last bit.
        encoded: Pictures of video that the camera's process had encoded anew, smaller.
        jpegs: Pictures that came as JPEG.
        least_db: The lowest PSNR of what was encoded anew.
        faults: What was grey, torn, missing or another picture.
    """

    units: int = 0
    identical: int = 0
    encoded: int = 0
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
        self.frames: Units = []

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
            least_db: What was encoded anew and has less than this is another picture.
        """
        order = [header["seq"] for header in self.painted]
        if order != sorted(set(order)):
            shown.faults.append(f"out of order: {order}")
        compare = partial(self._judge_picture, shown, places, sorted(places), least_db)
        units = [(header, data) for header, data in self.frames if "codec" in header]
        for own, run in groupby(units, lambda one: one[0].get("rendition", FULL.name) == FULL.name):
            if own:
                self._judge_own(shown, list(run))
            else:
                self._judge_encoded(shown, list(run), compare)
        for header, data in self.frames:
            if "codec" not in header:
                self._judge_jpeg(shown, header["seq"], data, compare)

    def _judge_own(self, shown: Shown, units: Units) -> None:
        expected: dict[int, int] = {}  # By number: which picture is to be shown.
        for header, data in units:
            place = self.film.place_of(data)
            if place is None:
                shown.faults.append(f"unit {header['seq']} is none of the film's")
            elif "catch_up" not in header:
                expected[header["seq"]] = place
        shown.units += len(expected)
        for seq, luma in decoded(shown, units):
            place = expected.pop(seq, None)
            if place is None:
                continue  # It was only to be decoded.
            picture = self.film.pictures[place]
            if np.array_equal(luma, picture):
                shown.identical += 1
            else:
                shown.faults.append(f"{seq}: {psnr(luma, picture):.1f} dB")
        if expected:
            shown.faults.append(f"never came out: {list(expected)}")

    def _judge_encoded(self, shown: Shown, units: Units, compare: Compare) -> None:
        expected = {header["seq"] for header, _ in units if "catch_up" not in header}
        shown.encoded += len(expected)
        for seq, luma in decoded(shown, units):
            if seq in expected:
                expected.remove(seq)
                compare(f"encoded {seq}", seq, as_jpeg_has_it(luma, luma.shape))
        if expected:
            shown.faults.append(f"never came out: {list(expected)}")

    def _judge_jpeg(self, shown: Shown, seq: int, data: bytes, compare: Compare) -> None:
        shown.jpegs += 1
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        if image is None:
            shown.faults.append(f"JPEG {seq} cannot be decoded")
        else:
            compare(f"JPEG {seq}", seq, image)

    def _judge_picture(
        self,
        shown: Shown,
        places: Mapping[int, int],
        known: Sequence[int],
        least_db: float,
        name: str,
        seq: int,
        image: Luma,
    ) -> None:
        """Find a picture that was encoded anew near its place in the film."""
        near = known[max(0, bisect_right(known, seq) - 1)]
        middle, every = places[near] + seq - near, len(self.film.pictures)
        nearby = [at % every for at in range(middle - NEAR, middle + NEAR + 1)]
        best_db = self._compare(image, nearby)
        if best_db < least_db:  # A source that was opened anew counts from elsewhere.
            best_db = self._compare(image, range(every))
        shown.least_db = min(shown.least_db, best_db)
        if best_db < least_db:
            shown.faults.append(f"{name}: {best_db:.1f} dB")

    def _compare(self, image: Luma, places: Iterable[int]) -> float:
        """Return the best PSNR of a picture with some of the film."""
        pictures = [self.film.pictures[at] for at in places]
        return max(psnr(image, as_jpeg_has_it(one, image.shape)) for one in pictures)


def decoded(shown: Shown, units: Units) -> Iterator[tuple[int, Luma]]:
    """Yield the numbers and the brightness of pictures as they leave a decoder."""
    context = av.CodecContext.create("h264", "r")
    context.thread_count = 1
    for packet in (*(packet_of(header["seq"], data) for header, data in units), None):
        try:
            frames = context.decode(packet)
        except av.FFmpegError as error:
            shown.faults.append(f"cannot be decoded: {error}")
            continue
        for frame in frames:
            yield int(frame.pts or 0), luma_of(frame)


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
