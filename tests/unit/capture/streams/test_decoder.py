"""Decoding on demand, with packets of a real film."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from server.capture.streams import decoder as decoder_module
from server.capture.streams.decoder import Decoder, RoughDecoder
from server.capture.streams.packet import Packet
from server.errors import PictureError
from tests.support.cameras.films import make_film

GROUP = 10


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Films of 40 pictures at 10 fps in groups of ten, with and without B-frames."""
    folder = tmp_path_factory.mktemp("films")
    options = ("-frames:v", "40", "-c:v", "libx264", "-g", "10", "-pix_fmt", "yuv420p")
    source = "testsrc2=size=320x180:rate=10"
    return {
        "plain": make_film(folder / "plain.mp4", *options, "-tune", "zerolatency", source=source),
        "b-frames": make_film(folder / "b.mp4", *options, "-bf", "2", source=source),
    }


@pytest.fixture
def open_film(films: dict[str, Path]) -> Callable[[str], tuple[Decoder, list[Packet], list[int]]]:
    """Return a decoder, the film's packets, and a list that collects each packet decoded."""

    def start(name: str) -> tuple[Decoder, list[Packet], list[int]]:
        container = av.open(str(films[name]))
        stream = container.streams.video[0]
        packets = [
            Packet(one, one.is_keyframe, one.size, None, float(one.pts * one.time_base), 0.0)
            for one in container.demux(stream)
            if one.size
        ]
        decoded: list[int] = []

        class Counting:
            """The film's decoder, which counts its calls."""

            def __getattr__(self, name: str) -> Any:
                return getattr(stream.codec_context, name)

            def __setattr__(self, name: str, value: Any) -> None:
                setattr(stream.codec_context, name, value)

            def decode(self, packet: Any) -> Any:
                decoded.append(packets_of.index(packet) if packet in packets_of else -1)
                return stream.codec_context.decode(packet)

        packets_of = [one.encoded for one in packets]
        return Decoder(Counting()), packets, decoded  # type: ignore[arg-type]

    return start


Open = Callable[[str], tuple[Decoder, list[Packet], list[int]]]


def number_of(frame: Any) -> int:
    """Return the picture's number in the film."""
    return int(frame.pts) // 1024  # MP4's time base for 10 fps is 1/10240 s.


def test_nothing_is_decoded_until_requested(open_film: Open) -> None:
    """A request decodes only the group so far, and each packet only once."""
    decoder, packets, decoded = open_film("plain")

    for packet in packets[:25]:
        decoder.add(packet)
    assert decoded == []

    first = decoder.newest()
    assert (first and number_of(first), decoded) == (24, list(range(20, 25)))
    decoder.add(packets[25])
    second = decoder.newest()
    assert (second and number_of(second), decoded) == (25, list(range(20, 26)))
    assert decoder.newest() is None


def test_whole_groups_are_skipped(open_film: Open) -> None:
    """A picture every two seconds costs no more than the group it is in."""
    decoder, packets, decoded = open_film("plain")

    for number, packet in enumerate(packets):
        decoder.add(packet)
        if number in (10, 30):
            frame = decoder.newest()
            assert frame is not None
            assert number_of(frame) == number

    assert decoded == [10, 30]


def test_pictures_come_in_display_order(open_film: Open) -> None:
    """B-frames are decoded after a picture that is displayed later; time never goes back."""
    decoder, packets, _ = open_film("b-frames")
    shown = []

    for packet in packets:
        decoder.add(packet)
        if frame := decoder.newest():
            shown.append(number_of(frame))
    shown += map(number_of, decoder.end())

    assert shown == list(range(40))


@pytest.mark.parametrize("name", ["plain", "b-frames"])
def test_joining_waits_for_a_key_frame(name: str, open_film: Open) -> None:
    """Earlier packets refer to pictures that we do not have and would decode to grey."""
    decoder, packets, decoded = open_film(name)

    for packet in packets[3:GROUP]:
        decoder.add(packet)
        assert decoder.newest() is None
        assert decoder.waiting
    decoder.add(packets[GROUP])
    assert not decoder.waiting
    decoder.newest()

    assert decoded == [GROUP]


