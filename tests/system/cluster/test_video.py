"""A camera's own video over the bus: real nodes, a real Redis, and FFmpeg as the judge."""

import http.client
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from server.capture.frames.unit import Unit
from server.cluster.bus.unit_message import pack_unit
from tests.support.cameras.films import make_film
from tests.support.clients.client import Viewer
from tests.support.servers.cluster import RedisServer, cameras_of, expect_cameras, figure
from tests.support.servers.server import PortholeServer, wait_until

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

# One group of 25 seconds: waiting for the next key frame would take too long.
PICTURES = 250
SOURCE = "testsrc2=size=320x180:rate=10"
FILM = (
    *("-t", "25", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0"),
    *("-g", "250", "-sc_threshold", "0", "-pix_fmt", "yuv420p"),
)

CHANNEL = "porthole:video:door:full"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film that the camera repeats."""
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4", *FILM, source=SOURCE)


class Player:
    """Reads a node's MP4 as it arrives."""

    def __init__(self, node: PortholeServer) -> None:
        self._answer = urllib.request.urlopen(f"{node.url}stream/door.mp4", timeout=30)
        self.data = b""
        self._closed = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while not self._closed and (more := self._answer.read1(1 << 16)):
                self.data += more
        except http.client.HTTPException:
            pass  # The node was stopped.

    @property
    def fragments(self) -> int:
        """Number of pictures received."""
        return self.data.count(b"moof")

    def expect(self, more: int) -> None:
        """Wait until this many more pictures have come."""
        wanted = self.fragments + more
        wait_until(lambda: self.fragments >= wanted, every_s=0.05)

    def pictures(self) -> list[str]:
        """Return a digest of each picture received whole."""
        begin = self.data.rfind(b"moof") - 4
        return digests("-", self.data[:begin])

    def close(self) -> None:
        """Disconnect at the next data received."""
        self._closed = True
        self._thread.join(10)
        self._answer.close()


@pytest.fixture
def play() -> Iterator[Callable[[PortholeServer], Player]]:
    """Start players."""
    players: list[Player] = []

    def start(node: PortholeServer) -> Player:
        players.append(Player(node))
        return players[-1]

    yield start
    for player in players:
        player.close()


def digests(source: str, data: bytes | None = None) -> list[str]:
    """Return a digest of each picture; fail if FFmpeg reports any error."""
    ended = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", source, "-fps_mode", "passthrough", "-f", "framemd5", "-"],
        input=data,
        capture_output=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    lines = ended.stdout.decode().splitlines()
    return [line.rpartition(",")[2].strip() for line in lines if line[0] != "#"]


def test_nodes_share_a_cameras_video(
    start_node: Start,
    connect: Connect,
    bus: RedisServer,
    film: Path,
    play: Callable[[PortholeServer], Player],
) -> None:
    """Players get it bit for bit from the key frame on, even in the middle of a group.

    The camera's node sends it once for all. Junk on the channel is counted and changes nothing.
    When all players have left, the camera has no viewers.
    """
    owner = start_node("run", f"door=file:{film}")
    webs = [start_node("web") for _ in range(2)]
    for web in webs:
        expect_cameras(web, "door")
    viewer = connect(webs[0])
    first = play(webs[0])
    first.expect(25)

    second = play(webs[1])
    second.expect(20)
    assert first.fragments < PICTURES, "the next key frame has come"

    assert cameras_of(owner)["door"]["viewers"] == 1
    for node in (owner, *webs):
        video = cameras_of(node)["door"]["video"]
        assert (video["codec"][:5], video["passed_through"]) == ("avc1.", True)

    unit = Unit(b"\0\0\1nonsense", True, 2, time.time(), "avc1.42c01f", 64, 48)
    with bus.client() as client:
        heard = [
            client.publish(CHANNEL, message)
            for message in (b"", b"junk", pack_unit("f" * 16, unit, 0), b"PF\x02" + bytes(60))
        ]
    assert heard == [2, 2, 2, 2]
    viewer.pump(lambda: (figure(viewer, "door", "drops") or {}).get("junk") == 4, 10)
    first.expect(5)

    shown = digests(str(film))
    assert len(set(shown)) == PICTURES
    for player in (first, second):
        received = player.pictures()
        assert len(received) >= 20
        assert [shown.index(one) for one in received] == [
            count % PICTURES for count in range(len(received))
        ]
        player.close()
    wait_until(lambda: cameras_of(owner)["door"]["viewers"] == 0)
    with bus.client() as client:
        assert dict(client.pubsub_numsub(CHANNEL)) == {CHANNEL.encode(): 0}


def test_film_with_b_frames_plays_in_order_across_nodes(
    start_node: Start, play: Callable[[PortholeServer], Player], tmp_path: Path
) -> None:
    """Display times are evenly spaced on another node too.

    Frames used to be played in decoding order: one step forward, two back.
    """
    options = ("-t", "4", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "50")
    more = ("-x264-params", "b-adapt=0", "-pix_fmt", "yuv420p")
    film = make_film(tmp_path / "film.mp4", *options, *more, source=SOURCE)
    start_node("run", f"door=file:{film}")
    web = start_node("web")
    expect_cameras(web, "door")

    far = play(web)
    # The first frames come faster until the player has caught up with the camera: up to one loop
    # of the film.
    far.expect(52)

    shown = times(far.data[: far.data.rfind(b"moof") - 4])
    assert shown != sorted(shown), "it has B-frames"
    steps = [later - one for one, later in pairwise(sorted(shown)[:-3])]
    assert len(steps) > 8
    assert steps[-8:] == pytest.approx([0.1] * 8, abs=0.06)


def times(data: bytes) -> list[float]:
    """Return each picture's display time, in decoding order."""
    command = "ffprobe -v error -show_entries packet=pts_time -of csv=p=0 -"
    told = subprocess.run(command.split(), input=data, capture_output=True, check=True, timeout=20)
    return [float(line.strip(b",")) for line in told.stdout.split()]


@pytest.mark.usefixtures("own_redis")
def test_video_resumes_when_the_bus_is_back(
    start_node: Start, bus: RedisServer, film: Path, play: Callable[[PortholeServer], Player]
) -> None:
    """Redis dies twice: local players notice nothing, remote ones resume when it is back.

    They resume with the group so far, not with the next key frame, which is seconds away.
    """
    owner = start_node("run", f"door=file:{film}")
    web = start_node("web")
    expect_cameras(web, "door")
    near, far = play(owner), play(web)
    far.expect(10)

    for _ in range(2):
        bus.kill()
        near.expect(10)
        bus.start()
        far.expect(10)

    shown = digests(str(film))
    received = [shown.index(one) for one in near.pictures()]
    assert received == [(received[0] + count) % PICTURES for count in range(len(received))]
    # No undecodable frame was forwarded.
    assert set(far.pictures()) <= set(shown)
