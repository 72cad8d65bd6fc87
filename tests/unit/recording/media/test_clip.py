"""Clips of video, and the units read back from recordings, checked by FFmpeg."""

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from server.capture.frames.unit import JPEG, Unit
from server.delivery.mp4.muxer import TIMESCALE, Muxer
from server.errors import PictureError
from server.recording.media.clip import Clip, can_be_copied, shown_from
from server.recording.media.fragments import Kept, StoredUnit, cut, read_units
from tests.support.cameras.units import make_units

BEGIN = 1e6

CODECS = {
    "h264": ("-c:v", "libx264", "-bf", "0", "-g", "10"),
    "hevc": ("-c:v", "libx265", "-x265-params", "bframes=0:keyint=10:min-keyint=10:log-level=0"),
}
QUICKLY = ("-preset", "ultrafast", "-pix_fmt", "yuv420p")


@pytest.fixture(scope="module", params=CODECS)
def units(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Unit]:
    """Two seconds at 25 fps, in groups of 10."""
    folder = tmp_path_factory.mktemp(request.param)
    return make_units(folder, 2, *CODECS[request.param], *QUICKLY, source=SOURCE)


SOURCE = "testsrc2=size=128x72:rate=25"


def record(path: Path, units: Sequence[Unit], a_fragment: int = 12) -> Path:
    """Write units into a recording."""
    muxer = Muxer(units[0])
    times = [round((one.at_unix - units[0].at_unix) * TIMESCALE) for one in units]
    times.append(times[-1] + 3600)
    early = [round(one.early_s * TIMESCALE) for one in units]
    with path.open("wb") as file:
        file.write(muxer.init_segment)
        for at in range(0, len(units), a_fragment):
            samples = [
                muxer.sample(unit, times[number + 1] - times[number], -early[number])
                for number, unit in list(enumerate(units))[at : at + a_fragment]
            ]
            file.write(muxer.fragment(samples, times[at]))
    return path


def nals(unit: Kept) -> bytes:
    """Return a unit's NAL units, without start codes, whose lengths may differ."""
    return unit.data.replace(b"\0\0\0\1", b"\0\0\1")


def whole(clip: Clip) -> bytes:
    data = b"".join(clip.read(0, clip.nbytes))
    assert len(data) == clip.nbytes
    return data


