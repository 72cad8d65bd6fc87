"""Makes access units in Annex B format from packets of H.264 and H.265 streams. No I/O."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from server.capture.frames.limits import is_too_large
from server.capture.streams.units import annex_b
from server.capture.streams.units.h264 import H264
from server.capture.streams.units.h265 import H265
from server.capture.streams.units.sequence import Sequence

__all__ = ["Encoded", "UnitMaker", "maker_of"]

# More parameter sets than any stream has; a broken stream may number them at random.
MAX_SETS = 64
MAX_SET_BYTES = 4096


class Encoded(NamedTuple):
    """One encoded picture.

    Attributes:
        data: In Annex B format; a key frame is preceded by its parameter sets.
        key: Whether a decoder can start at it.
        codec: The RFC 6381 codec string for decoders.
        width: In pixels.
        height: In pixels.
        early_s: See :class:`server.capture.frames.unit.Unit`.
    """

    data: bytes
    key: bool
    codec: str
    width: int
    height: int
    early_s: float = 0.0


Syntax: TypeAlias = type[H264] | type[H265]


def maker_of(codec: str, extradata: bytes, aspect: Fraction) -> "UnitMaker | None":
    """Return a maker of units for a stream; None if it is neither H.264 nor H.265.

    Args:
        codec: FFmpeg's name of the encoding.
        extradata: From the container or the session description; may be empty.
        aspect: The width of a pixel divided by its height, according to the container.
    """
    syntaxes: dict[str, Syntax] = {"h264": H264, "hevc": H265}
    return UnitMaker(syntaxes[codec], extradata, aspect) if codec in syntaxes else None


class UnitMaker:
    """Makes the units of one stream. For one thread.

    Args:
        syntax: The syntax of H.264 or H.265.
        extradata: Parameter sets from outside the stream: in Annex B format, or as in MP4, where a
            record also means that units are preceded by their lengths.
        aspect: The width of a pixel divided by its height, if the stream does not say.

    Attributes:
        codec: The codec string for decoders; empty while unknown, and if browsers would show the
            pictures wrongly because they are interlaced or their pixels are not square.
    """

    def __init__(self, syntax: Syntax, extradata: bytes, aspect: Fraction) -> None:
        self._syntax = syntax
        self._aspect = aspect
        self._length_size = 0  # Bytes of the length before each unit; 0 for Annex B.
        # By type and id: a parameter set, and the id of the one it refers to.
        self._sets: dict[tuple[int, int], tuple[bytes, int]] = {}
        self._sequence: Sequence | None = None
        self.codec = ""
        self._read_extradata(extradata)
        self._choose(None)

    @property
    def sequence(self) -> Sequence | None:
        """The sequence parameters of the pictures; None before the first parameter set."""
        return self._sequence

    def make(self, data: bytes) -> Encoded | None:
        """Return the access unit of a picture; None if it is broken or cannot be passed on.

        Args:
            data: The picture's bytes in the stream's format.
        """
        try:
            whole, key = self._make(data)
        except (ValueError, IndexError):
            return None
        found = self._sequence
        if not whole or found is None or not self.codec:
            return None
        return Encoded(whole, key, found.codec, found.width, found.height)

    def _make(self, data: bytes) -> tuple[bytes, bool]:
        if not self._length_size and self._is_plain(data):
            return data, False
        syntax = self._syntax
        for begin, end in self._split(data):
            kind = syntax.kind(data[begin : begin + 1])
            if syntax.is_slice(kind):
                break
            if kind in syntax.sets:
                self._keep(kind, data[begin:end])
        else:
            return b"", False
        if syntax.is_key(kind):
            return self._make_key([data[begin:end] for begin, end in self._split(data)]), True
        if self._length_size:
            return annex_b.join(data[begin:end] for begin, end in self._split(data)), False
        return data, False

    def _is_plain(self, data: bytes) -> bool:
        """Return whether it is not a key frame and has no parameter sets, like nearly all.

        Finding the end of its slice would take as long as everything else that is done with it.
        """
        syntax = self._syntax
        for begin in annex_b.begins(data):
            kind = syntax.kind(data[begin : begin + 1])
            if syntax.is_slice(kind):
                return not syntax.is_key(kind)
            if kind in syntax.sets:
                break
        return False

    def _make_key(self, units: list[bytes]) -> bytes:
        """Return a key frame after all its parameter sets; empty if some are missing."""
        syntax = self._syntax
        kinds = [syntax.kind(unit) for unit in units]
        first_slice = next(at for at, kind in enumerate(kinds) if syntax.is_slice(kind))
        for unit, kind in zip(units[first_slice:], kinds[first_slice:], strict=True):
            if kind in syntax.sets:
                self._keep(kind, unit)
        if not self._choose(units[first_slice]):
            return b""
        delimiters = [at for at, kind in enumerate(kinds) if kind == syntax.delimiter]
        left_out = {syntax.delimiter, syntax.filler, *syntax.sets}
        return annex_b.join(
            [
                *(units[at] for at in delimiters[:1]),
                *(self._sets[place][0] for place in sorted(self._sets)),
                *(unit for unit, kind in zip(units, kinds, strict=True) if kind not in left_out),
            ]
        )

    def _split(self, data: bytes) -> Iterator[tuple[int, int]]:
        if self._length_size:
            return annex_b.split_lengths(data, self._length_size)
        return annex_b.split(data)

    def _keep(self, kind: int, unit: bytes) -> None:
        with suppress(ValueError, IndexError):  # A broken set must not replace an intact one.
            number, other = self._syntax.ids(unit)
            if kind == self._syntax.sequence:
                self._syntax.read(unit)
            place = (kind, number)
            room = place in self._sets or len(self._sets) < MAX_SETS
            if room and len(unit) <= MAX_SET_BYTES:
                self._sets[place] = unit, other

    def _choose(self, first_slice: bytes | None) -> bool:
        """Select a key frame's sequence; return False if its parameter sets are missing.

        Args:
            first_slice: The picture's first slice; None for the first known sequence.
        """
        syntax = self._syntax
        if first_slice is None:
            place = next((one for one in self._sets if one[0] == syntax.sequence), None)
        else:
            used = self._sets.get((syntax.picture_set, syntax.picture_set_of(first_slice)))
            place = None if used is None else (syntax.sequence, used[1])
        found = None if place is None else self._sets.get(place)
        self._sequence = None if found is None else syntax.read(found[0])
        self.codec = self._codec_to_show()
        return found is not None and {kind for kind, _ in self._sets} == set(syntax.sets)

    def _codec_to_show(self) -> str:
        found = self._sequence
        if found is None or found.interlaced or is_too_large(found.width, found.height):
            return ""
        aspect = found.aspect if found.aspect != 1 else self._aspect
        return found.codec if aspect == 1 else ""

    def _read_extradata(self, data: bytes) -> None:
        with suppress(ValueError, IndexError):
            if data[:3] == b"\0\0\1" or data[:4] == annex_b.START:
                units = [data[begin:end] for begin, end in annex_b.split(data)]
            elif data:  # A decoder configuration record, by ISO/IEC 14496-15.
                self._length_size = (data[self._syntax.record_at] & 3) + 1
                units = self._syntax.sets_of_record(data)
            else:
                return
            for unit in units:
                if unit and (kind := self._syntax.kind(unit)) in self._syntax.sets:
                    self._keep(kind, unit)
