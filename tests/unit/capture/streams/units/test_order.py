"""Display order of pictures, compared with what FFmpeg's encoders report."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from server.capture.streams.units.maker import maker_of
from server.capture.streams.units.order import DisplayOrder, heads_of
from tests.support.cameras.films import make_film

ENCODERS = {
    "without B-frames": ("-c:v", "libx264", "-bf", "0", "-g", "12"),
    "baseline": ("-c:v", "libx264", "-profile:v", "baseline", "-g", "12"),
    "B-frames": ("-c:v", "libx264", "-bf", "2", "-g", "12"),
    "pyramid": ("-c:v", "libx264", "-bf", "4", "-b-pyramid", "normal", "-g", "40"),
    "one long group": ("-c:v", "libx264", "-bf", "3", "-g", "1000"),
    "H.265": ("-c:v", "libx265", "-x265-params", "bframes=4:keyint=20:log-level=0"),
    "H.265, open groups": (
        *("-c:v", "libx265", "-x265-params"),
        "bframes=4:open-gop=1:keyint=12:min-keyint=12:log-level=0",
    ),
    "H.265 without B-frames": ("-c:v", "libx265", "-x265-params", "bframes=0:log-level=0"),
}


@pytest.mark.parametrize("encoder", ENCODERS)
def test_pictures_are_numbered_in_display_order(encoder: str, tmp_path: Path) -> None:
    """This holds across groups, and where the counter restarts."""
    film = make_film(
        *(tmp_path / "film.mp4", "-t", "4", *ENCODERS[encoder]),
        *("-preset", "veryfast", "-pix_fmt", "yuv420p"),
        source="testsrc2=size=64x48:rate=25",
    )
    times, numbers = [], []
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        maker = maker_of(context.codec.canonical_name, context.extradata or b"", Fraction(1))
        assert maker is not None
        order = DisplayOrder(maker.codec)
        for packet in container.demux(stream):
            if packet.size:
                times.append(packet.pts)
                unit = maker.make(bytes(packet))
                assert unit is not None
                numbers.append(order.number(heads_of(unit.data)))

    assert len(times) == 100

    def ranked(values: list[int]) -> list[int]:
        return sorted(range(len(values)), key=values.__getitem__)

    assert ranked(numbers) == ranked(times)  # type: ignore[arg-type]
    assert len(set(numbers)) == 100
    assert (numbers == sorted(numbers)) == ("out" in encoder or encoder == "baseline")


def test_unreadable_units_keep_their_decoding_order() -> None:
    """A damaged header does not cost the clip: its pictures are shown in decoding order."""
    order = DisplayOrder("avc1.64001f")

    numbers = [order.number([unit]) for unit in (b"\x67", b"\x41", b"\x01\xff\xff", b"\x65\0")]

    assert numbers == sorted(set(numbers))