def shown(file: bytes, form: str = "mp4") -> list[str]:
    """Return a digest of each picture shown; fail if FFmpeg finds a fault."""
    command = ["ffmpeg", "-v", "error", "-f", form, "-i", "-", "-f", "framemd5", "-"]
    ended = subprocess.run(
        [*command[:-1], "-fps_mode", "passthrough", "-"],
        input=file,
        capture_output=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    lines = ended.stdout.decode().splitlines()
    return [line.rpartition(",")[2].strip() for line in lines if not line.startswith("#")]


def test_clip_starts_at_the_requested_picture(units: list[Unit]) -> None:
    """Earlier pictures are in the file for the decoder, but not shown."""
    form = "h264" if units[0].codec.startswith("avc1") else "hevc"
    every = shown(b"".join(unit.data for unit in units), form)

    clip = Clip(units[10:40], BEGIN + 0.04 * 17 + 0.01)

    assert clip.from_unix == units[17].at_unix
    assert clip.seconds == pytest.approx(0.04 * 23)
    assert shown(whole(clip)) == every[17:40]


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_b_frames_are_shown_in_order(codec: str, timed: bool, tmp_path: Path) -> None:
    """Also from recordings; each picture has its own time, and the first is at the start."""
    options = ("-c:v", codec, "-bf", "3", "-g", "12", "-x265-params", "log-level=0", *QUICKLY)
    if codec == "libx264":
        options = ("-c:v", codec, "-bf", "3", "-b-pyramid", "normal", "-g", "12", *QUICKLY)
    units = make_units(tmp_path, 2, *options, source=SOURCE, timed=timed)
    stored = read_units(record(tmp_path / "one.mp4", units), BEGIN)
    every = shown((tmp_path / "units.mp4").read_bytes())

    clip = Clip(units, BEGIN)

    assert whole(clip) == whole(Clip(stored, BEGIN))
    assert b"ctts" in whole(clip)
    assert shown(whole(clip)) == every
    path = tmp_path / "clip.mp4"
    path.write_bytes(whole(clip))
    entries = ["-show_entries", "frame=pts_time", "-of", "csv=p=0"]
    told = subprocess.run(
        ["ffprobe", "-v", "error", *entries, str(path)], capture_output=True, check=True, timeout=60
    ).stdout.decode()
    times = [float(line.split(",")[0]) for line in told.split()]
    assert times == pytest.approx([0.04 * at for at in range(50)], abs=0.001)
    part = cut(stored, BEGIN + 0.04 * 17 + 0.01, BEGIN + 0.04 * 30 + 0.01)
    complete = 14 if timed else 11  # The last ones lack the units before them.
    assert shown(whole(Clip(part, BEGIN + 0.04 * 17 + 0.01)))[:complete] == every[17:][:complete]


def test_byte_ranges_match_the_whole_clip(units: list[Unit]) -> None:
    """A player may request any range of bytes."""
    clip = Clip(units, BEGIN)
    data = whole(clip)

    edges = [0, 1, 100, clip.nbytes // 3, clip.nbytes // 2, clip.nbytes - 1, clip.nbytes]
    for begin in edges[:-1]:
        for end in (one for one in edges if one > begin):
            assert b"".join(clip.read(begin, end)) == data[begin:end], (begin, end)


def test_units_are_read_back_from_a_recording(units: list[Unit], tmp_path: Path) -> None:
    """Each is what was written, with its parameter sets, size and time."""
    path = record(tmp_path / "one.mp4", units)

    read = read_units(path, BEGIN)

    assert [nals(one) for one in read] == [nals(one) for one in units]
    for one, unit in zip(read, units, strict=True):
        assert (one.key, one.codec, one.width, one.height) == (
            *(unit.key, unit.codec),
            *(unit.width, unit.height),
        )
        assert one.at_unix == pytest.approx(unit.at_unix, abs=1e-5)
    part = cut(read, BEGIN + 0.04 * 25 + 0.01, BEGIN + 0.04 * 30 + 0.01)
    assert [one.at_unix for one in part] == [one.at_unix for one in read[20:31]]


def test_clip_spans_disk_and_memory(units: list[Unit], tmp_path: Path) -> None:
    """The transition from one to the other is seamless."""
    stored = read_units(record(tmp_path / "one.mp4", units), BEGIN)

    mixed = Clip([*stored[:30], *units[30:]], BEGIN + 0.3)

    assert mixed.on_disk
    assert whole(mixed) == whole(Clip(units, BEGIN + 0.3))


def test_changed_parameter_sets_are_read_back(tmp_path: Path) -> None:
    """A camera may change them within a file; each key frame gets its own back."""
    before = make_units(tmp_path, 0.4, *CODECS["h264"], *QUICKLY, source=SOURCE)
    after = make_units(
        *(tmp_path, 0.8, "-c:v", "libx264", "-bf", "0", "-g", "10", "-level", "5.0", *QUICKLY),
        source=SOURCE,
    )
    moved = [replace(one, at_unix=one.at_unix + 0.4) for one in after]
    path = record(tmp_path / "one.mp4", [*before, *moved], 5)

    read = read_units(path, BEGIN)

    assert [nals(one) for one in read] == [nals(one) for one in [*before, *moved]]
    assert {one.codec for one in read[-5:]} == {after[0].codec} != {before[0].codec}
    assert len(shown(whole(Clip(read, BEGIN)))) == len(read)


@pytest.mark.parametrize("cut", [700, -1, -200])
def test_torn_recording_is_read_up_to_the_tear(cut: int, tmp_path: Path) -> None:
    """The fragment that was being written when the power failed is left out."""
    units = make_units(tmp_path, 1, *CODECS["h264"], *QUICKLY, source=SOURCE)
    path = record(tmp_path / "one.mp4", units)
    data = path.read_bytes()
    path.write_bytes(data[:cut])

    read = read_units(path, BEGIN)

    assert len(read) == (24 if cut < 0 else 0)


def test_truncated_header_is_rejected(tmp_path: Path) -> None:
    """The first bytes of a recording alone are not a recording."""
    path = tmp_path / "one.mp4"
    path.write_bytes(b"\0\0\0\x20ftyp")

    with pytest.raises(PictureError):
        read_units(path, BEGIN)


def test_shrunken_file_is_detected(tmp_path: Path) -> None:
    """A clip must not end in mid-picture as if nothing had happened."""
    units = make_units(tmp_path, 1, *CODECS["h264"], *QUICKLY, source=SOURCE)
    path = record(tmp_path / "one.mp4", units)
    read = read_units(path, BEGIN)
    path.write_bytes(path.read_bytes()[:-100])

    assert isinstance(read[-1], StoredUnit)
    with pytest.raises(PictureError):
        _ = read[-1].data


def test_only_uniform_video_is_copied() -> None:
    """Units whose codec or size changes are re-encoded, and so is JPEG."""
    unit = Unit(b"", True, 1, BEGIN, "avc1.64001f", 320, 180)

    assert can_be_copied([unit, replace(unit, codec="avc1.4d401f")])
    assert not can_be_copied([unit, replace(unit, width=640)])
    assert not can_be_copied([unit, replace(unit, codec="hvc1.1.6.L93.B0")])
    assert not can_be_copied([replace(unit, codec=JPEG)])


def test_first_picture_shown_is_the_newest_not_later() -> None:
    """If there is none, it is the first picture."""
    units = [Unit(b"", True, n, BEGIN + n, JPEG, 3, 2) for n in range(3)]

    found = [shown_from(units, BEGIN + at) - BEGIN for at in (-5, 0, 0.9, 1, 9)]
    assert found == [0, 0, 0, 1, 2]
