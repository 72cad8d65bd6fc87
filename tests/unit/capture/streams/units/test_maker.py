"""H.264 and H.265 access units, compared with the output of FFmpeg's programs."""

import json
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.capture.streams.units import annex_b
from server.capture.streams.units.h264 import H264
from server.capture.streams.units.h265 import H265
from server.capture.streams.units.maker import UnitMaker, maker_of
from tests.support.cameras.films import make_film
from tests.support.cameras.units import encoded_in

X264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
X265 = ("-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params", "log-level=none:keyint=10")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Encode a second of video in each form that sources use; its size needs cropping."""
    folder = tmp_path_factory.mktemp("films")
    source = "testsrc2=size=322x182:rate=25"
    ways = {
        "h264.mp4": X264,
        "h264.ts": X264,
        "h264.mkv": (*X264, "-bf", "0"),
        "h265.mp4": X265,
        "h265.ts": X265,
        "baseline.mp4": (*X264, "-profile:v", "baseline", "-slices", "3"),
    }
    return {
        name: make_film(folder / name, "-t", "1", "-g", "10", *options, source=source)
        for name, options in ways.items()
    }


def decoded(path: Path, *options: str) -> bytes:
    """Return the pixels of all pictures, decoded by FFmpeg's program."""
    command = ["ffmpeg", "-v", "error", *options, "-i", str(path), "-f", "rawvideo", "-"]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def units_of(data: bytes) -> list[bytes]:
    return [data[begin:end] for begin, end in annex_b.split(data)]


@pytest.mark.parametrize(
    "name", ["h264.mp4", "h264.ts", "h264.mkv", "h265.mp4", "h265.ts", "baseline.mp4"]
)
def test_units_decode_to_the_same_pictures(films: dict[str, Path], name: str) -> None:
    """Whatever the container, the units alone are the whole video, bit for bit."""
    units = list(encoded_in(films[name]))
    raw = films[name].with_suffix(f".{name}.{units[0].codec[:4]}")
    raw.write_bytes(b"".join(unit.data for unit in units))

    kind = "h264" if "264" in name or "baseline" in name else "hevc"
    assert decoded(raw, "-f", kind) == decoded(films[name])
    assert units[0].key
    assert sum(one.key for one in units) == 3


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "baseline.mp4"])
def test_units_match_ffmpegs_bitstream_filter(
    films: dict[str, Path], name: str, tmp_path: Path
) -> None:
    """The filter ``h264_mp4toannexb`` yields the same NAL units in the same order."""
    ours = [unit for one in encoded_in(films[name]) for unit in units_of(one.data)]
    theirs = tmp_path / "theirs.h264"
    copy = ["-c", "copy", "-bsf:v", "h264_mp4toannexb", str(theirs)]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(films[name]), *copy], check=True, timeout=60)

    sets = [unit for unit in ours if H264.kind(unit) in (7, 8)]
    assert len(sets) == 2 * 3, "before each of three key frames"
    assert [unit for unit in ours if unit not in sets] == [
        unit for unit in units_of(theirs.read_bytes()) if unit not in sets
    ]


@pytest.mark.parametrize("name", ["h264.mp4", "h264.ts", "h265.mp4", "h265.ts", "baseline.mp4"])
def test_codec_and_size_match_ffprobe(films: dict[str, Path], name: str) -> None:
    """The codec string holds profile and level; the size excludes what is cropped."""
    shown = "stream=profile,level,width,height"
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", shown, "-of", "json", str(films[name])],
        check=True,
        capture_output=True,
        timeout=60,
    ).stdout
    probed = json.loads(told)["streams"][0]
    first = next(encoded_in(films[name]))
    profiles = {"High": "64", "Constrained Baseline": "42", "Main": "1"}

    assert (first.width, first.height) == (probed["width"], probed["height"]) == (322, 182)
    if "265" in name:
        assert first.codec == f"hev1.1.6.L{probed['level']}.90"
    else:
        assert first.codec[5:7] == profiles[probed["profile"]]
        assert int(first.codec[9:], 16) == probed["level"]


def test_out_of_band_parameter_sets_precede_key_frames(films: dict[str, Path]) -> None:
    """They may be in the session description only, but a decoder needs them in the stream."""
    units = list(encoded_in(films["h264.mp4"]))
    sets = [one for one in units_of(units[0].data) if H264.kind(one) in (7, 8)]
    bare = annex_b.join(one for one in units_of(units[0].data) if H264.kind(one) == 5)
    maker = maker_of("h264", annex_b.join(sets), Fraction(1))
    assert maker is not None

    made = maker.make(bare)

    assert maker.codec == units[0].codec
    assert made is not None
    assert made.key
    assert [H264.kind(one) for one in units_of(made.data)] == [7, 8, 5]


def test_key_frame_without_parameter_sets_is_dropped(films: dict[str, Path]) -> None:
    """No decoder could start there."""
    units = list(encoded_in(films["h265.mp4"]))
    bare = annex_b.join(one for one in units_of(units[0].data) if H265.kind(one) < 32)
    maker = maker_of("hevc", b"", Fraction(1))
    assert maker is not None

    assert maker.codec == ""
    assert maker.make(bare) is None
    assert maker.make(units[1].data) is None
    assert maker.make(units[0].data) is not None
    assert maker.make(bare) is not None


