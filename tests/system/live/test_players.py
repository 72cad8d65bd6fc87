"""A camera's own video for players: endless MP4 from a real server, played by FFmpeg."""

import itertools
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cameras.films import make_film
from tests.support.clients.client import Viewer
from tests.support.recordings.digests import digests
from tests.support.servers.server import PortholeServer, wait_until

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

# 50 pictures, all different, in groups of 25.
FILM = ("-t", "2", "-c:v", "libx264", "-bf", "0", "-g", "25", "-pix_fmt", "yuv420p")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film that the camera repeats."""
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4", *FILM)


@pytest.fixture(scope="module")
def server(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """Start a server with that camera, one that sends JPEG, and one that cannot have video."""
    jpeg = make_film(film.with_name("jpeg.mkv"), "-t", "2", "-c:v", "mjpeg")
    server = PortholeServer(
        *(f"door=file:{film}", f"jpeg=file:{jpeg}", "test=test:?size=320x180", "--port", "0"),
        state=tmp_path_factory.mktemp("state"),
        environment={},
    )
    yield server
    server.end()


@pytest.mark.parametrize("begin", ["", "?from=now"])
def test_players_receive_the_video_bit_for_bit(
    server: PortholeServer, film: Path, begin: str
) -> None:
    """Each picture is the film's next one, none is missing, and timestamps are capture times."""
    shown = [digest for _, digest in digests(str(film))]
    assert len(set(shown)) == 50

    received = digests(f"{server.url}stream/door.mp4{begin}", "-frames:v", "60")

    at = [shown.index(digest) for _, digest in received]
    assert at[0] % 25 == 0
    assert at == [(at[0] + count) % 50 for count in range(60)]
    times = [time_s for time_s, _ in received]
    assert all(late > early for early, late in itertools.pairwise(times))
    lengths = sorted(late - early for early, late in itertools.pairwise(times[30:]))
    assert 0.03 < lengths[len(lengths) // 2] < 0.05
    if not begin:
        assert times[-1] == pytest.approx(59 / 25, abs=0.4)


def test_nothing_is_decoded_for_players(server: PortholeServer, connect: Connect) -> None:
    """The camera's units pass through; the player is a viewer, and gone when it leaves."""
    with urllib.request.urlopen(f"{server.url}stream/door.mp4", timeout=20) as answer:
        assert answer.headers["Content-Type"] == "video/mp4"
        assert answer.headers["Cache-Control"].startswith("no-store")
        assert answer.read(100_000)[4:8] == b"ftyp"
        state = state_of(server)
        assert state["viewers"] == 1
        assert state["video"]["passed_through"] is True
        assert state["video"]["codec"].startswith("avc1.")

    wait_until(lambda: state_of(server)["viewers"] == 0)
    viewer = connect(server)
    viewer.pump(lambda: any(event == "stats" for event, _ in viewer.events), 5)
    stats = next(data for event, data in viewer.events if event == "stats")["cameras"]["door"]
    assert stats["encoded"] == 0
    assert stats["sent"] > 10


def test_snapshots_and_mjpeg_work_beside_a_player(server: PortholeServer) -> None:
    """JPEG clients of the same camera are served at the same time."""
    with urllib.request.urlopen(f"{server.url}stream/door.mp4", timeout=20) as answer:
        assert answer.read(1000)[4:8] == b"ftyp"
        for path in ("snapshot/door.jpg", "video_feed/door"):
            with urllib.request.urlopen(server.url + path, timeout=20) as pictures:
                assert b"\xff\xd8" in pictures.read(1000)


def test_camera_without_h264_is_encoded(server: PortholeServer) -> None:
    """Any camera that can have video serves it to a player, starting with a key frame."""
    with urllib.request.urlopen(f"{server.url}stream/jpeg.mp4", timeout=20) as answer:
        data = b""
        while data.count(b"moof") < 20:
            data += answer.read1(1 << 16)
        assert state_of(server, "jpeg")["video"]["passed_through"] is False

    ended = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", "-", "-frames:v", "15", "-f", "framemd5", "-"],
        input=data[: data.rfind(b"moof") - 4],
        capture_output=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"#dimensions 0: 320x180" in ended.stdout


def test_camera_without_video_points_to_its_mjpeg(server: PortholeServer) -> None:
    """The error names the MJPEG path instead."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{server.url}stream/test.mp4", timeout=20)

    assert refused.value.code == 406
    assert b"/video_feed/test" in refused.value.read()


def test_stopped_camera_ends_its_streams(start_server: Start, film: Path, connect: Connect) -> None:
    """A player's stream ends instead of freezing on the last picture."""
    server = start_server(f"door=file:{film}")
    with urllib.request.urlopen(f"{server.url}stream/door.mp4", timeout=20) as answer:
        assert answer.read(1000)
        connect(server).call("stop", {"camera": "door"})
        began = time.monotonic()
        answer.read()

    assert time.monotonic() - began < 8


def state_of(server: PortholeServer, name: str = "door") -> dict[str, Any]:
    with urllib.request.urlopen(f"{server.url}api/cameras", timeout=10) as answer:
        states: list[dict[str, Any]] = json.load(answer)
    return next(state for state in states if state["name"] == name)
