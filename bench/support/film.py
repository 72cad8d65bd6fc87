"""Compares what a viewer shows of a film with the film's own pictures."""

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

__all__ = ["Film", "Screen", "Shown", "psnr", "to_full_range"]

Luma = npt.NDArray[np.uint8]
Units = list[tuple[dict[str, Any], bytes]]
Compare = Callable[[str, int, Luma], None]

# A JPEG may lag its unit by this many pictures, which the decoder still held.
NEAR = 6


class Film:
    """The pictures of an H.264 film, identified by the bytes of their slices.

    Args:
        path: The film. Each of its pictures must be encoded as different bytes.

    Attributes:
        pictures: The luma of each picture in decoding order, as FFmpeg decodes the whole film.
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
        """Return an access unit's index in the film; None if it is not the film's."""
        return self._places.get(slices_of(unit))


@dataclass
class Shown:
    """What viewers were shown of a film.

    Attributes:
        units: Pictures of the film's own video that had to be shown.
        identical: Those that decoded bit by bit as in the film.
        encoded: Pictures of smaller video, encoded again by the camera's process.
        jpegs: Pictures that came as JPEG.
        least_db: The lowest PSNR of re-encoded pictures, including JPEG.
        faults: Pictures that were broken, missing or wrong.
    """

    units: int = 0
    identical: int = 0
    encoded: int = 0
    jpegs: int = 0
    least_db: float = float("inf")
    faults: list[str] = field(default_factory=list)


class Screen:
    """Decodes what one viewer is sent, like a browser, and compares it with the film.

    Args:
        film: The camera's film.
    """

    def __init__(self, film: Film) -> None:
        self.film = film
        self.frames: Units = []

    def take(self, header: dict[str, Any], data: bytes) -> None:
        """Keep an arriving frame for :meth:`judge`."""
        self.frames.append((header, data))

    @property
    def painted(self) -> list[dict[str, Any]]:
        """The headers of the frames that are to be shown."""
        return [header for header, _ in self.frames if "catch_up" not in header]

    def places(self) -> dict[int, int]:
        """Return the units' indexes in the film, by frame number."""
        found = {
            header["seq"]: self.film.place_of(data)
            for header, data in self.frames
            if "codec" in header
        }
        return {seq: place for seq, place in found.items() if place is not None}

    def judge(self, shown: Shown, places: Mapping[int, int], least_db: float) -> None:
        """Compare all pictures shown.

        Args:
            shown: The results are added to it.
            places: Indexes in the film by frame number, also from other viewers. Not empty.
            least_db: Re-encoded pictures with a lower PSNR count as wrong.
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
        expected: dict[int, int] = {}  # Indexes in the film by frame number.
        for header, data in units:
            place = self.film.place_of(data)
            if place is None:
                shown.faults.append(f"unit {header['seq']} is not the film's")
            elif "catch_up" not in header:
                expected[header["seq"]] = place
        shown.units += len(expected)
        for seq, luma in decoded(shown, units):
            place = expected.pop(seq, None)
            if place is None:
                continue  # A catch-up frame, only to be decoded.
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
                compare(f"encoded {seq}", seq, to_full_range(luma, luma.shape))
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
        """Compare a re-encoded picture with those near its place in the film."""
        near = known[max(0, bisect_right(known, seq) - 1)]
        middle, every = places[near] + seq - near, len(self.film.pictures)
        nearby = [at % every for at in range(middle - NEAR, middle + NEAR + 1)]
        best_db = self._compare(image, nearby)
        if best_db < least_db:  # After a reconnect, the numbers have another offset.
            best_db = self._compare(image, range(every))
        shown.least_db = min(shown.least_db, best_db)
        if best_db < least_db:
            shown.faults.append(f"{name}: {best_db:.1f} dB")

    def _compare(self, image: Luma, places: Iterable[int]) -> float:
        """Return the best PSNR of a picture compared with several of the film."""
        pictures = [self.film.pictures[at] for at in places]
        return max(psnr(image, to_full_range(one, image.shape)) for one in pictures)


def decoded(shown: Shown, units: Units) -> Iterator[tuple[int, Luma]]:
    """Decode units; yield the number and luma of each picture."""
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
    """Return the PSNR of two pictures in dB; 0 if their sizes differ."""
    if one.shape != other.shape:
        return 0.0
    error = float(np.mean(np.square(one.astype(np.int16) - other), dtype=float))
    return 10 * float(np.log10(255**2 / error)) if error else float("inf")


def luma_of(frame: av.VideoFrame) -> Luma:
    """Return a copy of a picture's luma plane."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width].copy()


def to_full_range(luma: Luma, shape: tuple[int, ...]) -> Luma:
    """Return luma converted to JPEG's full range, 0 to 255, and scaled to a shape."""
    full = cv2.convertScaleAbs(cv2.subtract(luma, 16), alpha=255 / 219)
    if full.shape != shape:
        full = cv2.resize(full, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return full


def packet_of(seq: int, data: bytes) -> av.Packet:
    """Return a unit as a packet whose pts, and so that of its picture, is the number."""
    packet = av.Packet(data)
    packet.pts = seq
    return packet


def slices_of(unit: bytes) -> bytes:
    """Return a unit's slices only, because containers add and remove other NAL units."""
    parts = (unit[begin:end] for begin, end in annex_b.split(unit))
    return b"".join(part for part in parts if H264.is_slice(H264.kind(part)))
