"""The process that decodes and encodes recorded media: its output, and the cost of its failures."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from server.capture.frames.unit import JPEG, Unit
from server.errors import RequestError
from server.loop import hub
from server.recording.media.film import encode_film, frames_a_second
from server.recording.media.jobs import MAX_WAITING, ClipJobs
from server.recording.media.pictures import PictureMaker
from server.recording.media.process import MediaError, MediaProcess
from server.recording.media.recent import Recent
from tests.support.cameras.units import make_units
from tests.support.fakes import FakeClock

BEGIN = 1e6
WHOLE = (BEGIN, BEGIN + 100)
GREYS = [20 * number for number in range(1, 11)]


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> list[Unit]:
    """A second of H.264 in groups of ten pictures, each a little brighter than the last."""
    source = "color=black:size=64x48:rate=25,format=gray,geq=lum='16+8*N'"
    options = ("-c:v", "libx264", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "10")
    return make_units(tmp_path_factory.mktemp("film"), 1, *options, source=source)


@pytest.fixture(scope="module")
def media() -> Iterator[MediaProcess]:
    """The process."""
    process = MediaProcess()
    yield process
    process.close()


@pytest.fixture
def jobs(media: MediaProcess, tmp_path: Path) -> Iterator[ClipJobs]:
    """A clip maker with an empty folder."""
    made = ClipJobs(tmp_path / "clips", media)
    yield made
    made.close()


def grey(level: int, seq: int, size: tuple[int, int] = (64, 48)) -> Unit:
    """Return a JPEG of one grey, a twentieth of a second after the previous one."""
    pixels = np.full((size[1], size[0], 3), level, np.uint8)
    data = cv2.imencode(".jpg", pixels)[1].tobytes()
    return Unit(data, True, seq, BEGIN + 0.05 * seq, JPEG, *size)


def greys(count: int = 10) -> list[Unit]:
    return [grey(GREYS[seq % 10], seq) for seq in range(count)]


def brightness(jpeg: bytes) -> float:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return float(image.mean())


def film_of(path: Path) -> list[tuple[float, float]]:
    """Return the time and brightness of each picture in a film."""
    size = subprocess.run(
        [
            *("ffprobe", "-v", "error", "-show_entries", "frame=pts_time"),
            *("-of", "csv=p=0", str(path)),
        ],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    ).stdout
    times = [float(line.split(",")[0]) for line in size.split()]
    raw = subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-i", str(path), "-fps_mode", "passthrough"),
            *("-vf", "scale=1:1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"),
        ],
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    levels = np.frombuffer(raw, np.uint8).reshape(-1, 3).mean(axis=1)
    return list(zip(times, levels.tolist(), strict=True))


def test_picture_of_video_units_is_the_last_one(media: MediaProcess, units: list[Unit]) -> None:
    """It is decoded from the key frame on, and scaled to the requested width."""
    pictures = PictureMaker(media)

    early, late = (brightness(pictures.picture_of(units[:count], 32)) for count in (3, 9))

    assert early == pytest.approx(16 + 8 * 2, abs=4)
    assert late == pytest.approx(16 + 8 * 8, abs=4)
    small = cv2.imdecode(
        np.frombuffer(pictures.picture_of(units[:3], 32), np.uint8), cv2.IMREAD_COLOR
    )
    assert small is not None
    assert small.shape == (24, 32, 3)


def test_picture_of_jpeg_needs_no_process() -> None:
    """It is passed on unchanged, or scaled in the calling process."""
    process = MediaProcess()
    pictures = PictureMaker(process)

    whole, small = (pictures.picture_of([grey(100, 1)], width) for width in (0, 32))

    assert whole == grey(100, 1).data
    assert brightness(small) == pytest.approx(100, abs=2)
    assert len(small) < len(whole)
    assert process.pid is None
    with pytest.raises(MediaError):
        pictures.picture_of([Unit(b"\xff\xd8rubbish\xff\xd9", True, 1, 1.0, JPEG, 64, 48)], 32)


def test_film_keeps_the_timing_of_its_pictures(media: MediaProcess, tmp_path: Path) -> None:
    """It starts at the requested picture; the reported progress grows to 1."""
    path, shares = tmp_path / "film.mp4", []

    encode_film(
        media,
        greys(60),
        greys(5)[4].at_unix,
        path,
        lambda share: bool(shares.append(share)) or True,
    )

    film = film_of(path)
    assert [time for time, _ in film] == pytest.approx([0.05 * at for at in range(56)], abs=0.001)
    expected = [GREYS[seq % 10] for seq in range(4, 60)]
    assert [level for _, level in film] == pytest.approx(expected, abs=6)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_codecs_and_sizes_can_be_mixed(
    media: MediaProcess, units: list[Unit], tmp_path: Path
) -> None:
    """Units that change from video to JPEG, or in size, go into one film of the first size."""
    jpeg = [grey(200, 20 + number, (65, 49)) for number in range(5)]
    path = tmp_path / "film.mp4"

    encode_film(media, [*units, *jpeg], units[12].at_unix, path)

    levels = [level for _, level in film_of(path)]
    assert len(levels) == len(units) - 12 + len(jpeg)
    assert levels[0] == pytest.approx(16 + 8 * 12, abs=6)
    assert levels[-1] == pytest.approx(200, abs=6)


def test_broken_picture_is_left_out(media: MediaProcess, tmp_path: Path) -> None:
    """A clip with one picture less is better than none."""
    some = greys()
    some[5] = Unit(b"\xff\xd8rubbish\xff\xd9", *(True, 5, BEGIN + 0.25, JPEG, 64, 48))
    path = tmp_path / "film.mp4"

    encode_film(media, some, some[0].at_unix, path)

    assert len(film_of(path)) == 9


def test_crash_fails_one_request_only(media: MediaProcess, units: list[Unit]) -> None:
    """The next request gets a new process."""
    media.ask("picture", units[:3], width=0)
    pid = media.pid
    assert pid
    os.kill(pid, signal.SIGKILL)

    with pytest.raises(MediaError, match="has ended"):
        media.ask("picture", units[:3], width=0)
    assert media.ask("picture", units[:3], width=0)
    assert media.pid != pid


def test_hung_process_is_killed(units: list[Unit]) -> None:
    """The waiting request fails with an error, and nothing is left of the process."""
    media = MediaProcess(stuck_after_s=2.0)
    try:
        media.ask("picture", units[:3], width=0)
        pid = media.pid
        assert pid
        os.kill(pid, signal.SIGSTOP)

        with pytest.raises(MediaError, match=r"took more than 2\.75 s"):
            media.ask("picture", units[:3], width=0)

        assert media.pid is None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    finally:
        media.close()


def test_urgent_encoding_runs_at_normal_priority(media: MediaProcess, units: list[Unit]) -> None:
    """Other requests run at low priority, so that live encoding keeps up."""

    def used_s() -> dict[int, float]:
        """Return the CPU time of the process's threads by niceness relative to ours."""
        spent = dict.fromkeys((0, 10), 0.0)
        for thread in Path(f"/proc/{media.pid}/task").iterdir():
            nice = os.getpriority(os.PRIO_PROCESS, int(thread.name))
            nanoseconds = int((thread / "schedstat").read_text().split()[0])
            spent[nice - os.getpriority(os.PRIO_PROCESS, 0)] += nanoseconds / 1e9
        return spent

    pictures = [grey(100, seq, (1280, 720)) for seq in range(10)]
    media.encode("first", pictures[:1], 20)
    for urgent in (False, True):
        before = used_s()
        assert media.encode("first", pictures, 20, urgent)[1] == len(pictures)
        after = used_s()
        low, usual = after[10] - before[10], after[0] - before[0]
        assert (usual > low) == urgent
    media.end_video("first")


