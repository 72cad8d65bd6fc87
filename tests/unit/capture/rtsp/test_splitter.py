"""Split an RTSP connection's data, whatever pieces it arrives in."""

from contextlib import suppress
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.capture.rtsp.message import Request, Response, RtspError
from server.capture.rtsp.splitter import Frame, Splitter
from tests.support.cameras.rtp import interleave

OK = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 5\r\n\r\nhello"


def split(data: bytes, sizes: list[int]) -> list[Frame | Request | Response]:
    splitter, found, at, each = Splitter(), [], 0, cycle(sizes)
    while at < len(data):
        room = splitter.room()
        chunk = data[at : at + min(next(each), len(room))]
        at += len(chunk)
        room[: len(chunk)] = chunk
        splitter.add(len(chunk))
        while (item := splitter.take()) is not None:
            if isinstance(item, Frame):
                item = Frame(item.channel, memoryview(item.data.tobytes()))
            found.append(item)
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.just(None), st.binary(min_size=1, max_size=90)), max_size=12),
    st.lists(st.integers(1, 70), min_size=1, max_size=4),
)
def test_frames_between_messages_are_found(parts: list[bytes | None], sizes: list[int]) -> None:
    """Frames and messages are found in order, however the data is split."""
    sent = b"".join(OK if one is None else interleave(one, 2) for one in parts)

    found = split(sent, sizes)

    assert len(found) == len(parts)
    for part, item in zip(parts, found, strict=True):
        if part is None:
            assert isinstance(item, Response)
            assert (item.status, item.header("cseq"), item.body) == (200, "3", b"hello")
        else:
            assert isinstance(item, Frame)
            assert (item.channel, item.data.tobytes()) == (2, part)


def test_longest_frames_fit_the_buffer() -> None:
    """A dozen frames of the greatest length come out whole, so the buffer is reused."""
    parts = [bytes((at,)) * 65_535 for at in range(12)]

    found = split(b"".join(map(interleave, parts)), [300_000])

    assert [one.data.tobytes() for one in found if isinstance(one, Frame)] == parts


@pytest.mark.parametrize(
    ("sent", "count"),
    [
        (b"\r\n\r\n" + OK + b"\r\n" + OK, 2),
        (OK + b"\0\0\x01\xff" + interleave(b"abc") + OK, 3),
        (b"RTSP/1.0 200 OK\nCSeq: 1\n\n" + OK, 2),
        (b"OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\n" + OK, 2),
    ],
)
def test_protocol_deviations_are_tolerated(sent: bytes, count: int) -> None:
    """Blank lines, stray bytes, bare line feeds and requests from the camera are accepted."""
    assert len(split(sent, [7])) == count


def test_bytes_beyond_a_frames_length_are_skipped() -> None:
    """Some cameras send more than a frame's length says; the rest may look like a message."""
    rest = b"ABC\r\nxyz\n GARBAGE RTSP/1.0\r\n\r\n"
    splitter = Splitter()
    splitter.lenient = True
    sent = interleave(b"one") + rest + interleave(b"two") + rest + OK
    splitter.room()[: len(sent)] = sent
    splitter.add(len(sent))

    found = []
    while (item := splitter.take()) is not None:
        found.append(item.data.tobytes() if isinstance(item, Frame) else item.body)

    assert found == [b"one", b"two", b"hello"]


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0" * 70_000,
        b"RTSP/1.0 200 OK\r\nX: " + b"x" * 20_000,
        b"RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n",
    ],
)
def test_other_protocols_and_endless_data_are_rejected(sent: bytes) -> None:
    """The error is immediate, and the buffer is bounded."""
    with pytest.raises(RtspError):
        split(sent, [1000])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30), st.sampled_from([OK, b"RTSP/1.0 ", b"A B RTSP/1.0\n\n", b"$"])
        )
    ),
    st.booleans(),
)
def test_random_data_raises_only_rtsp_error(parts: list[bytes], lenient: bool) -> None:
    """Parsing any input ends, and raises only the expected error."""
    splitter, sent = Splitter(), b"".join(parts)
    splitter.lenient = lenient
    splitter.room()[: len(sent)] = sent
    splitter.add(len(sent))

    with suppress(RtspError):
        while splitter.take() is not None:
            pass
