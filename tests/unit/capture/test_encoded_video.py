"""Video encoded by the server, and cameras without video."""

import shlex
import socket
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from server.capture.frames.unit import Unit
from server.capture.isolation.units import unit_sockets
from server.capture.processing.transform import Transform
from server.config.processors import parse_processors
from tests.support.fakes import until
from tests.unit.capture.watched import Watch, decode, film, watch

__all__ = ["film", "watch"]


def test_smaller_videos_show_the_same_pictures(watch: Watch, film: Path) -> None:
    """Narrow links get smaller videos with the same frame numbers as the camera's own."""
    watched = watch(f"file:{film}", pictures=True, renditions=(160, 96, 640))
    camera, track = watched.camera, watched.camera.videos["160"]
    until(lambda: len(watched.pictures) > 3 and track.codec, 20)
    promised = track.codec
    assert camera.videos["640"].codec is None, "it is larger than the source"
    units: list[Unit] = []
    track.listen(lambda: units.extend(list(track.units)[-1:]))
    camera.set_videos(["160", "96", "full"])
    until(lambda: len(units) > 40 and len(camera.videos["96"].units) > 20, 30)
    camera.set_viewers(0)

    shown = dict(decode(units))
    both = [one for one in watched.pictures if one.seq in shown]
    assert len(both) > 10
    psnr = [
        cv2.PSNR(
            cv2.cvtColor(shown[one.seq], cv2.COLOR_BGR2GRAY),
            cv2.resize(cv2.cvtColor(np.asarray(one.picture), cv2.COLOR_BGR2GRAY), (160, 90)),
        )
        for one in both
    ]
    assert min(psnr) > 22, "it is the same picture, at 150 kbit/s"
    assert {unit.codec for unit in units} == {promised}
    assert {(unit.width, unit.height) for unit in units} == {(160, 90)}
    assert [unit.key for unit in units].count(True) == 1
    assert {unit.seq for unit in units} & {unit.seq for unit in watched.units}
    assert sum(len(unit.data) for unit in units) * 8 / (len(units) / 25) < 170_000


def test_jpeg_source_gets_encoded_video(watch: Watch, film: Path) -> None:
    """Any source in a child can be encoded; a key frame is made on request."""
    command = [
        *("ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(film)),
        *("-f", "mjpeg", "-q:v", "4", "-"),
    ]
    watched = watch(f"exec:{shlex.join(command)}", video="always")
    camera = watched.camera
    assert camera.prefers_video
    until(lambda: len(watched.units) > 30, 30)

    assert camera.describe()["video"] == {
        "codec": watched.units[0].codec,
        "passed_through": False,
        "kbps": 150,
    }
    assert len(dict(decode(watched.units))) == len(watched.units)
    assert camera.state == "live"
    before = len(watched.units)
    for _ in range(5):
        camera.request_key("full")
    until(lambda: any(unit.key for unit in watched.units[before:]), 20)
    camera.set_fps(5)
    camera.set_videos([])
    camera.set_videos(["full"])
    before = len(watched.units)
    until(lambda: len(watched.units) > before + 8, 20)
    steps = np.diff([unit.at_unix for unit in watched.units[before:]])
    assert np.median(steps) == pytest.approx(0.2, abs=0.06)


def test_transform_ends_the_passed_through_video(watch: Watch, film: Path) -> None:
    """A rotated camera has no video, one at a lower rate is encoded; undone, its own returns."""
    watched = watch(f"file:{film}")
    camera, track = watched.camera, watched.camera.videos["full"]
    until(lambda: track.units, 20)

    camera.set_transform(Transform(rotate=90))
    until(lambda: track.codec is None)
    assert not track.units
    assert camera.describe()["video"] is None
    camera.set_transform(Transform())
    camera.set_fps(5)
    until(lambda: track.codec and not track.passed_through)
    camera.set_fps(25)
    until(lambda: track.units and track.passed_through)
    camera.set_fps(None)
    watched.wants(video=False, pictures=True)
    until(lambda: not track.units)
    assert track.codec is not None


@pytest.mark.parametrize("fault", ["nonsense", "end"])
def test_lost_socket_ends_video_until_the_source_reopens(
    watch: Watch, film: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """STATE used to keep offering a video whose units had stopped while pictures continued."""
    kept: list[Any] = []

    def keep() -> tuple[Any, Any]:
        ours, theirs = unit_sockets()
        kept.append(theirs.dup())
        return ours, theirs

    monkeypatch.setattr("server.capture.video.unit_sockets", keep)
    watched = watch(f"file:{film}", pictures=True)
    camera, track = watched.camera, watched.camera.videos["full"]
    told: list[Any] = []
    camera.on_change = lambda changed: told.append(changed.describe()["video"])
    until(lambda: track.units and camera.state == "live", 20)

    if fault == "nonsense":
        kept[0].send(b"no unit")
    else:
        kept[0].shutdown(socket.SHUT_RDWR)

    until(lambda: told and told[-1] is None, 20)
    assert not track.units
    before = len(watched.pictures)
    until(lambda: len(watched.pictures) > before + 3, 20)
    assert camera.state == "live"
    assert camera.describe()["video"] is None

    camera.stop()
    camera.start()
    until(lambda: track.units and track.passed_through, 20)
    assert camera.describe()["video"]["passed_through"]
    for one in kept:
        one.close()


@pytest.mark.parametrize("way", ["masked", "off"])
def test_masked_or_disabled_camera_has_no_video(watch: Watch, film: Path, way: str) -> None:
    """A masked camera's video is never passed on, nor is one that its setting disables."""
    masks = parse_processors(("mask?x=0&y=0&width=0.5&height=0.5",), Path())
    given = {"process": masks} if way == "masked" else {"video": "off"}
    watched = watch(f"file:{film}", pictures=True, **given)
    until(lambda: watched.pictures, 20)

    assert watched.camera.describe()["video"] is None
    assert watched.units == []
    assert bool(watched.camera.videos) == (way == "masked")
