"""The endless MP4 in a browser's own player."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.support.cameras.films import make_film
from tests.support.servers.server import ROOT, PortholeServer

# Two seconds in a loop: so no picture has a time beyond that.
FILM = ("-t", "2", "-c:v", "libx264", "-bf", "0", "-g", "25", "-pix_fmt", "yuv420p")

# The code that the documentation tells people to put into their pages.
TAG = next(
    line
    for line in (ROOT / "docs" / "clients.md").read_text().splitlines()
    if line.startswith("<video")
)

PLAY = """async (tag) => {
  document.body.innerHTML = tag;
  const video = document.querySelector('video');
  const events = [];
  for (const name of ['playing', 'suspend']) video.addEventListener(name, () => events.push(name));
  const seen = await new Promise((resolve) => {
    const times = [];
    setTimeout(() => resolve(times), 60000);
    const look = (_, { mediaTime, width }) => {
      times.push([mediaTime, width]);
      const { totalVideoFrames } = video.getVideoPlaybackQuality();
      const isAll = mediaTime > 2.5 && totalVideoFrames > 50;
      if (isAll || mediaTime > 10) resolve(times); else video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  });
  const { totalVideoFrames } = video.getVideoPlaybackQuality();
  const error = video.error && video.error.message;
  video.src = '';
  return { seen, totalVideoFrames, error, events };
}"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film that the camera sends."""
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4", *FILM)


@pytest.mark.parametrize("begin", ["", "?from=now"])
def test_browser_plays_a_cameras_video(
    share_server: Callable[..., PortholeServer],
    new_context: Callable[..., BrowserContext],
    film: Path,
    begin: str,
) -> None:
    """A video element plays the stream past the end of the looped film.

    With ``autoplay`` alone, as our documentation had it, Chromium starts only once its buffer is
    full and it stops reading, which takes seconds. A machine that is too busy loses pictures up to
    the next key frame, so fifty may take longer than two seconds to arrive.
    """
    server = share_server(f"door=file:{film}")
    page = new_context(bypass_csp=True).new_page()
    page.goto(f"{server.url}healthz")

    tag = TAG.replace("https://cameras.example/", server.url)
    played = page.evaluate(PLAY, tag.replace("?from=now&token=TOKEN", begin))

    assert played["error"] is None
    assert played["events"][0] == "playing"
    assert played["totalVideoFrames"] > 50
    times = [time_s for time_s, _ in played["seen"]]
    assert times == sorted(times)
    assert len(times) > 3
    assert times[-1] > 2.5
    assert {width for _, width in played["seen"]} == {320}
