"""How video is drawn, and how often, on slow machines."""

from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.cameras.video_clip import Clip, difference, encode_clip

Run = Callable[..., Any]

# Draws pictures that differ, as if each way to draw took a given time, or failed to convert them.
DRAW = """async ([drawMs, copyMs, refused]) => {
  const url = new URL(`static/js/painting/drawing.js?${Math.random()}`, document.baseURI);
  const { drawPicture } = await import(url);
  const canvas = new OffscreenCanvas(64, 32);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const ways = [];
  const spend = (ms) => { for (const until = performance.now() + ms; performance.now() < until;); };
  const { drawImage, putImageData } = context;
  context.drawImage = (...what) => {
    spend(drawMs);
    ways.push('draw');
    drawImage.apply(context, what);
  };
  context.putImageData = (...what) => {
    ways.push('put');
    putImageData.apply(context, what);
  };
  const wrong = [];
  for (let at = 0; at < 30; at += 1) {
    const planes = new Uint8Array(64 * 32 * 1.5).fill(128).fill(16 + 7 * at, 0, 64 * 32);
    const facts = { format: 'I420', codedWidth: 64, codedHeight: 32, timestamp: at };
    const picture = new VideoFrame(planes, facts);
    const { copyTo } = picture;
    picture.copyTo = (...where) => {
      spend(copyMs);
      return refused ? Promise.reject(new TypeError()) : copyTo.apply(picture, where);
    };
    await drawPicture(picture, 64, 32, (draw) => draw(context));
    picture.close();
    const [red, , blue, alpha] = context.getImageData(40, 20, 1, 1).data;
    const grey = Math.round((7 * at * 255) / 219);
    const off = Math.max(Math.abs(red - grey), Math.abs(blue - grey), 255 - alpha);
    if (off > 3) wrong.push([at, red, blue, grey]);
  }
  return [ways.join(' '), wrong];
}"""


@pytest.mark.parametrize(
    ("times", "ways"),
    [
        # Without a GPU, drawing a 720p picture took 7 ms of the thread that paints all tiles.
        ([3, 0, False], ["draw"] * 10 + ["put"] * 20),
        # With one, a copy may have to be read back from it.
        ([1, 4, False], ["draw"] * 10 + ["put"] * 10 + ["draw"] * 10),
        ([1, 0, True], ["draw"] * 30),
    ],
    ids=["copied", "slower", "refused"],
)
def test_faster_drawing_method_is_used(blank: Page, times: list[object], ways: list[str]) -> None:
    """Both methods show the same picture; the faster one is found by trying both."""
    went, wrong = blank.evaluate(DRAW, times)

    assert went == " ".join(ways)
    assert wrong == []


def test_painting_slows_while_pictures_wait(blank: Page) -> None:
    """Painting slows down while pictures wait for decoders; half of 16 tiles used to starve."""
    intervals = blank.evaluate(
        """async () => {
          const { Pace } = await import(new URL('static/js/painting/pace.js', document.baseURI));
          const pace = new Pace();
          let now = 5000;
          const seconds = (count, behindMs) => {
            for (const until = now + 1000 * count; now < until; now += 25) {
              pace.decoded(behindMs, now, false);
            }
            return Math.round(pace.intervalMs(now));
          };
          const intervals = [
            seconds(10, 10), seconds(1.1, 150), seconds(1, 150), seconds(5, 900), // slower
            seconds(10, 60), seconds(2, 10), seconds(2, 10), // kept, then gradually faster
            seconds(10, 10), seconds(0.9, 2000), seconds(20, 10),
          ];
          now += 3600e3;
          pace.decoded(9000, now, false); // A single late one after a silence does not count.
          return [...intervals, seconds(1, 10)];
        }"""
    )

    assert intervals[0] == 0
    assert intervals[1:4] == sorted(intervals[1:4])
    assert intervals[1] >= 33
    assert intervals[3:6] == [200, 200, 200]
    assert 0 < intervals[6] < 200
    assert intervals[7] < intervals[6]
    assert intervals[8] > 0
    assert intervals[9:] == [0, 0]


