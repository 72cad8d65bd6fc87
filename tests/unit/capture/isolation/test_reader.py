"""Sources in processes of their own, with real processes and a real camera on the network.

The camera is a test server on loopback that can misbehave in all the ways of cheap cameras.
"""

import gc
import math
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from server.capture.frames.frame import Image, Jpeg
from server.capture.isolation import child
from server.capture.isolation.reader import IsolatedReader
from server.capture.opening import open_reader
from server.capture.sources.reader import Demand
from server.capture.sources.testpattern import read_time
from server.config.address import parse_address
from server.errors import ControlError, PictureError, SourceError

pytestmark = pytest.mark.usefixtures("forked_children")

ROOT = Path(__file__).parents[4]
PASSWORD = "s3cret-of-the-door"

Open = Callable[..., IsolatedReader]

NOW = Demand(due=lambda: 0.0, jpeg_up_to=lambda: 0)
"""Any picture, and its pixels."""

NEVER = Demand(due=lambda: math.inf, jpeg_up_to=lambda: 0)
"""Nothing: nobody watches."""

AS_IT_COMES = Demand(due=lambda: 0.0, jpeg_up_to=lambda: 100)
"""Any picture, as its camera sends it."""


@cache
def jpeg(width: int = 320, height: int = 240, shade: int = 90) -> bytes:
    """Return a plain picture."""
    return cv2.imencode(".jpg", np.full((height, width, 3), shade, np.uint8))[1].tobytes()


def part(body: bytes, kind: str = "image/jpeg") -> bytes:
    """Return one part of a multipart stream."""
    head = f"--b\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body + b"\r\n"


class FakeCamera:
    """A camera on the network; ``/NAME`` streams what its script ``NAME`` yields, then stalls.

    A script yields parts; ``None`` instead of one ends the connection.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, Callable[[], Iterator[bytes | None]]] = {}
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.asked: list[str] = []
        self.over = threading.Event()
        self.seen = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.strip("/")
                camera.asked.append(name)
                kind, page = camera.pages.get(name, ("", b""))
                self.send_response(200)
                self.send_header("Content-Type", kind or "multipart/x-mixed-replace; boundary=b")
                self.end_headers()
                if kind:
                    self.wfile.write(page)
                    return
                try:
                    for sent in camera.scripts[name]():
                        if sent is None or camera.over.is_set():
                            return
                        self.wfile.write(sent)
                    camera.over.wait(30)
                except OSError:
                    pass  # The reader has gone.

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def url(self, name: str) -> str:
        return f"http://ann:{PASSWORD}@127.0.0.1:{self._server.server_port}/{name}"

    def plays(self, name: str, *parts: bytes | None, waits: bool = False) -> str:
        """Have ``/NAME`` send good pictures, then ``parts``, then good ones; return its URL.

        With ``waits``, the parts are sent once :attr:`seen` is set: the reader may still be loading
        what decodes the first picture.
        """

        def script() -> Iterator[bytes | None]:
            for number in range(20):
                yield part(jpeg(shade=number))
                time.sleep(0.01)
            if waits:
                self.seen.wait(10)
            for sent in (*parts, *[part(jpeg(shade=200))] * 1000):
                yield sent
                time.sleep(0.01)

        self.scripts[name] = script
        return self.url(name)

    def stalls(self, name: str, after: int = 20) -> str:
        """Have ``/NAME`` send some good pictures and then nothing; return its URL."""
        self.scripts[name] = lambda: iter([part(jpeg(shade=n)) for n in range(after)])
        return self.url(name)

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@pytest.fixture
def camera() -> Iterator[FakeCamera]:
    """A camera on the network."""
    fake = FakeCamera()
    yield fake
    fake.close()


@pytest.fixture
def isolate() -> Iterator[Open]:
    """Open isolated sources, which are closed at the end and must leave nothing behind."""
    opened: list[IsolatedReader] = []
    descriptors = len(os.listdir("/proc/self/fd"))

    def isolate(
        text: str, name: str = "door", timeout_s: float = 5.0, **more: str
    ) -> IsolatedReader:
        source = IsolatedReader(parse_address(text, Path()), name, timeout_s, **more)
        opened.append(source)
        return source

    yield isolate
    for source in opened:
        source.close()
        assert not Path(f"/proc/{source._process.pid}").exists()
    if opened:
        opened.clear()
        del source  # And with it its shared memory.
    gc.collect()
    until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)


def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Wait until ``condition`` holds; fail if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"still not true after {timeout_s:g} s"
        time.sleep(0.005)


def picture(source: IsolatedReader, timeout_s: float = 10.0) -> Image:
    """Return the next picture."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        reading = source.read(NOW)
        if reading is not None and reading.picture is not None:
            assert isinstance(reading.picture, np.ndarray)
            return reading.picture
    raise AssertionError(f"no picture within {timeout_s:g} s")


