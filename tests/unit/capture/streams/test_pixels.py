"""Colours and geometry of films made by FFmpeg's program, read by ours."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from server.capture.frames.frame import Image
from server.capture.streams.file import FileVideo
from tests.support.cameras.films import make_film

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-frames:v", "6")


def picture_of(path: Path) -> Image:
    """Return the fourth picture of a film."""
    source = FileVideo(str(path), loop=False)
    images: list[Image] = []
    while len(images) < 4:
        if source.grab():
            image = source.retrieve()
            images += [] if image is None else [image]  # type: ignore[list-item]
    announced = source.info.width, source.info.height
    source.close()
    assert (images[0].shape[1], images[0].shape[0]) == announced
    return images[-1]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("film.ts", ("-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-q:v", "2")),
        ("film.mp4", ("-c:v", "libx264", "-flags", "+ildct+ilme", "-x264opts", "tff=1")),
        ("film.dv", ("-c:v", "dvvideo", "-pix_fmt", "yuv420p")),
    ],
)
def test_interlaced_pictures_are_deinterlaced(
    name: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    """Moving edges are not torn between two fields. Such films used to be black, and "live"."""
    # A white bar crosses the picture, the lower field 20 ms after the upper.
    moving = (
        "color=black:size=720x576:rate=50[black];color=white:size=60x576:rate=50[bar];"
        "[black][bar]overlay=x=200+n*12,interlace=scan=tff:lowpass=off,setfield=tff"
    )
    path = make_film(tmp_path / name, *options, "-frames:v", "6", source=moving)

    image = picture_of(path)[100:400, :, 0].astype(int)

    assert image.max() > 200
    combed = np.abs(image[1:-1] - (image[:-2] + image[2:]) / 2).mean()
    assert combed < 1.0


def test_anamorphic_film_gets_square_pixels(tmp_path: Path) -> None:
    """An anamorphic film used to be shown too narrow."""
    source = "testsrc2=size=480x360:rate=25,setsar=4/3"

    assert picture_of(make_film(tmp_path / "film.mp4", *H264, source=source)).shape == (360, 640, 3)


@pytest.mark.parametrize(
    ("degrees", "corner"), [(0, (0, 0)), (90, (1, 0)), (180, (1, 1)), (270, (0, 1))]
)
def test_film_is_rotated_by_its_tag(degrees: int, corner: tuple[int, int], tmp_path: Path) -> None:
    """A phone's film taken sideways is rotated by its tag, as FFmpeg's program does."""
    source = "color=black:size=64x48:rate=25,drawbox=x=0:y=0:w=16:h=16:color=white:t=fill"
    film = make_film(tmp_path / "film.mp4", *H264, source=source)
    tagged = tmp_path / "tagged.mp4"
    tag = ("-metadata:s:v", f"rotate={degrees}")
    command = ["ffmpeg", "-v", "error", "-i", str(film), "-c", "copy", *tag, str(tagged)]
    subprocess.run(command, check=True, timeout=60)

    image = picture_of(tagged)

    assert image.shape == ((48, 64, 3) if degrees % 180 == 0 else (64, 48, 3))
    corners = image[np.ix_((4, -4), (4, -4))].mean(axis=-1)
    assert corners[corner] == pytest.approx(255, abs=6)
    assert corners.sum() == pytest.approx(255, abs=18)


@pytest.mark.parametrize(
    ("matrix", "span", "pixels", "tagged", "height"),
    [
        pytest.param("bt601", "tv", "yuv420p", (), 240, id="SD, untagged"),
        pytest.param("bt709", "tv", "yuv420p", (), 720, id="HD, untagged"),
        pytest.param("bt709", "tv", "yuv420p", ("bt709", "tv"), 240, id="SD as BT.709"),
        pytest.param("bt709", "pc", "yuv420p", ("bt709", "pc"), 240, id="full range"),
        pytest.param("bt709", "tv", "yuv420p10le", ("bt709", "tv"), 240, id="10 bits"),
        pytest.param("bt601", "tv", "yuv444p", (), 240, id="4:4:4"),
    ],
)
def test_colours_are_right(
    matrix: str, span: str, pixels: str, tagged: tuple[str, ...], height: int, tmp_path: Path
) -> None:
    """The standard and range are those that a film names, or that players assume for its size."""
    stripes = "drawbox=x=0:w=100:color=red:t=fill,drawbox=x=100:w=100:color=lime:t=fill"
    scale = f"scale=out_color_matrix={matrix}:out_range={span},format={pixels}"
    source = f"color=0x808080:size=320x{height}:rate=25,{stripes},format=rgb24,{scale}"
    tags = ("-colorspace", tagged[0], "-color_range", tagged[1]) if tagged else ()

    image = picture_of(make_film(tmp_path / "film.mp4", *H264, *tags, source=source)).astype(int)

    assert image[20, 50] == pytest.approx((0, 0, 255), abs=6)
    assert image[20, 150] == pytest.approx((0, 255, 0), abs=6)
    assert image[20, 250] == pytest.approx((128, 128, 128), abs=6)
