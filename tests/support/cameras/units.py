"""Access units of a small film, as a camera's source delivers them."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av

from server.capture.frames.unit import Unit
from server.capture.streams.units.maker import Encoded, UnitMaker, maker_of
from server.capture.streams.units.order import DisplayOrder, heads_of
from tests.support.cameras.films import make_film

__all__ = ["encoded_in", "make_units"]

SHORT_GROUPS = ("-c:v", "libx264", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "10")


def make_units(
    folder: Path,
    seconds: float = 2.0,
    *options: str,
    source: str = "testsrc2=size=320x180:rate=25",
    first_seq: int = 1,
    timed: bool = False,
) -> list[Unit]:
    """Encode FFmpeg's test picture; return its access units, starting with a key frame.

    Args:
        folder: Where the film is written.
        seconds: Its duration.
        options: For the encoder; by default H.264 with one key frame in ten, and no B-frames.
        source: A filter that makes pictures.
        first_seq: The number of the first unit. They are 0.04 s apart, from 1,000,000 s on.
        timed: Whether each has its own picture's capture time, which matters with B-frames.
    """
    film = make_film(
        folder / "units.mp4", "-t", str(seconds), *(options or SHORT_GROUPS), source=source
    )
    units = [
        Unit(one.data, one.key, seq, 1e6 + 0.04 * (seq - first_seq), *one[2:5])
        for seq, one in enumerate(encoded_in(film), first_seq)
    ]
    if not timed:
        return units
    order = DisplayOrder(units[0].codec)
    numbers = [order.number(heads_of(one.data)) for one in units]
    places = [sorted(numbers).index(one) for one in numbers]
    return [
        replace(one, early_s=0.04 * (at - place))
        for at, (one, place) in enumerate(zip(units, places, strict=True))
    ]


def encoded_in(film: Path) -> Iterator[Encoded]:
    """Yield the encoded pictures of a film, in decoding order."""
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        maker: UnitMaker | None = maker_of(
            context.codec.canonical_name, context.extradata or b"", Fraction(1)
        )
        assert maker is not None
        for packet in container.demux(stream):
            if packet.size:
                encoded = maker.make(bytes(packet))
                assert encoded is not None
                yield encoded