def test_encoding_stops_at_its_time_limit(media: MediaProcess) -> None:
    """The rest is left for the next call: on a suddenly busy machine it would take seconds."""
    pictures = [grey(100, seq, (1280, 720)) for seq in range(30)]

    units, done = media.encode("late", pictures, 20, limit_s=1e-6)

    assert (len(units), done) == (1, 1)
    units, done = media.encode("late", pictures[1:], 20)
    assert (len(units), done) == (29, 29)
    media.end_video("late")


def test_idle_process_exits(units: list[Unit]) -> None:
    """It costs nothing while it is not needed."""
    media = MediaProcess(idle_s=0.2)
    media.ask("picture", units[:3], width=0)
    pid = media.pid
    assert pid

    assert green(lambda: media.pid is None)


def green(condition: object, patience_s: float = 20.0) -> bool:
    """Let green threads run until a condition holds."""
    assert callable(condition)
    for _ in range(int(patience_s / 0.02)):
        if condition():
            return True
        hub.sleep(0.02)
    return False


def test_jobs_are_private_to_their_users(jobs: ClipJobs) -> None:
    """Nobody sees other users' clips, and a repeated request is not a second job."""
    one = jobs.begin("ada", "door", WHOLE, greys())
    other = jobs.begin("bob", "door", WHOLE, greys())

    assert jobs.begin("ada", "door", WHOLE, greys()) is one
    assert other is not one
    assert jobs.find(one.id, "bob") is None
    assert jobs.find(one.id, "ada") is one
    assert one.wait(30)
    assert other.wait(30)
    assert one.describe() == {"id": one.id, "done": True, "share": 1.0, "error": None}
    assert len(film_of(one.path)) == 10