def test_size_change_in_mid_stream_is_followed(tmp_path: Path) -> None:
    """A camera whose resolution was changed continues in the same stream."""
    films = [
        make_film(tmp_path / f"{size}.ts", "-t", "0.4", *X264, source=f"testsrc2=size={size}")
        for size in ("320x180", "640x360")
    ]
    maker = maker_of("h264", b"", Fraction(1))
    assert maker is not None

    made = [maker.make(one.data) for film in films for one in encoded_in(film)]

    sizes = [(one.width, one.height) for one in made if one is not None]
    assert sizes == [(320, 180)] * 10 + [(640, 360)] * 10
    keys = [one for one in made if one is not None and one.key]
    assert keys[1].codec != keys[0].codec
    assert len([one for one in units_of(keys[1].data) if H264.kind(one) == 7]) == 1


@pytest.mark.parametrize(
    "options",
    [
        ("-flags", "+ildct+ilme", "-x264opts", "interlaced=1"),
        ("-vf", "setsar=4/3"),
    ],
    ids=["interlaced", "anamorphic"],
)
def test_interlaced_and_anamorphic_video_is_not_passed_on(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """A browser's decoder shows interlaced fields as they are, and all pixels as square."""
    film = make_film(tmp_path / "film.ts", "-t", "0.2", *X264, *options)
    maker = maker_of("h264", b"", Fraction(1))
    assert maker is not None

    with av.open(str(film)) as container:
        made = [maker.make(bytes(one)) for one in container.demux(video=0) if one.size]

    assert made
    assert not any(made)
    assert maker.codec == ""


@pytest.mark.parametrize(
    ("options", "aspect"),
    [
        ("", (40, 33)),
        (":bframes=4:ref=5:temporal-layers=3", (7, 5)),
        (":scaling-list=default:no-sao=1:amp=1", (1, 1)),
    ],
)
def test_h265_pixel_aspect_ratio_is_found(
    tmp_path: Path, options: str, aspect: tuple[int, int]
) -> None:
    """It comes after many optional fields; without it, non-square pixels would look distorted."""
    parameters = f"log-level=none:keyint=10{options}"
    sar = f"setsar={aspect[0]}/{aspect[1]}"
    encoder = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    film = make_film(
        tmp_path / "film.ts", "-t", "0.1", *encoder, "-x265-params", parameters, "-vf", sar
    )
    with av.open(str(film)) as container:
        data = next(bytes(one) for one in container.demux(video=0) if one.size)
    sequence = next(one for one in units_of(data) if H265.kind(one) == H265.sequence)

    assert H265.read(sequence).aspect == Fraction(*aspect)


def test_intra_refresh_is_not_a_key_frame(tmp_path: Path) -> None:
    """Decoding may begin anywhere, but no decoder shows a whole picture right away."""
    options = (*X264, "-x264opts", "intra-refresh=1:keyint=10:bframes=0")
    made = list(encoded_in(make_film(tmp_path / "film.ts", "-t", "1", *options)))

    assert [one.key for one in made] == [True] + [False] * 24


@pytest.mark.parametrize("size", [1, 2, 4])
def test_length_fields_of_every_size_are_read(films: dict[str, Path], size: int) -> None:
    """Nearly all files use four-byte lengths; the standard allows fewer."""
    units = list(encoded_in(films["h264.ts"]))
    sets = [one for one in units_of(units[0].data) if H264.kind(one) in (7, 8)]
    small = b"\x41\x9a" + b"x" * 100  # first_mb_in_slice 0
    record = b"\1\x64\0\x0d" + bytes((0xFC | size - 1, 0xE1))
    for at, one in enumerate(sets):
        record += (b"\1" if at else b"") + len(one).to_bytes(2, "big") + one
    maker = maker_of("h264", record, Fraction(1))
    assert maker is not None

    made = maker.make(len(small).to_bytes(size, "big") + small)

    assert made is not None
    assert made.data == annex_b.START + small
    assert maker.codec == units[0].codec


def broken(draw_from: list[bytes]) -> st.SearchStrategy[bytes]:
    """Return damaged pictures: truncated, with changed bytes, or with random bytes only."""
    cuts = st.builds(
        lambda data, at, middle, skipped: data[:at] + middle + data[at + skipped :],
        st.sampled_from(draw_from),
        st.integers(0, 400),
        st.binary(max_size=20),
        st.integers(0, 2000),
    )
    return st.one_of(cuts, st.binary(max_size=200))


@pytest.mark.parametrize("name", ["h264.mp4", "h265.ts"])
def test_broken_stream_raises_nothing(films: dict[str, Path], name: str) -> None:
    """Any input gives a unit or none; the next whole group is intact again."""
    whole = list(encoded_in(films[name]))
    pictures = [one.data for one in whole]
    codec = "h264" if "264" in name else "hevc"

    @settings(max_examples=150, deadline=None)
    @given(st.lists(broken(pictures), max_size=5), st.binary(max_size=60))
    def check(arriving: list[bytes], extradata: bytes) -> None:
        for data in (extradata, b"\1" + extradata):
            maker = maker_of(codec, data, Fraction(1))
            assert isinstance(maker, UnitMaker)
            for picture in arriving:
                maker.make(picture)
        maker = maker_of(codec, b"", Fraction(1))
        assert maker is not None
        for picture in arriving:
            maker.make(picture)
        after = maker.make(pictures[0])
        assert after is not None
        assert (after.key, after.width) == (True, whole[0].width)

    check()
