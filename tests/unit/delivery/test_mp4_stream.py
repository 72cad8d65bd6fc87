"""Video as one endless HTTP response, on real sockets."""

import socket
from collections.abc import Iterator

import pytest

from server.capture.camera import Camera
from server.capture.frames.unit import Unit
from server.capture.frames.video_track import VideoTrack
from server.delivery import mp4_stream
from server.delivery.fanout import Fanout
from server.delivery.mp4_stream import Mp4Viewer
from server.loop import hub
from tests.support.fakes import ResponseClient, settle

Link = tuple[socket.socket, socket.socket]


def unit(seq: int, key: bool = False, codec: str = "avc1.42c01f", size: int = 1000) -> Unit:
    """Return a unit whose bytes encode its number, captured a tenth of a second after the last."""
    sets = b"\0\0\1\x67\x42\xc0\x1f\xd9\0\0\1\x68\xce\x38\x80" if key else b""
    picture = b"\0\0\1\x65" + b"<%d>" % seq + b"\x55" * size
    return Unit(sets + picture, key, seq, 1000 + seq / 10, codec, 64, 48)


class Stream(ResponseClient):
    """A viewer's stream, written as by the WSGI server, and its client."""

    def __init__(self, fanout: Fanout, link: Link) -> None:
        server, client = link
        super().__init__(client)
        self.viewer = Mp4Viewer(fanout, server)
        begun = self.viewer.first(1)
        assert begun is not None
        self.task = hub.spawn(self._write, server, *begun)

    def _write(self, server: socket.socket, *begun: object) -> None:
        for data in self.viewer.stream(*begun):  # type: ignore[arg-type]
            server.sendall(data)


@pytest.fixture
def track(camera: Camera) -> VideoTrack:
    """The camera's video, which has a key frame."""
    track = VideoTrack("full")
    track.codec = "avc1.42c01f"
    camera.videos = {"full": track}
    track.put(unit(1, key=True))
    return track


@pytest.fixture
def stream(track: VideoTrack, fanout: Fanout, link: Link) -> Iterator[Stream]:
    """A viewer's stream."""
    stream = Stream(fanout, link)
    yield stream
    stream.task.kill()


def test_units_are_streamed_in_order(stream: Stream, track: VideoTrack) -> None:
    """The file's head comes first, then a fragment for each unit."""
    for seq in (2, 3, 4):
        track.put(unit(seq))
        stream.read(b"<%d>" % seq)

    received = stream.received
    assert received[4:8] == b"ftyp"
    assert [received.count(b"<%d>" % seq) for seq in (1, 2, 3, 4)] == [1, 1, 1, 1]
    assert received.count(b"moof") == 4


@pytest.mark.parametrize("from_now", [False, True])
def test_group_so_far_keeps_its_times_unless_from_now(
    track: VideoTrack, fanout: Fanout, link: Link, from_now: bool
) -> None:
    """A recorder gets the true times; a live viewer does not start a group behind."""
    for seq in range(2, 8):
        track.put(unit(seq))
    viewer = Mp4Viewer(fanout, link[0], from_now=from_now)
    begun = viewer.first(1)
    assert begun is not None
    file = viewer.stream(*begun)

    received = b"".join(next(file) for _ in range(7))
    track.put(unit(8))
    received += next(file)

    times = [int.from_bytes(box[4:12]) / 90_000 for box in received.split(b"tfdt")[1:]]
    first = 0.006 if from_now else 0.6
    assert times[6] == pytest.approx(first, abs=0.07)
    assert times[7] - times[6] == pytest.approx(0.1, abs=0.07)
    viewer.leave()


def test_stream_counts_as_a_viewer(stream: Stream, fanout: Fanout, camera: Camera) -> None:
    """A stream counts as a viewer until it leaves."""
    assert camera.describe()["viewers"] == len(fanout) == 1

    stream.viewer.leave()

    assert stream.task.join(1)
    assert camera.describe()["viewers"] == len(fanout) == 0


def test_change_of_size_does_not_end_the_stream(stream: Stream, track: VideoTrack) -> None:
    """Profile and level may change with the size; players follow."""
    track.put(unit(2, key=True, codec="avc1.640028"))

    stream.read(b"<2>")


def test_slow_peer_skips_to_the_next_key_frame(
    stream: Stream, track: VideoTrack, camera: Camera, link: Link
) -> None:
    """Units that a peer does not take in time are skipped, counted, and not stored."""
    server, client = link
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 40_000)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    stream.read(b"<1>")
    for seq in range(2, 60):
        track.put(unit(seq, key=seq == 40, size=100_000))
        settle()

    track.put(unit(60, key=True))
    received = stream.read(b"<60>")

    shown = [seq for seq in range(1, 61) if b"<%d>" % seq in received]
    assert shown[:2] == [1, 2]
    assert shown[-1] == 60
    assert len(shown) < 6
    assert camera.meter.drops["unsent"] >= 1


@pytest.mark.parametrize("how", ["stopped", "gone", "other codec"])
def test_stream_ends_with_its_camera_peer_or_codec(
    stream: Stream,
    track: VideoTrack,
    camera: Camera,
    fanout: Fanout,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stream ends when its camera stops, its peer leaves, or a unit does not fit its file."""
    monkeypatch.setattr(mp4_stream, "PEER_CHECK_S", 0.01)
    stream.read(b"<1>")

    if how == "stopped":
        camera.stop()
    elif how == "gone":
        stream.client.close()
    else:
        track.put(unit(2, key=True, codec="hvc1.1.6.L60.90"))

    assert stream.task.join(1)
    assert len(fanout) == 0


def test_peer_that_reads_nothing_is_disconnected(
    stream: Stream, track: VideoTrack, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer that stops reading keeps its connection only for a while."""
    monkeypatch.setattr(mp4_stream, "WRITE_DEADLINE_S", 0.05)
    server, client = link
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream.read(b"<1>")

    for seq in range(2, 6):
        track.put(unit(seq, size=4000))
        hub.sleep(0.02)

    assert stream.task.join(4)