def test_job_queue_is_bounded(jobs: ClipJobs) -> None:
    """One more is rejected; a cancelled job makes room, and leaves nothing behind."""
    made = [
        jobs.begin("ada", "door", (BEGIN, BEGIN + at + 1), greys(200)) for at in range(MAX_WAITING)
    ]
    with pytest.raises(RequestError):
        jobs.begin("bob", "door", WHOLE, greys())

    jobs.remove(made[-1])
    jobs.remove(made[0])

    last = jobs.begin("bob", "door", WHOLE, greys())
    assert made[0].error == made[-1].error == "it was cancelled"
    assert last.wait(60)
    assert last.done
    assert not made[0].path.exists()
    assert not list(last.path.parent.glob("*.part"))


def test_job_makes_a_clip_of_video_too(jobs: ClipJobs, units: list[Unit]) -> None:
    """A caller need not know what the camera sends."""
    job = jobs.begin("ada", "door", (BEGIN + 0.2, BEGIN + 1), units)

    assert job.wait(30)
    levels = [level for _, level in film_of(job.path)]
    assert len(levels) == 20
    assert levels[0] == pytest.approx(16 + 8 * 5, abs=6)


def test_failed_job_reports_its_error(jobs: ClipJobs) -> None:
    """It does not stop the next one."""
    rubbish = [Unit(b"rubbish", True, 1, BEGIN, "avc1.64001f", 64, 48)]

    failed = jobs.begin("ada", "door", WHOLE, rubbish)
    good = jobs.begin("ada", "door", (BEGIN, BEGIN + 1), greys())

    assert failed.wait(30)
    assert not failed.done
    assert failed.error
    assert good.wait(30)
    assert good.done


def test_clips_of_the_last_run_are_removed(media: MediaProcess, tmp_path: Path) -> None:
    """Nobody could request them any more."""
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "clip_1.mp4").write_bytes(b"1")

    ClipJobs(tmp_path / "clips", media).open()

    assert not (tmp_path / "clips").exists()


def test_frame_rate_ignores_pauses() -> None:
    """The rate is that of most pictures; for a single one it is 1."""
    some = greys(5)
    pause = [Unit(b"", True, 9, BEGIN + 60, JPEG, 64, 48)]

    assert frames_a_second([*some, *pause]) == 20
    assert frames_a_second(some[:1]) == 1


def test_recent_values_expire() -> None:
    """The oldest also go when all of them together exceed the size limit."""
    clock = FakeClock()
    recent: Recent[str] = Recent(10.0, 100, clock)
    recent.put("one", "1", 60)
    clock.advance(5)
    recent.put("two", "2", 60)

    assert recent.get("one") is None
    assert recent.get("two") == "2"
    recent.put("large", "3", 101)
    assert recent.get("large") is None
    clock.advance(10)
    assert recent.get("two") is None
