"""Assemble pictures from packets, however a camera splits them and however they arrive."""

from collections.abc import Iterator
from itertools import count, cycle, pairwise, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.capture.rtsp.assembler import AccessUnit, Assembler
from server.capture.rtsp.payloads import make_payloads
from server.capture.rtsp.rtp import read_packet
from server.capture.rtsp.splitter import Frame, Splitter
from tests.support.cameras.rtp import interleave, packetize, rtp

START = b"\0\0\0\1"
STEP = 3000

ALONE = repeat(False)

# By codec: parameter sets, and the first bytes of slices of key frames and of others.
SETS = {
    "h264": [b"\x67\x42\x00\x1e", b"\x68\xce\x38\x80"],
    "hevc": [b"\x40\x01\x0c", b"\x42\x01\x01", b"\x44\x01\xc1"],
}
SLICES = {"h264": {True: b"\x65", False: b"\x41"}, "hevc": {True: b"\x26\1", False: b"\x02\1"}}
FIRST, LATER = (
    b"\x9a",
    b"\x42",
)  # A slice that begins in the picture's corner, and one that does not.

Picture = list[bytes]


def picture(codec: str, key: bool, bodies: list[bytes]) -> Picture:
    """Return the NAL units of a picture with this many slices."""
    head = SLICES[codec][key]
    slices = [head + (LATER if at else FIRST) + body for at, body in enumerate(bodies)]
    return [*(SETS[codec] if key else []), *slices]


def joined(units: Picture) -> bytes:
    return b"".join(START + unit for unit in units)


def assemble(codec: str, packets: list[bytes]) -> list[AccessUnit]:
    assembler = Assembler(make_payloads(codec))
    for one in packets:
        packet = read_packet(memoryview(one))
        assert packet is not None
        assembler.add(packet)
    return list(assembler.units)


def packets_of(
    pictures: list[Picture],
    codec: str,
    mtu: int = 1400,
    marker: str = "right",
    together: Iterator[bool] = ALONE,
) -> list[bytes]:
    """Return the packets of pictures, with the ``marker`` bit right, never set or on each."""
    numbers = count(65_530)
    packets = []
    for at, one in enumerate(pictures):
        payloads = list(packetize(one, codec, mtu, lambda: next(together)))
        for place, (payload, ends) in enumerate(payloads):
            last = place == len(payloads) - 1
            marked = {"right": last, "never": False, "each": ends}[marker]
            packets.append(rtp(payload, next(numbers), (1 << 32) - 2 * STEP + at * STEP, marked))
    return packets


@st.composite
def streams(draw: st.DrawFn) -> tuple[str, list[Picture]]:
    codec = draw(st.sampled_from(["h264", "hevc"]))
    slices = draw(st.integers(1, 3))
    bodies = st.lists(st.binary(min_size=1, max_size=60), min_size=slices, max_size=slices)
    keys = draw(st.lists(st.booleans(), min_size=2, max_size=12))
    return codec, [picture(codec, key, draw(bodies)) for key in [True, *keys]]


@settings(max_examples=60, deadline=None)
@given(
    streams(),
    st.integers(4, 50),
    st.sampled_from(["right", "never", "each"]),
    st.lists(st.booleans(), min_size=1, max_size=5),
    st.lists(st.integers(1, 300), min_size=1, max_size=5),
)
def test_pictures_come_out_as_they_were_sent(
    stream: tuple[str, list[Picture]],
    mtu: int,
    marker: str,
    together: list[bool],
    reads: list[int],
) -> None:
    """Pictures come out as sent, for any splitting, any markers and any size of read. Units are
    alone, aggregated or fragmented; markers are right, missing or too many; numbers and timestamps
    wrap."""
    codec, pictures = stream
    joins = ALONE if marker == "each" else cycle(together)
    sent = b"".join(map(interleave, packets_of(pictures, codec, mtu, marker, joins)))
    splitter, assembler = Splitter(), Assembler(make_payloads(codec))
    at, sizes = 0, cycle(reads)

    while at < len(sent):
        chunk = sent[at : at + next(sizes)]
        at += len(chunk)
        splitter.room()[: len(chunk)] = chunk
        splitter.add(len(chunk))
        while taken := assembler.take_unit(splitter, 0x2400, 0x8060) or splitter.take():
            if isinstance(taken, Frame):
                packet = read_packet(taken.data)
                assert packet is not None
                assembler.add(packet)

    units = list(assembler.units)
    # Only a marker tells that the last one has ended.
    assert len(units) in (len(pictures), len(pictures) - 1)
    expected = pictures[: len(units)]
    assert [one.data for one in units] == [joined(one) for one in expected]
    assert [one.stamp for one in units] == [at * STEP for at in range(len(units))]
    assert [one.key for one in units] == [one[0] in SETS[codec] for one in expected]
    assert all(one.whole for one in units)