def loss(source: IsolatedReader, timeout_s: float = 10.0) -> str:
    """Read until the source fails; return why."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        started = time.monotonic()
        try:
            source.read(NOW)
            assert time.monotonic() - started < 1, "read must come back quickly"
        except PictureError:
            continue
        except SourceError as error:
            return str(error)
    raise AssertionError(f"not lost after {timeout_s:g} s")


def processes() -> dict[int, str]:
    """Return the command line of every process here, by its number."""
    lines = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit():
                lines[int(folder.name)] = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            pass  # It has just ended.
    return lines


def test_pattern_comes_through_whole(isolate: Open) -> None:
    """Pictures arrive through shared memory unchanged and fresh."""
    source = isolate("test:?size=640x360&fps=60")

    times = []
    for _ in range(30):
        image = picture(source)
        at_unix = read_time(image)
        assert at_unix is not None
        times.append(at_unix)

    assert (source.info.width, source.info.height, source.info.fps) == (640, 360, 60)
    assert source.info.live
    assert image.shape == (360, 640, 3)
    assert times == sorted(times)
    assert abs(time.time() - times[-1]) < 1


def test_pictures_kept_stay_as_they_were(isolate: Open) -> None:
    """No kept picture is overwritten by a later one, however many are kept."""
    source = isolate("test:?size=320x180&fps=120")
    kept = [(image := picture(source), image.copy()) for _ in range(20)]

    assert all((image == copy).all() for image, copy in kept)
    # A busy machine may render two in the same millisecond, which are then equal.
    assert len({copy.tobytes() for _, copy in kept}) > 10


def test_live_source_is_drained_while_nobody_asks(isolate: Open) -> None:
    """After a pause the next picture is a new one, not one that waited."""
    source = isolate("test:?size=320x180&fps=60")
    picture(source)
    paused_at = time.time()
    until(lambda: time.time() > paused_at + 1.0)

    at_unix = read_time(picture(source))

    assert at_unix is not None
    assert time.time() - at_unix < 0.3


@pytest.mark.usefixtures("own_children")
def test_only_asked_pictures_are_decoded(isolate: Open) -> None:
    """Grabbing alone decodes nothing: the pattern is drawn only when requested."""
    source = isolate("test:?size=1280x720&fps=60")
    picture(source)

    def cpu_ticks() -> int:
        fields = Path(f"/proc/{source._process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = cpu_ticks()
    started = time.monotonic()
    passed = 0
    while time.monotonic() < started + 1:
        reading = source.read(NEVER)
        passed += reading is not None
    assert passed
    idle = cpu_ticks() - before
    for _ in range(60):
        picture(source)
    busy = cpu_ticks() - before - idle

    assert idle < busy / 2


def test_source_that_is_not_live_can_be_paused(isolate: Open) -> None:
    """However long it stands still, its child is not taken for hung, and the next picture is new.

    A picture that was asked for before the pause used to be shown after it.
    """
    source = isolate(
        "test:?size=320x180&fps=2",
        name="paced",
        timeout_s=1.0,
        child="tests.unit.capture.isolation.hanging_child",
    )
    picture(source)
    reading = source.read(NOW)
    assert reading is None or reading.picture is None  # It is asked for, and not there yet.

    source.pause()
    time.sleep(2.3)  # Longer than any single step may take.
    resumed_at = time.time()
    at_unix = read_time(picture(source))

    assert at_unix is not None
    assert at_unix > resumed_at - 0.01


def test_polled_source_is_asked_for_each_picture(isolate: Open) -> None:
    """Each poll costs the camera work, so there is none that nobody wants."""
    source = isolate(
        "test:?size=320x180",
        name="polled",
        child="tests.unit.capture.isolation.hanging_child",
    )
    shades = [int(picture(source)[0, 0, 0])]

    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        reading = source.read(NEVER)
        assert reading is None or reading.picture is None
    shades.append(int(picture(source)[0, 0, 0]))

    assert shades == [1, 2]


@pytest.mark.usefixtures("own_children")
def test_network_camera_comes_through(isolate: Open, camera: FakeCamera) -> None:
    """MJPEG over HTTP arrives in order, and its password is in no command line."""
    source = isolate(camera.plays("good"))
    shades = [int(picture(source)[0, 0, 0]) for _ in range(10)]

    assert source.info.codec == "mjpeg"
    assert source.info.live
    assert shades == sorted(shades)
    lines = processes()
    assert source._process.pid in lines
    assert not [line for line in lines.values() if PASSWORD in line]
    variables = Path(f"/proc/{source._process.pid}/environ").read_text()
    assert PASSWORD not in variables


def test_jpeg_comes_through_as_it_was_sent(isolate: Open, camera: FakeCamera) -> None:
    """If its quality is accepted, the JPEG is unchanged; otherwise there are pixels."""
    source = isolate(camera.plays("good"))
    sent = {jpeg(shade=shade) for shade in (*range(20), 200)}
    passed = []
    while len(passed) < 10:
        reading = source.read(AS_IT_COMES)
        if reading is not None and reading.picture is not None:
            passed.append(reading)

    for reading in passed:
        assert isinstance(reading.picture, Jpeg)
        assert reading.picture.data in sent
        assert (reading.picture.width, reading.picture.height) == (320, 240)
        assert abs(reading.at_unix - time.time()) < 2
    assert picture(source).shape == (240, 320, 3)


@pytest.mark.usefixtures("own_children")
def test_opencv_is_loaded_for_pixels_only(isolate: Open, camera: FakeCamera) -> None:
    """The process of a camera whose JPEG passes through does without OpenCV's 26 MB."""
    source = isolate(camera.plays("good"))
    maps = Path(f"/proc/{source._process.pid}/maps")
    until(lambda: (reading := source.read(AS_IT_COMES)) and reading.picture is not None)
    before = maps.read_text()
    picture(source)

    assert "cv2" not in before
    assert "cv2" in maps.read_text()