def test_tiles_paint_together_without_a_gpu(blank: Page) -> None:
    """Without a GPU many tiles paint in one refresh, as each refresh composites the whole page."""
    intervals = blank.evaluate(
        """async () => {
          const { Pace } = await import(new URL('static/js/painting/pace.js', document.baseURI));
          const pace = new Pace();
          let now = 5000;
          const second = (pictures, drawsSlowly) => {
            for (let at = 0; at < pictures; at += 1) {
              now += 1000 / pictures;
              pace.decoded(5, now, drawsSlowly);
            }
            return pace.intervalMs(now);
          };
          return [second(240, true), second(240, false), second(60, true), second(240, true)];
        }"""
    )

    # No camera at 30 fps loses a frame.
    assert 16 < intervals[0] == intervals[3] < 33
    assert intervals[1:3] == [0, 0]


def test_slow_pace_decodes_all_and_paints_the_newest(run: Run, clip: Clip) -> None:
    """Only painting is skipped; a requested picture of the past is painted immediately."""
    live, decoded, past, pixels, left = run(
        """const url = new URL('static/js/painting/refresh.js', document.baseURI);
        const { pace } = await import(url);
        await rig.play(0, 1);
        const set = (behindMs, wanted) => {
          let now = performance.now() - 1e6;
          for (; pace.intervalMs(0) !== wanted; now += 500) pace.decoded(behindMs, now, false);
        };
        set(500, 200);
        try {
          for (let at = 1; at < 9; at += 1) {
            rig.send(at);
            await until(() => rig.report.inDecoder === 0 || counts.decoders[0].inside === 0);
          }
          await until(() => rig.painted.at(-1) === 8);
          const live = rig.painted.slice();
          rig.send(9);
          await until(() => counts.decoders[0].inside === 0);
          rig.viewer.seek(1000);
          rig.send(0, { live: false, seek: 1, seq: 100 });
          await until(() => rig.report.at === 1004);
          await sleep(0);
          return [live, counts.decoders[0].inside, rig.report.live, rig.pixels(), counts.open.size];
        } finally {
          set(0, 0);
        }"""
    )

    assert live[0] == 0
    assert live[-1] == 8
    assert len(live) < 9
    assert decoded == 0
    assert past is False
    assert difference(pixels, clip.decode()[0]) < 4
    assert left == 0


def test_b_frame_delay_does_not_count_as_lateness(blank: Page) -> None:
    """The delay that B-frames add, 200 ms at 10 fps, is not counted as falling behind."""
    clip = encode_clip(group=12, options=("-preset", "fast", "-bf", "2", "-refs", "1"))
    times = blank.evaluate(
        """async (clip) => {
          const url = (name) => new URL(`static/js/painting/${name}`, document.baseURI);
          const { UnitDecoder } = await import(url('unit-decoder.js'));
          const out = [];
          const ignore = () => {};
          const decoder = new UnitDecoder({
            onDecoded: (unit, picture) => {
              out.push([unit.decodedMs - unit.receivedMs, unit.behindMs]);
              picture.close();
            },
            onSkipped: ignore, onHeld: ignore, onFailed: ignore,
          });
          for (const { key, data } of clip.units.slice(0, 8)) {
            const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0)).buffer;
            const header = { key, codec: clip.codec, rendition: 'full', live: true };
            decoder.put({ header, bytes, shown: true, receivedMs: performance.now() });
            await new Promise((resolve) => setTimeout(resolve, 60));
          }
          decoder.close();
          return out;
        }""",
        clip.for_page(),
    )

    assert len(times) >= 4
    assert median(held_ms - behind_ms for held_ms, behind_ms in times) >= 55


def test_waiting_jpeg_does_not_slow_painting(run: Run) -> None:
    """Waiting JPEG does not slow painting down: only the newest is decoded.

    Sixteen JPEG tiles used to paint 4.7 times a second: skipped pictures were decoded in vain.
    """
    noted = run(
        """const url = new URL('static/js/painting/refresh.js', document.baseURI);
        const { pace } = await import(url);
        const noted = [];
        pace.decoded = (behindMs) => noted.push(behindMs);
        try {
          for (let seq = 1; seq < 6; seq += 1) {
            await rig.sendJpeg(seq);
            await until(() => rig.report.lastSeq === seq);
          }
          const ofJpeg = noted.length;
          rig.send(0, { seq: 6 });
          await until(() => rig.report.lastSeq === 6);
          return [ofJpeg, noted.length];
        } finally {
          delete pace.decoded;
        }"""
    )

    assert noted == [0, 1]
