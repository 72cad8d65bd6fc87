"""Pictures from child processes, with real processes and a real camera."""

import socket
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from server.capture.frames.frame import Jpeg
from server.capture.isolation.reader import IsolatedReader
from server.capture.opening import open_reader
from server.capture.sources.reader import Demand
from server.capture.sources.testpattern import read_time
from server.config.address import parse_address
from server.errors import SourceError
from tests.unit.capture.isolation.isolated import AS_SENT, NO_DEMAND, NOW, Open, picture, until
from tests.unit.capture.isolation.network_camera import PASSWORD, FakeCamera, jpeg


def processes() -> dict[int, str]:
    """Return the command lines of all processes by process id."""
    lines = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit():
                lines[int(folder.name)] = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            pass  # It has just exited.
    return lines


def test_pattern_arrives_intact(isolate: Open) -> None:
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


def test_kept_pictures_are_not_overwritten(isolate: Open) -> None:
    """No kept picture is overwritten by a later one, however many are kept."""
    source = isolate("test:?size=320x180&fps=120")
    kept = [(image := picture(source), image.copy()) for _ in range(20)]

    assert all((image == copy).all() for image, copy in kept)
    # A busy machine may render two in the same millisecond; those are equal.
    assert len({copy.tobytes() for _, copy in kept}) > 10


def test_live_source_is_drained_without_demand(isolate: Open) -> None:
    """After a pause the next picture is new, not one that waited in a buffer."""
    source = isolate("test:?size=320x180&fps=60")
    picture(source)
    paused_at = time.time()
    until(lambda: time.time() > paused_at + 1.0)

    at_unix = read_time(picture(source))

    assert at_unix is not None
    assert time.time() - at_unix < 0.3