@settings(max_examples=60, deadline=None)
@given(streams(), st.integers(4, 50), st.data())
def test_incomplete_pictures_are_never_called_whole(
    stream: tuple[str, list[Picture]], mtu: int, data: st.DataObject
) -> None:
    """A picture with a missing packet is marked, since later ones refer to it. Cameras lose packets
    before sending, too. Only slices are compared: parameter sets may be known from before."""
    codec, pictures = stream
    # Makes each picture different.
    pictures = [[*one[:-1], one[-1] + bytes((at,))] for at, one in enumerate(pictures)]
    packets = packets_of(pictures, codec, mtu)
    lost = data.draw(st.sets(st.integers(1, len(packets) - 1), min_size=1, max_size=4))

    units = assemble(codec, [one for at, one in enumerate(packets) if at not in lost])

    def slices_in(data: bytes) -> bytes:
        begins = (data.find(START + one + FIRST) for one in SLICES[codec].values())
        return data[max(begins) :]

    places = {slices_in(joined(one)): at for at, one in enumerate(pictures)}
    before = -1
    for one in units:
        place = places.get(slices_in(one.data))
        if one.whole:
            assert place is not None
            assert one.key or place == before + 1
        before = one.stamp // STEP


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_marker_ends_a_picture_at_once(codec: str) -> None:
    """Markers are trusted once a few were right; FFmpeg waits a whole interval instead."""
    pictures = [picture(codec, at % 4 == 0, [b"x" * 40]) for at in range(9)]
    early = packets_of(pictures[:2], codec)
    packets = packets_of(pictures, codec)

    assert len(assemble(codec, early)) == 1
    assert len(assemble(codec, packets)) == len(pictures)
    assert len(assemble(codec, packets[:-1])) == len(pictures) - 1


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_parameter_sets_belong_to_the_next_picture(codec: str) -> None:
    """Some cameras give parameter sets an earlier timestamp, or mark them as a picture's end."""
    sets, key = SETS[codec], picture(codec, True, [b"abc"])[len(SETS[codec]) :]
    other = picture(codec, False, [b"def"])
    packets = [rtp(one, number, 100, True) for number, one in enumerate(sets)]
    packets.append(rtp(key[0], len(sets), 200, True))
    packets.append(rtp(other[0], len(sets) + 1, 300, True))

    (unit,) = assemble(codec, packets)

    assert unit.data == joined([*sets, *key])
    assert unit.key
    assert unit.whole


def test_picture_sent_as_one_nal_unit_is_accepted() -> None:
    """Some cameras treat parameter sets and slices as one NAL unit and fragment that."""
    key, other = picture("h264", True, [b"k" * 500]), picture("h264", False, [b"o"])
    whole = START.join(key)

    units = assemble("h264", packets_of([[whole], other, other], "h264"))

    assert units[0].data == START + whole
    assert units[0].key


def test_packets_without_numbers_are_eventually_accepted() -> None:
    """FFmpeg ignores the numbers over TCP, so such a camera works with it."""
    pictures = [picture("h264", at % 20 == 0, [b"x"]) for at in range(60)]
    packets = [
        rtp(one, 0, at * STEP, one is units[-1])
        for at, units in enumerate(pictures)
        for one in units
    ]

    units = assemble("h264", packets)

    assert all(one.whole for one in units[25:])


def test_restarted_camera_is_followed() -> None:
    """When a camera restarts behind a relay, its numbers, timestamps and source change."""
    pictures = [picture("h264", at % 5 == 0, [bytes((at,))]) for at in range(10)]
    first, second = packets_of(pictures[:5], "h264"), packets_of(pictures[5:], "h264")
    second = [one[:8] + b"\0\0\0\x09" + one[12:] for one in second]

    units = assemble("h264", first + second)

    assert [one.data for one in units] == [joined(one) for one in pictures]
    assert all(one.whole for one in units)
    steps = [after.stamp - before.stamp for before, after in pairwise(units)]
    assert steps[:4] == [STEP] * 4
    assert steps[5:] == [STEP] * 4


def test_size_of_an_endless_picture_is_bounded() -> None:
    """If a hostile camera never ends a picture, the collected data is dropped."""
    assembler = Assembler(make_payloads("h264"))
    payload = b"\x7c\x05" + b"x" * 60_000
    for number in range(600):
        header = b"\x7c\x85" if number == 0 else b"\x7c\x05"
        packet = read_packet(memoryview(rtp(header + payload[2:], number, 5)))
        assert packet is not None
        assembler.add(packet)
    end = read_packet(memoryview(rtp(b"\x41\x9a", 600, 6)))
    assert end is not None
    assembler.add(end)

    (unit,) = assembler.units

    assert not unit.whole
    assert len(unit.data) < 16 << 20


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@settings(max_examples=200, deadline=None)
@given(data=st.lists(st.binary(max_size=40), max_size=20))
def test_random_packets_raise_nothing(codec: str, data: list[bytes]) -> None:
    """Whatever a camera sends, the worst result is no picture."""
    assembler = Assembler(make_payloads(codec))
    for number, one in enumerate(data):
        for raw in (one, rtp(one, number, number)):
            packet = read_packet(memoryview(raw))
            if packet is not None:
                assembler.add(packet)
