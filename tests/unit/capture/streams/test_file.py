"""Real files of all kinds."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame

from server.capture.frames.frame import Image, Jpeg
from server.capture.frames.jpeg import decode_jpeg
from server.capture.streams import file as file_module
from server.capture.streams.decoder import Decoder
from server.capture.streams.file import FileVideo
from server.capture.streams.packet import Packet
from server.errors import PictureError, SourceEnded, SourceError
from tests.support.cameras.films import make_film
from tests.support.fakes import FakeClock

FRAMES = 5
FPS = 10.0


def shade(index: int) -> int:
    return 30 + 40 * index


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five JPEG pictures at 10 fps, each brighter than the one before."""
    path = tmp_path_factory.mktemp("video") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (64, 48))
    for index in range(FRAMES):
        writer.write(np.full((48, 64, 3), shade(index), np.uint8))
    writer.release()
    return path


@pytest.fixture(autouse=True)
def paced(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> FakeClock:
    """Waits take no time."""
    monkeypatch.setattr(file_module, "time", clock)
    monkeypatch.setattr(file_module.native, "sleep", clock.advance)
    return clock


def next_picture(source: FileVideo, grabs: int = 400, **wanted: int) -> Image | Jpeg:
    """Return the next picture, calling grab as often as necessary."""
    for _ in range(grabs):
        if source.grab() and (picture := source.retrieve(**wanted)) is not None:
            return picture
    raise AssertionError("no picture became due")


def next_image(source: FileVideo) -> Image:
    picture = next_picture(source)
    assert isinstance(picture, np.ndarray)
    return picture


def index_of(image: Image) -> int:
    """Return the picture's index in the clip."""
    return round((float(image.mean()) - shade(0)) / 40)


def test_file_reports_size_rate_and_codec(clip: Path) -> None:
    """Size, rate and codec come from the file; it is not live, so it can wait."""
    source = FileVideo(str(clip), loop=True)

    info = source.info
    source.close()

    assert (info.width, info.height, info.fps, info.codec) == (64, 48, FPS, "mjpeg")
    assert not info.live


def test_file_is_played_in_order_and_ends(clip: Path) -> None:
    """Without loop, every picture comes once, followed by the normal end."""
    source = FileVideo(str(clip), loop=False)

    played = [index_of(next_image(source)) for _ in range(FRAMES)]

    assert played == list(range(FRAMES))
    with pytest.raises(SourceEnded):
        next_image(source)
    source.close()


def test_file_loops(clip: Path) -> None:
    """With loop the first picture follows the last, for ever."""
    source = FileVideo(str(clip), loop=True)

    played = [index_of(next_image(source)) for _ in range(3 * FRAMES)]
    source.close()

    assert played == 3 * list(range(FRAMES))


def test_file_is_played_at_its_own_pace(clip: Path, paced: FakeClock) -> None:
    """Pictures come at the file's rate, also when it starts over."""
    source = FileVideo(str(clip), loop=True)
    next_image(source)
    started = paced.now

    for _ in range(2 * FRAMES):
        next_image(source)
    source.close()

    assert paced.now - started == pytest.approx(2 * FRAMES / FPS, abs=0.11)


def test_rarely_read_film_keeps_its_pace(
    tmp_path: Path, paced: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A film that is only recorded is read twice a second, and each picture keeps its own time.
    That holds where it starts over, and when a viewer arrives in between, though we wake late."""
    monkeypatch.setattr(file_module.native, "sleep", lambda wait_s: paced.advance(wait_s + 0.005))
    film = make_film(tmp_path / "film.mp4", "-t", "1", "-bf", "0")
    source = FileVideo(str(film), loop=True)
    came, grabbed = [], []
    began = paced.now
    while len(came) < 150:
        source.lazy = not 60 < len(came) < 80
        if rest_s := source.rest() if source.lazy else 0.0:
            paced.advance(rest_s / 2 if len(came) == 60 else rest_s)
        if source.grab():
            came.append(source.came_at)
            grabbed.append(paced.now)

    assert np.diff(came) == pytest.approx([0.04] * 149, abs=1e-6)
    assert paced.now - began < 150 * 0.04 + 0.3
    assert max(at - one for one, at in zip(came, grabbed, strict=True)) <= 0.5
    assert len(set(grabbed)) < 70, "several are read at a time"


def test_no_picture_is_lost_when_a_film_starts_over(tmp_path: Path, paced: FakeClock) -> None:
    """With B-frames, the last two pictures were never shown, and each round began with a pause."""
    options = ("-frames:v", "10", "-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p")
    film = make_film(tmp_path / "film.mp4", *options, source="testsrc2=size=64x48:rate=10")
    source = FileVideo(str(film), loop=True)

    images, times = [], []
    for _ in range(30):
        images.append(next_image(source).tobytes())
        times.append(paced.now)
    source.close()

    assert len(set(images[:10])) == 10
    assert images[10:20] == images[:10]
    assert np.diff(times) == pytest.approx(0.1, abs=0.001)


def test_unwatched_film_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of each round the whole last group was decoded, which delayed the next round, even
    though all viewers were sent the film's own video."""
    options = ("-frames:v", "40", "-c:v", "libx264", "-g", "100", "-pix_fmt", "yuv420p")
    film = make_film(tmp_path / "film.mp4", *options, source="testsrc2=size=64x48:rate=10")
    decoded = []
    decode = Decoder._decode

    def note(decoder: Decoder, packet: Packet | None) -> Iterator[VideoFrame]:
        decoded.append(packet)
        return decode(decoder, packet)

    monkeypatch.setattr(Decoder, "_decode", note)
    source = FileVideo(str(film), loop=True)

    grabbed = 0
    while grabbed < 90:
        grabbed += source.grab()
    unseen, decoded[:] = len(decoded), []
    image = next_image(source)
    source.close()

    assert unseen == 0
    assert image.shape == (48, 64, 3)
    assert len(decoded) == 90 % 40 + 1


def test_paused_file_continues_where_it_stopped(clip: Path, paced: FakeClock) -> None:
    """After a pause the film continues where it was, without a burst of the pictures in between."""
    source = FileVideo(str(clip), loop=True)
    assert index_of(next_image(source)) == 0
    paced.advance(60)

    resumed, began = index_of(next_image(source)), paced.now
    following = index_of(next_image(source))
    source.close()

    assert (resumed, following) == (1, 2)
    assert paced.now - began == pytest.approx(1 / FPS, abs=0.01)


def test_grab_returns_before_a_far_picture_is_due(tmp_path: Path, paced: FakeClock) -> None:
    """A film with a picture every ten seconds can be closed in between, and skips none."""
    film = make_film(
        tmp_path / "slow.mp4", "-frames:v", "3", source="testsrc2=size=64x48:rate=1/10"
    )
    source = FileVideo(str(film), loop=True)
    next_image(source)

    waits = 0
    while not source.grab():
        waits += 1
    source.close()

    assert waits > 40


@pytest.mark.parametrize("suffix", ["mp4", "mjpeg", "ts", "h264", "mkv", "gif"])
def test_other_containers_loop_too(suffix: str, tmp_path: Path) -> None:
    """Containers loop whether they seek well, badly or not at all."""
    path = make_film(
        tmp_path / f"clip.{suffix}", "-frames:v", "4", source="testsrc=size=64x48:rate=10"
    )
    source = FileVideo(str(path), loop=True)

    shapes = {next_image(source).shape for _ in range(14)}
    source.close()

    assert shapes == {(48, 64, 3)}


def test_last_pictures_are_shown(tmp_path: Path) -> None:
    """With B-frames, a decoder holds pictures back; a film's only picture used to be missing."""
    options = ("-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p")
    film = make_film(tmp_path / "film.mp4", "-frames:v", "1", *options)
    source = FileVideo(str(film), loop=False)

    image = next_image(source)

    assert image.shape == (180, 320, 3)
    with pytest.raises(SourceEnded):
        next_image(source)
    source.close()


def test_jpeg_is_passed_through(clip: Path) -> None:
    """Nothing is decoded while the file's quality is accepted, also after it starts over."""
    source = FileVideo(str(clip), loop=True)

    played = [next_picture(source, jpeg_up_to=100) for _ in range(2 * FRAMES)]
    source.close()

    held = clip.read_bytes()
    for number, jpeg in enumerate(played):
        assert isinstance(jpeg, Jpeg)
        assert jpeg.data in held
        assert index_of(decode_jpeg(jpeg)) == number % FRAMES


def test_jpeg_above_the_accepted_quality_is_decoded(clip: Path) -> None:
    """If the accepted quality is below the file's, pixels are returned."""
    source = FileVideo(str(clip), loop=True)
    jpeg = next_picture(source, jpeg_up_to=100)
    assert isinstance(jpeg, Jpeg)

    assert isinstance(next_picture(source, jpeg_up_to=jpeg.quality - 1), np.ndarray)
    source.close()


# Files that change.


def test_replaced_film_is_shown_from_the_next_round(clip: Path, tmp_path: Path) -> None:
    """The old film used to play on for ever, from a file that had been deleted."""
    path = tmp_path / "clip.avi"
    shutil.copy(clip, path)
    source = FileVideo(str(path), loop=True)
    next_image(source)

    make_film(tmp_path / "new.avi", "-frames:v", "3", source="testsrc2=size=320x180:rate=10")
    os.replace(tmp_path / "new.avi", path)
    sizes = [next_image(source).shape[1] for _ in range(2 * FRAMES)]
    source.close()

    assert sizes == [64] * (FRAMES - 1) + [320] * (FRAMES + 1)
    assert source.info.width == 320


@pytest.mark.parametrize("name", ["clip.avi", "still.png"])
def test_deleted_file_is_reported(name: str, clip: Path, tmp_path: Path) -> None:
    """A film fails at its next round, a picture immediately."""
    path = tmp_path / name
    if name == "clip.avi":
        shutil.copy(clip, path)
    else:
        cv2.imwrite(str(path), np.zeros((48, 64, 3), np.uint8))
    source = FileVideo(str(path), loop=True)
    next_image(source)

    path.unlink()

    with pytest.raises(SourceError, match=r"there is no file .*" + name):
        all(next_image(source) is not None for _ in range(2 * FRAMES))
    source.close()


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp", "tiff"])
def test_still_is_decoded_once_until_it_changes(suffix: str, tmp_path: Path) -> None:
    """A still is decoded once and has no frame rate; it used to have 25 a second."""
    path = tmp_path / f"100% still %03d.{suffix}"
    cv2.imwrite(str(path), np.full((48, 64, 3), 40, np.uint8))
    source = FileVideo(str(path), loop=True)

    before = next_image(source)
    again = [next_image(source) for _ in range(3)]
    info = source.info
    cv2.imwrite(str(path), np.full((48, 64, 3), 200, np.uint8))
    os.utime(path, ns=(1, 1))  # The clock of some file systems is too coarse for this test.
    source.grab()
    after = next_image(source)
    source.close()

    assert all(one is before for one in again)
    assert (info.still, info.polled, info.fps) == (True, True, 0.0)
    assert before.mean() == pytest.approx(40, abs=2)
    assert after.mean() == pytest.approx(200, abs=2)


def test_single_jpeg_film_is_available_as_pixels(tmp_path: Path) -> None:
    """It is passed through at first, and decoded once somebody wants it rotated."""
    path = make_film(tmp_path / "film.avi", "-frames:v", "1", "-c:v", "mjpeg")
    source = FileVideo(str(path), loop=True)
    next_picture(source, jpeg_up_to=100)

    jpeg = next_picture(source, jpeg_up_to=100)
    pixels = next_picture(source)
    source.close()

    assert isinstance(jpeg, Jpeg)
    assert not isinstance(pixels, Jpeg)
    assert source.info.still


def test_photo_is_rotated_by_its_orientation(tmp_path: Path) -> None:
    """A phone stores its orientation instead of rotating the picture."""
    path = tmp_path / "photo.jpg"
    cv2.imwrite(str(path), np.zeros((48, 64, 3), np.uint8))
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"  # Orientation: 6.
    tiff = b"Exif\0\0II*\x00\x08\x00\x00\x00\x01\x00" + entry + bytes(4)
    exif = b"\xff\xe1" + (len(tiff) + 2).to_bytes(2, "big") + tiff
    data = path.read_bytes()
    path.write_bytes(data[:2] + exif + data[2:])
    source = FileVideo(str(path), loop=True)

    image = next_image(source)
    source.close()

    assert image.shape == (64, 48, 3)


# Files that cannot be shown.


def test_missing_file_is_reported(tmp_path: Path) -> None:
    """The error names a missing file."""
    with pytest.raises(SourceError, match="there is no file"):
        FileVideo(str(tmp_path / "none.mp4"), loop=True)


@pytest.mark.parametrize("content", [b"", b"just text\n" * 50])
def test_file_without_video_is_reported(content: bytes, tmp_path: Path) -> None:
    """The error says that FFmpeg cannot read a file, whatever is in it."""
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)

    with pytest.raises(SourceError, match="no video that FFmpeg can read"):
        FileVideo(str(path), loop=True)


def test_sound_file_is_reported(tmp_path: Path) -> None:
    """The error says that there is only sound."""
    path = make_film(tmp_path / "song.wav", "-t", "0.2", source="sine")

    with pytest.raises(SourceError, match=r"no video.*sound only"):
        FileVideo(str(path), loop=True)


def test_unreadable_file_is_reported(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says that a file may not be read."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # Root may read anything.

    with pytest.raises(SourceError, match="may not be read"):
        FileVideo(str(clip), loop=True)


def test_unknown_codec_is_named(tmp_path: Path) -> None:
    """The error names the missing codec, instead of saying that there are no pictures."""
    path = make_film(tmp_path / "film.avi", "-frames:v", "3", "-c:v", "mjpeg")
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"XYZ1"))

    with pytest.raises(SourceError, match=r"XYZ1.*cannot be decoded"):
        FileVideo(str(path), loop=True)