@pytest.mark.usefixtures("own_children")
def test_only_requested_pictures_are_decoded(isolate: Open) -> None:
    """Grabbing decodes nothing: the pattern is drawn only when requested."""
    source = isolate("test:?size=1280x720&fps=60")
    picture(source)

    def cpu_ticks() -> int:
        fields = Path(f"/proc/{source._process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = cpu_ticks()
    started = time.monotonic()
    passed = 0
    while time.monotonic() < started + 1:
        reading = source.read(NO_DEMAND)
        passed += reading is not None
    assert passed
    idle = cpu_ticks() - before
    for _ in range(60):
        picture(source)
    busy = cpu_ticks() - before - idle

    assert idle < busy / 2


def test_non_live_source_can_be_paused(isolate: Open) -> None:
    """A long pause is not taken for a hang, and the next picture is new.

    A picture requested before the pause used to be shown after it.
    """
    source = isolate(
        "test:?size=320x180&fps=2",
        name="paced",
        timeout_s=1.0,
        child="tests.unit.capture.isolation.hanging_child",
    )
    picture(source)
    reading = source.read(NOW)
    assert reading is None or reading.picture is None  # Requested, but not there yet.

    source.pause()
    time.sleep(2.3)  # Longer than any single step may take.
    resumed_at = time.time()
    at_unix = read_time(picture(source))

    assert at_unix is not None
    assert at_unix > resumed_at - 0.01


def test_polled_source_is_fetched_only_on_demand(isolate: Open) -> None:
    """Each poll costs the camera work, so unwanted pictures are not fetched."""
    source = isolate(
        "test:?size=320x180",
        name="polled",
        child="tests.unit.capture.isolation.hanging_child",
    )
    shades = [int(picture(source)[0, 0, 0])]

    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        reading = source.read(NO_DEMAND)
        assert reading is None or reading.picture is None
    shades.append(int(picture(source)[0, 0, 0]))

    assert shades == [1, 2]


@pytest.mark.usefixtures("own_children")
def test_network_camera_does_not_leak_its_password(isolate: Open, camera: FakeCamera) -> None:
    """MJPEG arrives in order; the password is in no command line and not in the environment."""
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


def test_jpeg_arrives_unchanged(isolate: Open, camera: FakeCamera) -> None:
    """JPEG of an accepted quality is unchanged; otherwise pixels are returned."""
    source = isolate(camera.plays("good"))
    sent = {jpeg(shade=shade) for shade in (*range(20), 200)}
    passed = []
    while len(passed) < 10:
        reading = source.read(AS_SENT)
        if reading is not None and reading.picture is not None:
            passed.append(reading)

    for reading in passed:
        assert isinstance(reading.picture, Jpeg)
        assert reading.picture.data in sent
        assert (reading.picture.width, reading.picture.height) == (320, 240)
        assert abs(reading.at_unix - time.time()) < 2
    assert picture(source).shape == (240, 320, 3)


@pytest.mark.usefixtures("own_children")
def test_opencv_is_loaded_only_for_pixels(isolate: Open, camera: FakeCamera) -> None:
    """While JPEG passes through, the camera's process does without OpenCV's 26 MB."""
    source = isolate(camera.plays("good"))
    maps = Path(f"/proc/{source._process.pid}/maps")
    until(lambda: (reading := source.read(AS_SENT)) and reading.picture is not None)
    before = maps.read_text()
    picture(source)

    assert "cv2" not in before
    assert "cv2" in maps.read_text()


def test_still_image_is_fetched_once_per_picture(isolate: Open, camera: FakeCamera) -> None:
    """A URL that returns one JPEG is requested when a picture is wanted, and only then."""
    camera.pages["still"] = ("image/jpeg", jpeg())
    source = isolate(camera.url("still"))
    for _ in range(3):
        picture(source)
    asked = len(camera.asked)
    for _ in range(3):
        source.read(NO_DEMAND)

    assert source.info.polled
    # The first picture is the one received at opening.
    assert asked == 3
    assert len(camera.asked) == asked


def test_jpeg_comes_with_the_requested_pixels(isolate: Open, camera: FakeCamera) -> None:
    """The child decodes no larger than necessary; JPEG and pixels share a slot."""
    source = isolate(camera.plays("good"))
    beside = AS_SENT._replace(pixels_from=lambda: 160)

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


def test_picture_is_dropped_if_demand_has_changed(isolate: Open, camera: FakeCamera) -> None:
    """A picture that is no longer wanted when it arrives is not returned."""
    source = isolate(camera.plays("good"))
    answers = iter([100, 100, 100, 1, 1])  # By the time it arrives, its quality exceeds the demand.
    fickle = Demand(due=lambda: 0.0, jpeg_up_to=lambda: next(answers, 1))
    seen = []
    while len(seen) < 3:
        reading = source.read(fickle)
        if reading is not None and reading.picture is not None:
            seen.append(type(reading.picture))

    assert seen[-1] is np.ndarray


@pytest.mark.usefixtures("own_children")
@pytest.mark.parametrize("scheme", ["http", "rtsp", "device"])
def test_sources_that_can_hang_are_isolated(scheme: str) -> None:
    """Devices and network sources are opened in a child process and say why they fail."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    text = "device:63" if scheme == "device" else f"{scheme}://ann:{PASSWORD}@127.0.0.1:{port}/"
    before = psutil.Process().children(recursive=True)

    with pytest.raises(SourceError, match=r"cannot be reached|does not exist") as caught:
        open_reader(parse_address(text, Path()), "door", 2.0)

    assert PASSWORD not in str(caught.value)
    assert isinstance(caught.traceback[-1].frame.f_locals.get("self"), IsolatedReader)
    assert not [p for p in psutil.Process().children(recursive=True) if p not in before]


def test_closing_twice_is_harmless(isolate: Open) -> None:
    """A source can be closed twice, and its pictures stay valid."""
    source = isolate("test:?size=320x180&fps=60")
    image = picture(source)
    before = image.copy()

    source.close()
    source.close()

    assert (image == before).all()


def test_controls_can_be_set_while_streaming(isolate: Open) -> None:
    """The child lists its controls, sets them while pictures flow, and reports rejected values."""
    source = isolate(
        "test:?size=320x180", name="refuses", child="tests.unit.capture.isolation.hanging_child"
    )
    assert {one.name for one in source.controls} >= {"size", "brightness", "zoom"}
    picture(source)

    started = time.monotonic()
    refused = source.set_controls({"brightness": 50.0, "size": "640x360", "zoom": 200.0})
    took_s = time.monotonic() - started

    assert refused == {"brightness": "Brightness: 50 was requested, but the camera keeps 0"}
    assert took_s < 0.5
    held = {one.name: one.value for one in source.controls}
    assert (held["size"], held["zoom"], held["brightness"]) == ("640x360", 200, 0)
    assert (source.info.width, source.info.height) == (640, 360)
    until(lambda: picture(source).shape == (360, 640, 3))
