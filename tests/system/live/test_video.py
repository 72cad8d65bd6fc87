"""A camera's own video in a real server: received units are decoded and compared with the film."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.cameras.films import make_film
from tests.support.clients.client import Viewer
from tests.support.clients.states import state_of
from tests.support.network.poor_link import PoorLink
from tests.support.servers.server import PortholeServer, expect_frames, last_event

Share = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

# One key frame in 25, and every picture is different.
FILM = ("-t", "4", "-c:v", "libx264", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "25")

# Prints a checksum of each picture that FFmpeg decodes from units, as a browser's decoder would.
DECODE = """
import av, json, pickle, sys, zlib
context = av.CodecContext.create("h264", "r")
context.flags |= av.codec.context.Flags.low_delay
sums = []
for unit in pickle.load(sys.stdin.buffer):
    pictures = context.decode(av.Packet(unit))
    sums.append([zlib.crc32(one.to_ndarray().tobytes()) for one in pictures])
print(json.dumps(sums))
"""

REFERENCE = """
import av, json, sys, zlib
with av.open(sys.argv[1]) as film:
    print(json.dumps([zlib.crc32(frame.to_ndarray().tobytes()) for frame in film.decode(video=0)]))
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with a key frame every second."""
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4", *FILM)


def run_python(script: str, *arguments: str, given: bytes = b"") -> Any:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], input=given, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


class Recorder:
    """Keeps every frame that a viewer receives."""

    def __init__(self, viewer: Viewer) -> None:
        self.frames: list[tuple[dict[str, Any], bytes]] = []
        viewer.on_frame = lambda header, data: self.frames.append((header, data))

    @property
    def video(self) -> list[tuple[dict[str, Any], bytes]]:
        return [(header, data) for header, data in self.frames if "codec" in header]

    def painted(self) -> list[int]:
        return [header["seq"] for header, _ in self.frames if "catch_up" not in header]


def check(frames: list[tuple[dict[str, Any], bytes]], film: Path) -> None:
    """Decode the received units; each is one picture of the film, and they are in its order."""
    headers = [header for header, _ in frames]
    assert headers[0]["key"]
    sums = run_python(DECODE, given=pickle.dumps([data for _, data in frames]))
    reference = run_python(REFERENCE, str(film))
    assert [len(pictures) for pictures in sums] == [1] * len(frames)
    places = [reference.index(pictures[0]) for pictures in sums]
    for (place, following), header in zip(pairwise(places), headers[1:], strict=True):
        assert header["key"] or following == place + 1


def test_camera_video_passes_through_unchanged(
    share_server: Share, connect: Connect, film: Path
) -> None:
    """Each unit decodes to a picture of the film; a later viewer gets the group so far."""
    server = share_server(f"door=file:{film}")
    first, late = connect(server), connect(server)
    seen, seen_late = Recorder(first), Recorder(late)

    reply = first.call("watch", {"camera": "door", "video": ["h264", "theora"], "acks": 4})
    first.pump(lambda: len(seen.video) > 40, 20)
    assert late.call("watch", {"camera": "door", "video": ["h264"]})["video"]
    late.pump(lambda: len(seen_late.video) > 40, 20)

    assert reply["window"] == 6
    for one in (seen, seen_late):
        check(one.video, film)
        assert one.painted() == sorted(set(one.painted()))
        assert {header["codec"] for header, _ in one.video} == {
            state_of(first, "door")["video"]["codec"]
        }
    stats = last_event(first, "stats")["cameras"]["door"]
    assert stats["videos"]["full"]["viewers"] >= 1


def test_client_that_offers_no_codec_gets_jpeg(
    share_server: Share, connect: Connect, film: Path
) -> None:
    """Beside viewers of video, an older client still gets JPEG."""
    server = share_server(f"door=file:{film}")
    modern, old = connect(server), connect(server)
    seen = Recorder(old)
    modern.call("watch", {"camera": "door", "video": ["h264"]})

    reply = old.call("watch", {"camera": "door"})
    expect_frames(old, 10)

    assert set(reply) == {"ok", "camera", "rendition", "reason"}
    keys = {"camera", "seq", "at", "width", "height", "rendition"}
    assert all(set(header) == keys and data[:2] == b"\xff\xd8" for header, data in seen.frames)


def test_auto_rendition_switches_to_video(
    share_server: Share, connect: Connect, film: Path
) -> None:
    """It begins with a JPEG; the ``rendition`` event announces video."""
    server = share_server(f"door=file:{film}")
    viewer = connect(server)
    seen = Recorder(viewer)

    viewer.call("watch", {"camera": "door", "rendition": "auto", "width": 320, "video": ["h264"]})
    viewer.pump(lambda: len(seen.video) > 20, 20)

    assert "codec" not in seen.frames[0][0]
    # On a busy machine, JPEG may have stepped in again since.
    told = [data.get("video", "") for event, data in viewer.events if event == "rendition"]
    assert any(video.startswith("avc1.") for video in told)
    check(seen.video, film)
    assert seen.painted() == sorted(set(seen.painted()))


def test_first_video_viewer_does_not_wait_for_a_key_frame(
    share_server: Share, connect: Connect, tmp_path: Path
) -> None:
    """The group so far is kept while others watch JPEG (here it is the whole film)."""
    film = make_film(tmp_path / "long.mp4", *FILM[:-1], "1000")
    server = share_server(f"long=file:{film}")
    old, modern = connect(server), connect(server)
    seen = Recorder(modern)
    old.call("watch", {"camera": "long"})
    expect_frames(old, 10)

    modern.call("watch", {"camera": "long", "video": ["h264"]})
    modern.pump(lambda: len(seen.video) > 10, 20)

    headers = [header for header, _ in seen.frames[:10]]
    assert all("codec" in header for header in headers)
    assert all(header.get("catch_up") for header in headers[:5])
    check(seen.video, film)


def test_choked_link_still_gets_fresh_frames(
    share_server: Share, connect: Connect, film: Path
) -> None:
    """A link drops to a hundredth of its rate in mid-stream: frames keep coming, and are fresh."""
    server = share_server(f"door=file:{film}")
    link = PoorLink(server.port, 0.0, 0.0, 20e6)
    viewer = Viewer("127.0.0.1", link.port)
    viewer.connect()
    seen = Recorder(viewer)
    viewer.call("watch", {"camera": "door", "rendition": "auto", "width": 320, "video": ["h264"]})
    viewer.pump(lambda: len(seen.video) > 20, 20)

    link.bits_per_s = 200e3
    for _ in range(20):
        count = len(viewer.arrivals)
        viewer.pump(lambda count=count: len(viewer.arrivals) > count, 3)  # type: ignore[misc]
    viewer.pump(lambda: viewer.arrivals[-1].age_s < 1, 10)
    viewer.close()
    link.close()

    assert seen.painted() == sorted(set(seen.painted()))
