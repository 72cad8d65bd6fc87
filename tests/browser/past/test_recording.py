"""A recording plays in a browser while it is being written."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from tests.support.cameras.films import make_film
from tests.support.servers.server import PortholeServer, wait_until

FILM = ("-t", "10", "-c:v", "libx264", "-bf", "0", "-g", "25", "-pix_fmt", "yuv420p")

SEEK = """async ([url, at]) => {
  document.body.innerHTML = '<video muted playsinline></video>';
  const video = document.querySelector('video');
  const once = (name) => new Promise((resolve, reject) => {
    video.addEventListener(name, resolve, { once: true });
    video.addEventListener('error', () => reject(new Error(video.error.message)), { once: true });
    setTimeout(() => reject(new Error(`no ${name}`)), 20000);
  });
  video.src = url;
  await once('loadeddata');
  const { duration } = video;
  const begins = video.seekable.start(0);
  video.currentTime = at;
  await once('seeked');
  const shown = new Promise((resolve) => video.requestVideoFrameCallback(
    (_, { mediaTime }) => resolve(mediaTime)));
  await video.play();
  const played = await shown;
  const { videoWidth: width } = video;
  video.src = '';
  return { duration, begins, played, width };
}"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of one camera that always records."""
    folder = tmp_path_factory.mktemp("config")
    film = make_film(folder / "film.mp4", *FILM)
    file = folder / "porthole.toml"
    file.write_text(f'[[camera]]\nname = "door"\nsource = "file:{film}"\nrecord = "always"\n')
    return file


def test_browser_seeks_in_a_growing_recording(
    share_server: Callable[..., PortholeServer],
    new_context: Callable[..., BrowserContext],
    config: Path,
) -> None:
    """The browser knows the current length of the file, and seeks to a requested moment."""
    server = share_server("--config", str(config))

    def recording() -> dict[str, Any] | None:
        with urllib.request.urlopen(server.url + "api/recordings") as answer:
            found = json.load(answer)["recordings"]
        return next((one for one in found if one["to"] - one["from"] > 4), None)

    one = wait_until(recording, every_s=0.2)
    page = new_context(bypass_csp=True).new_page()
    page.goto(f"{server.url}healthz")

    seen = page.evaluate(SEEK, [f"{server.url}recording/{one['id']}.mp4", 2.5])

    assert seen["duration"] >= one["to"] - one["from"] - 0.1
    assert seen["begins"] == 0
    assert 2.4 < seen["played"] < 4
    assert seen["width"] == 320
