"""The demuxer's output from a real server, compared with FFmpeg's."""

import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from server.capture.rtsp.demuxer import RtspDemuxer
from server.capture.streams.demuxer import Demuxer
from server.capture.streams.packet import Packet, PacketReader
from server.config.address import parse_address
from server.errors import SourceError
from tests.support.cameras.films import make_film
from tests.support.cameras.rtsp_server import RtspServer

B_FRAMES = ("-c:v", "libx264", "-bf", "2", "-g", "20", "-pix_fmt", "yuv420p", "-t", "3")


@pytest.fixture(scope="module")
def rtsp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    """A server of a film with B-frames, several slices per picture, and groups of 20 pictures."""
    film = make_film(tmp_path_factory.mktemp("film") / "film.mp4", *B_FRAMES, "-slices", "3")
    server = RtspServer(film)
    yield server
    server.stop()


def read_all(demuxer: PacketReader) -> list[Packet]:
    packets = []
    try:
        while (packet := demuxer.read()) is not None:
            packets.append(packet)
    except SourceError:  # The film has ended.
        pass
    finally:
        demuxer.close()
    return packets


def test_units_and_timestamps_match_ffmpeg(rtsp: RtspServer) -> None:
    """Units match byte for byte, and so do display times. Both guess how far decoding is ahead, so
    decoding times may differ by two frames; FFmpeg repeats one after each key frame."""
    ours = RtspDemuxer(parse_address(rtsp.url("film0"), Path()), 5.0)
    theirs = Demuxer(
        rtsp.url("film1"),
        "x",
        lambda error: SourceError(str(error)),
        {"rtsp_transport": "tcp"},
        5.0,
    )
    assert (ours.codec, ours.fps, ours.aspect) == (theirs.codec, theirs.fps, theirs.aspect)
    assert (ours.context.width, ours.context.height) == (
        theirs.context.width,
        theirs.context.height,
    )
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(read_all, (ours, theirs))

    assert len(one) >= 70
    count = min(len(one), len(other))
    assert count >= len(other) - 1
    assert [packet.data for packet in one[:count]] == [packet.data for packet in other[:count]]
    assert [packet.key for packet in one[:count]] == [packet.key for packet in other[:count]]
    assert not any(packet.incomplete for packet in one)
    shown = [(packet.shown_s or 0.0) for packet in one]
    assert shown[4:count] == pytest.approx(
        [
            (packet.shown_s or 0.0) - (other[4].shown_s or 0.0) + shown[4]
            for packet in other[4:count]
        ]
    )
    decoded = [(packet.timestamp_s or 0.0) for packet in one]
    steps = [after - before for before, after in pairwise(decoded[4:])]
    assert steps == pytest.approx([0.04] * len(steps))
    apart = [
        mine - (packet.timestamp_s or 0.0)
        for mine, packet in zip(decoded[4:count], other[4:count], strict=True)
    ]
    assert statistics.mode(round(one, 3) for one in apart) in (0.0, 0.04, 0.08)