def test_still_is_fetched_once_for_each_picture(isolate: Open, camera: FakeCamera) -> None:
    """A URL that answers one JPEG is asked when a picture is wanted, and not otherwise."""
    camera.pages["still"] = ("image/jpeg", jpeg())
    source = isolate(camera.url("still"))
    for _ in range(3):
        picture(source)
    asked = len(camera.asked)
    for _ in range(3):
        source.read(NEVER)

    assert source.info.polled
    # The first picture is the one that came at opening.
    assert asked == 3
    assert len(camera.asked) == asked


def test_jpeg_brings_the_pixels_that_are_wanted_beside_it(
    isolate: Open, camera: FakeCamera
) -> None:
    """The child decodes no larger than necessary; JPEG and pixels share one slot."""
    source = isolate(camera.plays("good"))
    beside = AS_IT_COMES._replace(pixels_from=lambda: 160)

    kept = []
    while len(kept) < 12:
        reading = source.read(beside)
        if reading is not None and reading.picture is not None:
            kept.append(reading.picture)

    for shown in kept:
        assert isinstance(shown, Jpeg)
        assert shown.pixels is not None
        assert shown.pixels.shape == (120, 160, 3)
        whole = cv2.imdecode(np.frombuffer(shown.data, np.uint8), cv2.IMREAD_COLOR)
        assert abs(float(whole.mean()) - float(shown.pixels.mean())) < 2
    assert picture(source).shape == (240, 320, 3)


def test_demand_that_changes_in_between_counts(isolate: Open, camera: FakeCamera) -> None:
    """A picture that is no longer wanted when it arrives is not returned."""
    source = isolate(camera.plays("good"))
    answers = iter(
        [100, 100, 100, 1, 1]
    )  # Its quality is too high for the demand by the time it arrives.
    fickle = Demand(due=lambda: 0.0, jpeg_up_to=lambda: next(answers, 1))
    seen = []
    while len(seen) < 3:
        reading = source.read(fickle)
        if reading is not None and reading.picture is not None:
            seen.append(type(reading.picture))

    assert seen[-1] is np.ndarray


