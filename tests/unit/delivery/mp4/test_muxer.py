"""Fragmented MP4, checked by FFmpeg."""

import json
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from server.capture.frames.unit import Unit
from server.delivery.mp4.muxer import Muxer
from server.delivery.mp4.timeline import Timeline
from server.errors import PictureError
from tests.support.cameras.units import make_units

# Groups of 12 that begin as cameras' do, and FFmpeg's name for the raw stream.
CODECS = {
    "avc1": ("h264", "-c:v", "libx264", "-bf", "0"),
    "hvc1": ("hevc", "-c:v", "libx265", "-x265-params", "bframes=0:log-level=0"),
}
QUICKLY = ("-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "12")


def film(folder: Path, codec: str = "avc1", size: str = "128x72") -> list[Unit]:
    """Return two groups of 12 pictures each, as a camera sends them."""
    source = f"testsrc2=size={size}:rate=12"
    return make_units(folder, 2, *CODECS[codec][1:], *QUICKLY, source=source)


def mux(units: list[Unit], a_fragment: int = 1) -> bytes:
    """Return a file of pictures of a twelfth of a second each, with this many per fragment."""
    muxer = Muxer(units[0])
    samples = [muxer.sample(unit, 7500) for unit in units]
    fragments = (
        muxer.fragment(samples[at : at + a_fragment], 7500 * at)
        for at in range(0, len(samples), a_fragment)
    )
    return b"".join((muxer.init_segment, *fragments))


def digests(stream: bytes, form: str) -> list[str]:
    """Return a digest of each decoded picture; fail if FFmpeg finds a fault."""
    command = ["ffmpeg", "-v", "error", "-f", form, "-i", "-", "-f", "framemd5", "-"]
    ended = subprocess.run(command, input=stream, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")
    lines = ended.stdout.decode().splitlines()
    return [line.rpartition(",")[2].strip() for line in lines if not line.startswith("#")]


def probe(file: bytes, path: Path, entries: str) -> Any:
    """Return ffprobe's description of a file."""
    path.write_bytes(file)
    command = ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "json", str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> list[Unit]:
    """Two groups of H.264."""
    return film(tmp_path_factory.mktemp("film"))


@pytest.mark.parametrize("codec", CODECS)
def test_muxing_preserves_pictures_bit_for_bit(codec: str, tmp_path: Path) -> None:
    """Writing the file loses and changes nothing, in H.264 and in H.265."""
    units = film(tmp_path, codec)

    shown = digests(mux(units), "mp4")

    assert shown == digests(b"".join(unit.data for unit in units), CODECS[codec][0])
    assert len(shown) == len(units) == 24


@pytest.mark.parametrize("a_fragment", [1, 5])
def test_file_describes_its_contents(units: list[Unit], tmp_path: Path, a_fragment: int) -> None:
    """A player learns codec, size, times and key frames, for fragments of any length."""
    said = probe(
        mux(units, a_fragment),
        tmp_path / "made.mp4",
        "stream=codec_name,codec_tag_string,width,height,time_base:packet=pts,dts,duration,flags",
    )

    (stream,) = said["streams"]
    assert stream == {
        "codec_name": "h264",
        "codec_tag_string": "avc1",
        "width": 128,
        "height": 72,
        "time_base": "1/90000",
    }
    packets = said["packets"]
    assert [(one["pts"], one["dts"], one["duration"]) for one in packets] == [
        (7500 * at, 7500 * at, 7500) for at in range(len(units))
    ]
    assert [one["flags"].startswith("K") for one in packets] == [unit.key for unit in units]


def test_parameter_sets_are_written_once(units: list[Unit]) -> None:
    """Each key frame repeats them; a file needs them once."""
    muxer = Muxer(units[0])

    key, other = (muxer.sample(unit, 1) for unit in (units[12], units[13]))

    assert units[12].key
    assert len(key.data) < len(units[12].data) - 20
    # Only the parameter sets are missing; each start code is replaced by a length.
    assert len(other.data) == len(units[13].data)


def test_change_of_size_stays_in_one_file(units: list[Unit], tmp_path: Path) -> None:
    """A camera whose size changes twice stays in the same file.

    Some of its parameter sets stay the same; leaving them out would make the changed ones useless.
    """
    larger = film(tmp_path, size="160x90")

    widths = probe(mux([*units, *larger, *units]), tmp_path / "made.mp4", "frame=width")

    assert [one["width"] for one in widths["frames"]] == [128] * 24 + [160] * 24 + [128] * 24


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    "broken",
    [b"", b"\0\0\0\1", b"\0\0\1\x67\0\0\1\x68", b"\0\0\1\x42\0\0\1\x44\0\0\1\x40", b"\1\2\3"],
)
def test_invalid_parameter_sets_are_rejected(units: list[Unit], codec: str, broken: bytes) -> None:
    """Anything may arrive over a bus; invalid data is rejected with a message."""
    with pytest.raises(PictureError, match="parameter sets"):
        Muxer(replace(units[0], codec=codec, data=broken))


def test_unknown_codec_is_rejected(units: list[Unit]) -> None:
    """The error names a codec that MP4 files cannot contain."""
    with pytest.raises(PictureError, match=r"'av01\.0' cannot be put into MP4"):
        Muxer(replace(units[0], codec="av01.0"))


@pytest.mark.parametrize("hurries", [False, True])
def test_b_frames_of_an_endless_file_are_shown_in_order(tmp_path: Path, hurries: bool) -> None:
    """Pictures are shown at the pace of their capture, or faster while catching up.

    None is shown before its predecessor, except for one at the end of catching up.
    """
    options = ("-c:v", "libx264", "-bf", "3", "-b-pyramid", "normal", "-x264-params", "b-adapt=0")
    source = "testsrc2=size=128x72:rate=25"
    units = make_units(tmp_path, 2, *options, *QUICKLY, source=source, timed=True)
    muxer = Muxer(units[0])
    timeline = Timeline(max(one.early_s for one in units))
    data = muxer.init_segment
    for at, unit in enumerate(units):
        begin, duration = timeline.place(unit.at_unix, hurries and at < 30)
        offset = timeline.offset(begin, unit.at_unix, unit.early_s)
        data += muxer.fragment([muxer.sample(unit, duration, offset)], begin)

    frames = probe(data, tmp_path / "stream.mp4", "frame=pts_time")["frames"]

    times = [float(one["pts_time"]) for one in frames]
    assert len(times) == 50
    turns = [at for at, (one, later) in enumerate(pairwise(times)) if later < one]
    assert len(turns) <= hurries
    assert all(26 <= at <= 32 for at in turns)
    steps = [later - one for one, later in pairwise(times)]
    assert steps[35 if hurries else 0 :] == pytest.approx(
        [0.04] * (14 if hurries else 49), abs=0.002
    )
    assert max(steps[:25]) < (0.002 if hurries else 0.05)