def test_animated_webp_is_reported(tmp_path: Path) -> None:
    """FFmpeg cannot decode it; it used to count as a file without pictures, retried for ever."""
    path = make_film(tmp_path / "film.webp", "-frames:v", "3", "-c:v", "libwebp_anim")

    with pytest.raises(SourceError, match="webp that cannot be decoded"):
        FileVideo(str(path), loop=True)


def test_av1_is_shown(tmp_path: Path) -> None:
    """AV1 is decoded; it used to count as a file without pictures, for ever."""
    options = ("-c:v", "libsvtav1", "-preset", "12", "-frames:v", "5")
    source = FileVideo(str(make_film(tmp_path / "film.mp4", *options)), loop=True)

    image = next_image(source)
    source.close()

    assert source.info.codec == "av1"
    assert image.shape == (180, 320, 3)


@pytest.mark.parametrize("suffix", ["png", "avi", "mp4"])
def test_oversized_pictures_are_rejected(suffix: str, tmp_path: Path) -> None:
    """The size limits of cameras apply to files too, before anything is decoded."""
    codec = {"png": "png", "avi": "mjpeg", "mp4": "libx264"}[suffix]
    options = ("-frames:v", "1", "-c:v", codec)
    path = make_film(tmp_path / f"film.{suffix}", *options, source="color=red:size=8200x64")

    with pytest.raises(SourceError, match="8200 x 64 pixels; accepted"):
        FileVideo(str(path), loop=True)


def test_damaged_picture_is_reported_and_skipped(clip: Path, tmp_path: Path) -> None:
    """One picture that cannot be decoded does not end the film."""
    path = tmp_path / "clip.avi"
    data = bytearray(clip.read_bytes())
    second = data.index(b"\xff\xd8", data.index(b"\xff\xd8") + 2)
    data[second : second + 200] = bytes(200)
    path.write_bytes(data)
    source = FileVideo(str(path), loop=True)

    first = index_of(next_image(source))
    with pytest.raises(PictureError):
        next_image(source)
    third = index_of(next_image(source))
    source.close()

    assert (first, third) == (0, 2)