@pytest.mark.usefixtures("own_children")
@pytest.mark.parametrize("scheme", ["http", "rtsp", "device"])
def test_what_can_hang_is_isolated(scheme: str) -> None:
    """Devices and network sources are opened in a process of their own, and say why they fail."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    text = "device:63" if scheme == "device" else f"{scheme}://ann:{PASSWORD}@127.0.0.1:{port}/"
    before = psutil.Process().children(recursive=True)

    with pytest.raises(SourceError, match=r"cannot be reached|does not exist") as caught:
        open_reader(parse_address(text, Path()), "door", 2.0)

    assert PASSWORD not in str(caught.value)
    assert isinstance(caught.traceback[-1].frame.f_locals.get("self"), IsolatedReader)
    assert not [p for p in psutil.Process().children(recursive=True) if p not in before]


def test_stalling_camera_is_lost(isolate: Open, camera: FakeCamera) -> None:
    """A camera that sends nothing more fails after the time-out, and the error says so."""
    source = isolate(camera.stalls("stall"), timeout_s=1.0)

    assert "sent nothing for 1 s" in loss(source)


def test_end_of_a_stream_is_a_loss(isolate: Open, camera: FakeCamera) -> None:
    """A camera that closes the connection fails at once."""
    source = isolate(camera.plays("end", None))

    assert "the stream ended" in loss(source)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (part(jpeg()[:-100]), "not complete"),
        (part(b""), "holds no JPEG picture"),
        (part(bytes(range(256)) * 20), "holds no JPEG picture"),
        (part(jpeg()[:300] + b"\xff\xd9"), "JPEG"),
    ],
    ids=["truncated", "empty", "garbage", "hollow"],
)
def test_broken_part_is_skipped(fault: bytes, said: str, isolate: Open, camera: FakeCamera) -> None:
    """One bad part costs one picture: the stream goes on after it."""
    source = isolate(camera.plays("broken", *[fault] * 60, waits=True))
    broken, shade = [], int(picture(source)[0, 0, 0])
    camera.seen.set()
    deadline = time.monotonic() + 10
    while shade < 150 and time.monotonic() < deadline:
        try:
            shade = int(picture(source)[0, 0, 0])
        except PictureError as error:
            broken.append(str(error))

    assert shade >= 150
    assert broken
    assert all(said in reason for reason in broken)


@pytest.mark.usefixtures("own_children")
def test_huge_picture_is_refused_before_it_takes_memory(isolate: Open, camera: FakeCamera) -> None:
    """A 12000 x 12000 JPEG in a stream costs one picture but no memory."""
    source = isolate(camera.plays("huge", *[part(jpeg(12000, 12000))] * 40, waits=True))
    picture(source)
    camera.seen.set()
    refused, shade = "", 0
    deadline = time.monotonic() + 10
    while shade < 150 and time.monotonic() < deadline:
        try:
            shade = int(picture(source)[0, 0, 0])
        except PictureError as error:
            refused = str(error)
    assert shade >= 150

    status = Path(f"/proc/{source._process.pid}/status").read_text()
    peak_kb = int(status.partition("VmHWM:")[2].split()[0])

    assert "12000 x 12000" in refused
    assert peak_kb < 200_000


def test_source_of_huge_pictures_is_refused(isolate: Open, camera: FakeCamera) -> None:
    """A source that announces 12000 x 12000 is not opened."""
    camera.scripts["huge"] = lambda: iter([part(jpeg(12000, 12000))] * 20)

    with pytest.raises(SourceError, match="12000 x 12000 pixels; accepted"):
        isolate(camera.url("huge"))


def test_size_may_change_in_mid_stream(isolate: Open, camera: FakeCamera) -> None:
    """Pictures may change size in a stream; those kept stay unchanged."""
    larger, smaller = part(jpeg(1280, 720, 50)), part(jpeg(160, 120, 60))
    source = isolate(camera.plays("sizes", *[larger] * 30, *[smaller] * 30, waits=True))
    first = picture(source)
    camera.seen.set()
    before = first.copy()
    seen = set()
    deadline = time.monotonic() + 10
    while len(seen) < 3 and time.monotonic() < deadline:
        image = picture(source)
        seen.add(image.shape)
        if image.shape == (720, 1280, 3):
            assert abs(int(image[0, 0, 0]) - 50) < 3

    assert seen == {(240, 320, 3), (720, 1280, 3), (120, 160, 3)}
    assert (first == before).all()


def test_killed_child_is_named(isolate: Open) -> None:
    """A killed child is reported at once with the signal; pictures already returned stay valid."""
    source = isolate("test:?size=320x180&fps=60")
    image = picture(source)
    before = image.copy()

    os.kill(source._process.pid, signal.SIGKILL)

    assert loss(source, 1.0) == "its process was killed by SIGKILL"
    assert (image == before).all()


@pytest.mark.usefixtures("own_children")
def test_stopped_child_is_killed(isolate: Open) -> None:
    """A child that stops answering is killed after the time-out, even if it is suspended."""
    source = isolate("test:?size=320x180&fps=60", timeout_s=1.0)
    picture(source)

    os.kill(source._process.pid, signal.SIGSTOP)
    reason = loss(source, 3.0)

    assert reason == "its process has not answered for 1 s; it was killed"
    assert not Path(f"/proc/{source._process.pid}").exists()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("in-grab", "no picture for 2 s, and its reader hangs; it was killed"),
        ("in-retrieve", "its reader has hung for 1 s decoding a picture; it was killed"),
        ("with-the-lock", "its process has not answered for 1 s; it was killed"),
        ("crash", "its process was killed by SIGSEGV"),
    ],
)
def test_hanging_reader_is_killed(where: str, said: str, isolate: Open) -> None:
    """If a source hangs or crashes, the child ends, and the error says which happened."""
    source = isolate(
        "test:?size=320x180",
        name=where,
        timeout_s=1.0,
        child="tests.unit.capture.isolation.hanging_child",
    )

    assert loss(source) == said
    assert not Path(f"/proc/{source._process.pid}").exists()


def test_hanging_open_is_killed(isolate: Open) -> None:
    """If opening hangs, the child is killed within twice the time-out."""
    started = time.monotonic()
    isolate("test:?size=320x180")
    start_s = time.monotonic() - started  # Seconds, where the machine is busy.
    started = time.monotonic()

    with pytest.raises(SourceError, match="has hung for 3 s opening it"):
        isolate(
            "test:",
            name="in-open",
            timeout_s=1.0,
            child="tests.unit.capture.isolation.hanging_child",
        )

    assert time.monotonic() - started < 4.5 + start_s


def test_black_hole_is_given_up(isolate: Open) -> None:
    """A host that accepts the connection but never answers times out, and leaves no process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        started = time.monotonic()
        with pytest.raises(SourceError, match=r"sends nothing|did not answer"):
            isolate(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout_s=1.0)

    assert time.monotonic() - started < 4


