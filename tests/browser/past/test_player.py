"""The player of recordings, with scripted video elements."""

import pytest
from playwright.sync_api import Page

from tests.support.browser.chromium import in_module

# A player at the beginning of a recording of 25 fps, paused; `tell` acts as a browser that has
# shown a frame.
RIG = """
class FakeVideo extends EventTarget {
  #time = 0;
  dataset = {};
  duration = 4;
  error = null;
  readyState = 4;
  get currentTime() { return this.#time; }
  set currentTime(time) {
    this.#time = time;
    queueMicrotask(() => this.dispatchEvent(new Event('seeked')));
  }
  pause() {}
  async play() {}
  requestVideoFrameCallback(callback) { this.told = callback; }
}
const recording = { id: 'a', camera: 'door', from: 1000, to: 1004, reason: 'always' };
const shelf = { recordingsOf: () => [recording], filmsAround: () => ({}), refresh: async () => {} };
const videos = [new FakeVideo(), new FakeVideo()];
const player = new module.Player(videos, shelf);
player.open(recording, 1000, false);
await new Promise((resolve) => setTimeout(resolve));
const video = videos.find(({ hidden }) => hidden === false);
const tell = (mediaTime) => video.told(0, { mediaTime });
const step = (by) => { player.step(by); return video.currentTime; };
"""


def test_step_moves_by_one_frame(blank: Page) -> None:
    """A step moves by one frame even if the browser reports its frame late or not at all.

    Counted from a stale frame, a step used to lead to the current frame, as did the next one.
    """
    found = in_module(
        blank,
        "library/player",
        f"""async (module) => {{
          {RIG}
          tell(1);
          video.currentTime = 1.03;
          const told = step(1);
          const untold = [step(1), step(1), step(-1)];
          tell(1.08);
          return [told, ...untold, step(-1)].map((time) => Math.floor(time * 25 + 1e-6));
        }}""",
    )

    assert found == [26, 27, 28, 27, 26]


@pytest.mark.parametrize("at", [1.001, 1.02, 1.039])
def test_step_before_any_frame_report_moves_by_one_frame(blank: Page, at: float) -> None:
    """A first step moves by one frame, wherever the video stands within its frame."""
    found = in_module(
        blank,
        "library/player",
        f"""async (module, at) => {{
          {RIG}
          video.currentTime = at;
          return [step(1), step(-1), step(-1)].map((time) => Math.floor(time * 25 + 1e-6));
        }}""",
        at,
    )

    assert found == [26, 25, 24]
