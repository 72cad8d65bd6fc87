"""Find the pictures in a camera's stream, whatever else it sends."""

import random
from collections.abc import Iterable

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.capture.sources.multipart import MAX_PICTURE_BYTES, JpegParser
from tests.support.cameras.field_camera import PICTURES, STREAMS, part

SOI, EOI = b"\xff\xd8", b"\xff\xd9"

FEW = settings(max_examples=60, deadline=None)


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)


def encode(seed: int, *flags: int) -> bytes:
    return cv2.imencode(".jpg", pixels(seed), flags)[1].tobytes()


def with_thumbnail(picture: bytes, thumbnail: bytes) -> bytes:
    """Return a JPEG with another one in its EXIF segment."""
    exif = b"Exif\0\0" + thumbnail
    return SOI + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + picture[2:]


SMALL = tuple(encode(seed) for seed in range(4))


def read(data: bytes, pieces: Iterable[int] = ()) -> list[bytes]:
    """Return the pictures in ``data``, fed in pieces of these lengths and then the rest."""
    parser, found, at = JpegParser(), [], 0
    for length in (*pieces, len(data)):
        found += parser.feed(data[at : at + length])
        at += length
    return found


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("length", [1, 7, 4096, 10**9])
def test_every_stream_format_is_parsed(name: str, length: int) -> None:
    """However a camera frames its pictures, all of them arrive, and nothing else.

    FFmpeg's reader ended at the first part without a boundary, at a wrong length, at padding, and
    at a part of another type.
    """
    _, form, before = STREAMS[name]
    pictures = SMALL if length < 10 else PICTURES  # One of PICTURES has 22,000 bytes.
    data = before + b"".join(form(picture) for picture in pictures)

    assert read(data, [length] * (len(data) // length)) == list(pictures)


def test_picture_is_complete_with_its_last_byte() -> None:
    """No picture waits for the next one's boundary, which comes a whole interval later."""
    parser = JpegParser()
    data = part(SMALL[0])
    end = data.index(SMALL[0]) + len(SMALL[0])

    assert parser.feed(data[: end - 1]) == []
    assert parser.feed(data[end - 1 : end]) == [SMALL[0]]


@pytest.mark.parametrize(
    "picture",
    [
        encode(1, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encode(1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        with_thumbnail(SMALL[0], SMALL[1]),
        with_thumbnail(SMALL[0], SOI + EOI + SOI),
        SMALL[0].replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1),
    ],
    ids=["progressive", "restart markers", "thumbnail", "markers in EXIF", "fill bytes"],
)
def test_picture_ends_where_its_segments_say(picture: bytes) -> None:
    """A thumbnail in EXIF, several scans, restart markers and fill bytes do not end a picture."""
    data = b"".join((picture, part(picture), bytes(50), picture))

    assert read(data) == [picture] * 3
    assert read(data, [1] * len(data)) == [picture] * 3


@pytest.mark.parametrize("framed", [part, bytes], ids=["in parts", "bare"])
@pytest.mark.parametrize("cut", [25, 300, 1500, -2])
def test_truncated_picture_costs_only_itself(cut: int, framed: type[bytes]) -> None:
    """The picture after a truncated one is found, and the fault is reported."""
    parser = JpegParser()
    found, faults = [], []
    for picture in (SMALL[0], SMALL[1][:cut], SMALL[2], SMALL[3]):
        found += parser.feed(framed(picture))
        faults.append(parser.fault)

    assert found == [SMALL[0], SMALL[2], SMALL[3]]
    assert any(fault.startswith(("received a JPEG", "received an incomplete")) for fault in faults)


@pytest.mark.parametrize("wrong", [-2, 1, 500, 20_000, 10**15])
@pytest.mark.parametrize("piece", [100, 10**6])
def test_wrong_length_after_correct_ones_loses_nothing(wrong: int, piece: int) -> None:
    """A camera whose lengths were right so far is not trusted blindly."""
    good = part(SMALL[0]) + part(SMALL[1])
    data = good + part(SMALL[2], length=len(SMALL[2]) + wrong) + good * 2

    found = read(data, [piece] * (len(data) // piece))

    assert found == [*SMALL[:3], *SMALL[:2], *SMALL[:2]]


def test_thumbnail_of_a_truncated_picture_is_not_shown() -> None:
    """The thumbnail of a part that ends within its EXIF is not shown."""
    cut = with_thumbnail(SMALL[0], SMALL[1])[: len(SMALL[1]) + 20]

    assert read(part(SMALL[2]) + part(cut) + part(SMALL[3])) == [SMALL[2], SMALL[3]]


def test_truncated_picture_is_not_completed_by_later_data() -> None:
    """An end marker in the sound that follows half a picture is not the picture's end."""
    sound = part(b"\x01\x02" + EOI + b"\x03", "audio/basic")

    assert read(part(SMALL[0]) + part(SMALL[1][:2000]) + sound + part(SMALL[2])) == [
        SMALL[0],
        SMALL[2],
    ]


@pytest.mark.parametrize("body", [b"", b"no picture", bytes(range(256)) * 20])
def test_part_without_a_picture_is_reported(body: bytes) -> None:
    """An empty part, or one with garbage in it, is a camera fault but not the end."""
    parser = JpegParser()

    found = parser.feed(part(SMALL[0]) + part(body) + b"--b\r\n")

    assert found == [SMALL[0]]
    assert parser.fault == "received a part that is not a JPEG picture"


def test_part_of_another_type_is_skipped_silently() -> None:
    """Sound and metadata are skipped silently, even with a whole JPEG in them."""
    parser = JpegParser()

    found = parser.feed(part(SMALL[0], "application/x-events") + part(SMALL[1]) + b"--b\r\n")

    assert found == [SMALL[1]]
    assert parser.fault == ""


def test_endless_picture_is_dropped() -> None:
    """A picture that never ends is dropped, and the next good one is found."""
    parser = JpegParser()
    piece = bytes(1 << 20)
    parser.feed(SMALL[0][:-2])
    largest = 0
    for _ in range(40):
        parser.feed(piece)
        largest = max(largest, len(parser._buffer))

    assert largest <= MAX_PICTURE_BYTES + 2 * len(piece)
    assert parser.feed(SMALL[1]) == [SMALL[1]]


def test_length_applies_only_to_its_own_part() -> None:
    """A part may contain another part's headers; the outer length does not apply to that one."""
    head, truncated, following = b"\nContent-Type: \n", SMALL[3][:700], part(SMALL[3])
    # As long as it is from the truncated picture to the end of the next one.
    length = len(truncated + b"\r\n") + following.index(SMALL[3]) + len(SMALL[3])
    outer = bytes(length - len(head) - len(truncated)) + head + truncated

    assert read(part(SMALL[2]) + part(outer) + following) == [SMALL[2], SMALL[3]]


# Garbage consists of what the parser looks for, and of anything else.
BITS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            *(SOI, EOI, b"\xff", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\xff\xff", b"\xff\xda\x00\x02"),
            *(b"\xff\xd8\xff\xda\x00\x02", b"\xff\xc4\xff\xff", b"\n", b"\r\n\r\n", b"--b\r\n"),
            *(b"\r\n--b\r\n", b"\nContent-Type: text/plain\n", b"\ncontent-type:", b"\n--"),
            *(SMALL[3][:700], SMALL[3][:-1], b"\r\nContent-Type: image/jpeg\r\n\r\n"),
        ]
    ),
)
GARBAGE = st.lists(BITS, max_size=12).map(b"".join)


@FEW
@given(garbage=GARBAGE, seed=st.integers(0, 99))
@example(garbage=b"\xff" * 5000, seed=1)
def test_parser_survives_any_bytes(garbage: bytes, seed: int) -> None:
    """Any input, in pieces of any length, gives no error, bounded memory and the same pictures."""
    cuts = random.Random(seed)
    data = garbage * 20
    parser, found, at = JpegParser(), [], 0
    while at < len(data):
        length = cuts.choice((1, 2, 3, 50, 5000))
        found += parser.feed(data[at : at + length])
        at += length
        assert len(parser._buffer) <= len(data)

    assert found == read(data)
    assert all(one.startswith(SOI) and one.endswith(EOI) for one in found)


@FEW
@given(
    name=st.sampled_from(sorted(STREAMS)),
    pieces=st.lists(st.integers(1, 9000), max_size=40),
)
def test_streams_may_be_split_anywhere(name: str, pieces: list[int]) -> None:
    """A stream split anywhere yields exactly its pictures."""
    _, form, before = STREAMS[name]

    assert read(before + b"".join(form(one) for one in SMALL), pieces) == list(SMALL)


@FEW
@given(garbage=st.lists(GARBAGE, min_size=4, max_size=4), seed=st.integers(0, 99))
def test_garbage_does_not_hide_the_next_picture(garbage: list[bytes], seed: int) -> None:
    """The contents of one part never cost the picture in the next."""
    data = b"".join(
        part(SMALL[2]) + part(rubbish) + part(good)
        for rubbish, good in zip(garbage, SMALL, strict=True)
    )
    cuts = random.Random(seed)
    found = iter(read(data, [cuts.randrange(1, 4000) for _ in range(30)]))

    # In this order, perhaps with some garbage in between.
    assert all(any(one == good for one in found) for good in SMALL)