@pytest.mark.parametrize("target", ["file://{}", "{}", "concat:{}", "subfile,,start,0,end,0,,:{}"])
def test_playlist_cannot_name_local_files(
    target: str, isolate: Open, camera: FakeCamera, tmp_path: Path
) -> None:
    """A camera's response must not make us read files on this machine."""
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for shade in range(20):
        writer.write(np.full((240, 320, 3), shade, np.uint8))
    writer.release()
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target.format(film)}\n#EXT-X-ENDLIST\n"
    camera.pages["list.m3u8"] = ("application/vnd.apple.mpegurl", text.encode())

    with pytest.raises(SourceError, match="sends no video"):
        isolate(camera.url("list.m3u8"), timeout_s=2.0)

    assert "list.m3u8" in camera.asked


def test_closing_twice_and_late_is_harmless(isolate: Open) -> None:
    """A source can be closed twice, and pictures outlive it."""
    source = isolate("test:?size=320x180&fps=60")
    image = picture(source)
    before = image.copy()

    source.close()
    source.close()

    assert (image == before).all()


def test_child_ends_with_the_server() -> None:
    """A server killed with SIGKILL leaves no child, not even a suspended one."""
    code = """
        import os, signal, sys, time
        from pathlib import Path
        from server.config.address import parse_address
        from server.capture.isolation.reader import IsolatedReader

        sources = [IsolatedReader(parse_address("test:", Path()), "door", 5.0) for _ in range(2)]
        os.kill(sources[1]._process.pid, signal.SIGSTOP)
        print(*(source._process.pid for source in sources), flush=True)
        time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        pids = server.stdout.readline().split()
        assert len(pids) == 2

        server.kill()

        until(lambda: not any(_runs(pid) for pid in pids), 5.0)


def _runs(pid: str) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_it_works_in_the_patched_process(camera: FakeCamera) -> None:
    """Under eventlet, on a native thread: no fork, the hub keeps running, and the end is clean."""
    code = f"""
        import os, warnings
        warnings.filterwarnings("ignore")
        import eventlet
        eventlet.monkey_patch()
        import signal, time
        from pathlib import Path
        from server.loop import hub
        from server.config.address import parse_address
        from server.capture.opening import open_reader
        from server.capture.sources.reader import Demand
        from server.errors import SourceError

        now = Demand(due=lambda: 0.0, jpeg_up_to=lambda: 0)

        def no_fork():
            raise AssertionError("forked")

        os.fork = os.forkpty = no_fork
        hub.size_native_pool(4)
        turns = 0

        def tick():
            global turns
            while True:
                hub.sleep(0.005)
                turns += 1

        ticking = hub.spawn(tick)
        address = parse_address({camera.plays("patched")!r}, Path())

        def read(count):
            source = hub.run_native(open_reader, address, "door", 2.0)
            began = turns
            for _ in range(count):
                while not (reading := hub.run_native(source.read, now)) or reading.picture is None:
                    pass
            assert reading.picture.shape == (240, 320, 3)
            assert turns > began, "the hub stood still"
            return source

        first, second = read(30), read(30)
        os.kill(first._process.pid, signal.SIGSTOP)
        os.kill(second._process.pid, signal.SIGKILL)
        for source in (first, second):
            try:
                while True:
                    began = turns
                    hub.run_native(source.read, now)
            except SourceError as error:
                print(error)
            hub.run_native(source.close)
        ticking.kill()
        print("clean")
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.stderr == ""
    assert ended.stdout.splitlines() == [
        "its process has not answered for 2 s; it was killed",
        "its process was killed by SIGKILL",
        "clean",
    ]
    assert ended.returncode == 0