def test_nothing_is_shown_after_a_loss_until_the_next_key_frame(open_film: Open) -> None:
    """H.264 decodes on with a wrong reference picture and does not say so."""
    decoder, packets, _ = open_film("plain")
    shown = []

    for number, packet in enumerate(packets[:25]):
        if number == 4:
            continue
        decoder.add(packet._replace(incomplete=number == 3))
        if frame := decoder.newest():
            shown.append(number_of(frame))

    assert shown == [0, 1, 2, *range(10, 25)]


def test_damaged_picture_is_reported_once(open_film: Open) -> None:
    """After that, the decoder waits silently for a key frame."""
    decoder, packets, _ = open_film("plain")
    decoder.add(packets[0])
    data = bytearray(packets[1].data)
    data[20:] = bytes(len(data) - 20)
    damaged = av.Packet(bytes(data))
    damaged.pts, damaged.dts = packets[1].encoded.pts, packets[1].encoded.dts

    decoder.add(packets[1]._replace(content=damaged))  # type: ignore[arg-type]
    with pytest.raises(PictureError, match="waiting for the next key frame"):
        decoder.newest()
    decoder.add(packets[2])

    assert decoder.newest() is None
    assert decoder.waiting
    decoder.add(packets[GROUP])
    assert decoder.newest() is not None


def test_pending_packets_are_bounded(open_film: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group that never ends is decoded as it comes, so that its newest picture can be shown."""
    monkeypatch.setattr(decoder_module, "MAX_PENDING", 4)
    decoder, packets, decoded = open_film("plain")

    for packet in packets[:8]:
        decoder.add(packet)
    assert decoded == [0, 1, 2, 3, 4]

    frame = decoder.newest()
    assert frame is not None
    assert number_of(frame) == 7


def test_rough_decoding_stays_close_to_the_original(
    films: dict[str, Path], open_film: Open
) -> None:
    """Without the loop filter, decoding is cheaper, and off by a few levels until the next key
    frame. Viewers that join in the middle of a group get exact pictures."""
    full, packets, _ = open_film("plain")
    context = av.open(str(films["plain"])).streams.video[0].codec_context
    rough = RoughDecoder(full, context)
    right, _, _ = open_film("plain")
    looked, seen = [], []
    for number, packet in enumerate(packets):
        full.add(packet)
        rough.add(packet)
        right.add(packet)
        expected = right.newest()
        assert expected is not None
        if number % 2:
            frame = rough.newest()
            assert frame is not None
            assert number_of(frame) == number
            looked.append(difference(frame, expected))
        if number in (16, 27, 39):
            frame = full.newest()
            assert frame is not None
            seen.append(difference(frame, expected))

    assert 0 < max(looked) < 12
    assert seen == [0, 0, 0]


def test_rough_decoder_idles_while_somebody_watches(
    films: dict[str, Path], open_film: Open
) -> None:
    """Nothing but a key frame is decoded twice while somebody watches."""
    full, packets, decoded = open_film("plain")
    context = av.open(str(films["plain"])).streams.video[0].codec_context
    rough = RoughDecoder(full, context)
    for number, packet in enumerate(packets):
        full.add(packet)
        rough.add(packet)
        if number >= 10:
            assert full.newest() is not None
            assert rough.pending == 0 if number % 10 else rough.pending <= 1
            rough.newest()

    assert decoded == list(range(10, 40))


def difference(frame: Any, other: Any) -> int:
    """Return the largest difference of two pictures after scaling down."""
    greys = [one.to_ndarray(format="gray").astype(int)[:176] for one in (frame, other)]
    small = [one.reshape(22, 8, 40, 8).mean((1, 3)) for one in greys]
    return int(abs(small[0] - small[1]).max().round())
