"""Clips in a browser's own player."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext

from tests.support.cameras.films import make_film
from tests.support.clients.client import Viewer
from tests.support.servers.server import PortholeServer

# 50 pictures, all different, in groups of 25.
FILM = ("-t", "2", "-c:v", "libx264", "-bf", "0", "-g", "25", "-pix_fmt", "yuv420p")

SIZE = (320, 180)

PLAY = """async (url) => {
  const video = document.createElement('video');
  video.muted = true;
  video.src = url;
  const until = (name) => new Promise((resolve, reject) => {
    video.addEventListener(name, resolve, { once: true });
    video.addEventListener('error', () => reject(video.error.message), { once: true });
  });
  await until('loadeddata');
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const drawn = canvas.getContext('2d', { willReadFrequently: true });
  const pixels = async (second) => {
    // `seeked` may fire before the new picture can be drawn.
    const shown = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    const seeked = until('seeked');
    video.currentTime = second;
    await Promise.all([seeked, shown]);
    drawn.drawImage(video, 0, 0);
    const { data } = drawn.getImageData(0, 0, canvas.width, canvas.height);
    return Array.from(data);
  };
  await pixels(1);
  const first = await pixels(0);
  await video.play();
  await until('ended');
  return { first, duration: video.duration, at: video.currentTime };
}"""


def test_clip_starts_at_the_requested_moment(
    share_server: Callable[..., PortholeServer],
    new_context: Callable[..., BrowserContext],
    tmp_path: Path,
    connect: Callable[..., Viewer],
) -> None:
    """The first picture is the requested moment's, not that of the key frame before it.

    The player knows the duration, seeks, and reaches the end.
    """
    server = share_server(f"door=file:{make_film(tmp_path / 'film.mp4', *FILM)}")
    viewer = connect(server)
    viewer.call("watch", {"camera": "door", "video": ["h264"]})
    viewer.pump(lambda: len(viewer.arrivals) > 80, 30)
    last = viewer.arrivals[-1].at_unix
    url = f"{server.url}clip/door.mp4?from={last - 1.7}&to={last - 0.2}"
    page = new_context(bypass_csp=True).new_page()
    page.goto(f"{server.url}healthz")

    played = page.evaluate(PLAY, url)

    assert played["duration"] == pytest.approx(1.5, abs=0.3)
    assert played["at"] == pytest.approx(played["duration"], abs=0.1)
    shown = decode(url)
    first = np.array(played["first"], np.int16).reshape(SIZE[1], SIZE[0], 4)[..., :3]
    apart = [np.abs(first - one).mean() for one in shown]
    assert np.argmin(apart) == 0
    assert apart[0] < apart[1] / 2


def decode(url: str) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """Return the pictures that FFmpeg decodes from a clip: height, width, RGB."""
    command = ["ffmpeg", "-v", "error", "-i", url, "-fps_mode", "passthrough"]
    command += ["-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout
    return list(np.frombuffer(raw, np.uint8).reshape(-1, SIZE[1], SIZE[0], 3))