def test_child_loads_only_what_it_needs() -> None:
    """The child runs without the hub, which could deadlock, and without what is slow to load: one
    that hands on JPEG from a network camera needs nothing that decodes."""
    code = (
        "import server.capture.isolation.child, server.capture.sources.source, sys;"
        "import server.capture.sources.http; print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert child.__name__ in loaded
    needless = {"eventlet", "flask", "socketio", "pydantic", "numpy", "cv2", "av"}
    assert not {*needless, "server.loop.hub", "server.config.models"} & set(loaded)


def test_controls_are_set_between_two_pictures(isolate: Open) -> None:
    """The child lists its controls, sets them while pictures flow, and reports rejected values."""
    source = isolate(
        "test:?size=320x180", name="refuses", child="tests.unit.capture.isolation.hanging_child"
    )
    assert {one.name for one in source.controls} >= {"size", "brightness", "zoom"}
    picture(source)

    started = time.monotonic()
    refused = source.set_controls({"brightness": 50.0, "size": "640x360", "zoom": 200.0})
    took_s = time.monotonic() - started

    assert refused == {"brightness": "Brightness: 50 was asked for, the camera keeps 0"}
    assert took_s < 0.5
    held = {one.name: one.value for one in source.controls}
    assert (held["size"], held["zoom"], held["brightness"]) == ("640x360", 200, 0)
    assert (source.info.width, source.info.height) == (640, 360)
    until(lambda: picture(source).shape == (360, 640, 3))


def test_child_that_hangs_setting_is_killed(isolate: Open) -> None:
    """A set that hangs first times out; then the child is killed like any that hangs."""
    source = isolate(
        "test:?size=320x180",
        name="in-set",
        timeout_s=2.2,
        child="tests.unit.capture.isolation.hanging_child",
    )

    with pytest.raises(ControlError, match="the camera has not answered within 2 s"):
        source.set_controls({"brightness": 50.0})
    with pytest.raises(SourceError, match=r"hung for . s setting a control; it was killed"):
        until(lambda: source.read(NOW) and False)
