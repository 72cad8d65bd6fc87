"""Video in a real browser: units go in, pictures come out on the canvas."""

import base64
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.support.cameras.video_clip import Clip, encode_clip

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def clip() -> Clip:
    """One second of moving pictures; every eighth is a key picture."""
    return encode_clip()


@pytest.fixture
def run(blank: Page, clip: Clip) -> Run:
    """Run a script with a viewer: ``rig``, ``Rig``, ``counts``, ``clip``, ``until``, ``sleep``."""

    def evaluate(script: str, *, shown: Clip = clip, arg: object = None) -> Any:
        return blank.evaluate(
            """async ([clip, arg, script]) => {
              const url = new URL('tests/support/browser/video_rig.js', document.baseURI);
              const { Rig, countDecoders, until, sleep } = await import(url);
              const counts = countDecoders();
              const rig = new Rig(clip);
              const Body = Object.getPrototypeOf(async () => {}).constructor;
              const names = ['rig', 'Rig', 'counts', 'clip', 'arg', 'until', 'sleep'];
              try {
                return await new Body(...names, script)(rig, Rig, counts, clip, arg, until, sleep);
              } finally {
                rig.viewer.close();
                counts.stop();
              }
            }""",
            [shown.for_page(), arg, script],
        )

    return evaluate


def difference(pixels: str, reference: Any) -> float:
    """Return the mean difference between what was painted and a picture, in levels of 255."""
    height, width, _ = reference.shape
    painted = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(height, width, 4)
    return float(np.abs(painted[:, :, :3].astype(int) - reference).mean())


def test_painted_pictures_are_those_of_the_video(run: Run, clip: Clip) -> None:
    """Each unit becomes its own picture at once, as another decoder sees it."""
    painted = run(
        """const pictures = [];
        for (let at = 0; at < 10; at += 1) {
          await rig.play(at, at + 1);
          pictures.push(rig.pixels());
        }
        return pictures;"""
    )

    reference = clip.decode()
    for at, pixels in enumerate(painted):
        assert difference(pixels, reference[at]) < 4, at
        # The scene moves: the neighbours are told apart.
        assert difference(pixels, reference[at]) < difference(pixels, reference[at + 1]), at


def test_what_catches_up_is_decoded_and_not_painted(run: Run, clip: Clip) -> None:
    """Who joins in mid-group sees the newest picture first, and acknowledges only that."""
    pixels, painted, acks, made = run(
        """for (let at = 0; at < 5; at += 1) rig.send(at, { catch_up: true });
        rig.send(5);
        await until(() => rig.painted.length > 0);
        return [rig.pixels(), rig.painted, rig.acks.map(({ seq }) => seq), counts.made];"""
    )

    assert (painted, acks, made) == ([5], [5], 1)
    assert difference(pixels, clip.decode()[5]) < 4


def test_a_burst_is_decoded_three_at_a_time(run: Run, clip: Clip) -> None:
    """However many arrive at once, the decoder holds three, and no picture is left open."""
    most, left, last, pixels = run(
        """for (let at = 0; at < 16; at += 1) rig.send(at, { catch_up: at < 15 });
        await until(() => rig.report.lastSeq === 15);
        return [counts.most, counts.open.size, rig.painted, rig.pixels()];"""
    )

    assert most == 3
    assert left == 0
    assert last == [15]
    assert difference(pixels, clip.decode()[15]) < 4


def test_a_new_key_picture_makes_waiting_units_needless(run: Run) -> None:
    """What still waits for the decoder when a key picture comes is skipped, and counted."""
    result = run(
        """rig.send(0, { catch_up: true });
        for (let at = 1; at < 9; at += 1) rig.send(at);
        await until(() => rig.report.lastSeq === 8);
        await sleep(20);
        const { skippedHere, dropped } = rig.report;
        return [skippedHere, dropped, rig.acks.at(-1).seq, counts.open.size];"""
    )

    # Unlike a JPEG that waits, the others of the old group would have had to be decoded.
    assert result[0] >= 4
    assert result[2:] == [8, 0]


def test_jpeg_and_video_alternate(run: Run, clip: Clip) -> None:
    """While a chain is broken JPEG comes; no picture is followed by an older one."""
    painted, asked, pixels = run(
        """await rig.play(0, 3);
        await rig.sendJpeg(5);
        await until(() => rig.report.lastSeq === 5);
        // The chain again: all of this group up to the newest.
        for (let at = 0; at < 7; at += 1) rig.send(at, { catch_up: at < 6 });
        await until(() => rig.report.lastSeq === 6);
        await rig.sendJpeg(7);
        // Decoded later than the picture that came after it.
        rig.send(7, { seq: 8 });
        await until(() => rig.report.lastSeq === 8);
        return [rig.painted, rig.asked.length, rig.pixels()];"""
    )

    assert painted in ([0, 1, 2, 5, 6, 7, 8], [0, 1, 2, 5, 6, 8])
    assert asked == 1
    assert difference(pixels, clip.decode()[7]) < 4


def test_an_older_unit_is_decoded_and_not_painted(run: Run, clip: Clip) -> None:
    """A unit that is older than what is shown keeps the chain, is acknowledged, and never seen."""
    painted, acks, pixels = run(
        """await rig.play(0, 2);
        await rig.sendJpeg(4);
        await until(() => rig.report.lastSeq === 4);
        rig.send(2);
        rig.send(3);
        rig.send(4);
        rig.send(5);
        await until(() => rig.report.lastSeq === 5);
        return [rig.painted, rig.acks.map(({ seq }) => seq), rig.pixels()];"""
    )

    assert painted == [0, 1, 4, 5]
    assert {2, 3, 4, 5} <= set(acks)
    assert difference(pixels, clip.decode()[5]) < 4


def test_pictures_out_of_order_keep_their_numbers_in_order(run: Run) -> None:
    """With B-frames the decoder gives out other pictures than it was given last."""
    clip = encode_clip(group=12, options=("-preset", "fast", "-bf", "2", "-refs", "1"))
    painted, pixels, dropped, most = run(
        """const pictures = [];
        for (let at = 0; at < 12; at += 1) {
          rig.send(at);
          await until(() => rig.acks.some(({ seq }) => seq === at));
          if (rig.report.lastSeq >= pictures.length) pictures.push(rig.pixels());
        }
        return [rig.painted, pictures.slice(0, 3), rig.report.dropped, counts.most];""",
        shown=clip,
    )

    assert painted == sorted(set(painted))
    assert len(painted) >= 9
    assert (dropped, most) == (0, 3)
    for at, one in enumerate(pixels):
        assert difference(one, clip.decode()[at]) < 4, at


def test_a_hidden_tile_has_no_decoder(run: Run) -> None:
    """Hidden, it gives the decoder back; shown again, it begins with a key picture."""
    result = run(
        """await rig.play(0, 3);
        rig.send(3);
        rig.viewer.want(false, 'full', 320);
        const states = counts.decoders.map(({ state }) => state);
        await sleep(30);
        const left = counts.open.size;
        rig.viewer.want(true, 'full', 320);
        await until(() => rig.asked.length === 3);
        for (let at = 8; at < 11; at += 1) rig.send(at, { catch_up: at < 10 });
        await until(() => rig.report.lastSeq === 10);
        const asked = rig.asked.map(({ event, payload }) => [event, payload.video ?? null]);
        return [states, left, asked, counts.made];"""
    )

    asked = [["watch", ["h264"]], ["unwatch", None], ["watch", ["h264"]]]
    assert result == [["closed"], 0, asked, 2]


def test_a_camera_may_change_its_size(run: Run, clip: Clip) -> None:
    """With a key picture the size may change; the canvas gets it with the first such picture."""
    larger = encode_clip(4, size="640x360")
    width, height, pixels, made = run(
        """await rig.play(0, 3);
        const other = new Rig(arg);
        other.viewer.close();
        const header = rig.header(3, { ...arg, units: undefined, key: true, catch_up: false });
        rig.viewer.onFrame(header, other.units[0]);
        await until(() => rig.report.lastSeq === 3);
        return [rig.canvas.width, rig.canvas.height, rig.pixels(), counts.made];""",
        arg=larger.for_page(),
    )

    assert (width, height, made) == (640, 360, 1)
    assert difference(pixels, larger.decode()[0]) < 4


FALL_BACK = """
  const began = performance.now();
  await until(() => rig.asked.length === 2);
  const { payload, atMs } = rig.asked[1];
  // What was under way is acknowledged, but not looked at.
  rig.send(9, { seq: 99 });
  await rig.sendJpeg(100);
  await until(() => rig.report.lastSeq === 100);
  await sleep(20);
  return {
    video: payload.video ?? null, ms: atMs - began, fault: rig.report.videoFault,
    open: counts.open.size, states: counts.decoders.map(({ state }) => state),
    acked: rig.acks.some(({ seq }) => seq === 99),
  };
"""

FAULTS = {
    "error": (
        "broken",
        "await rig.play(0, 3); counts.decoders[0].fail(new DOMException('no', 'EncodingError'));"
        " rig.send(3);",
    ),
    "garbage": ("broken", "rig.units[0] = new ArrayBuffer(200); rig.send(0);"),
    "no key picture": ("no key", "rig.send(3);"),
    "another rendition without a key picture": (
        "no key",
        "await rig.play(0, 3); rig.send(3, { rendition: '640' });",
    ),
    "taken away by the browser": (
        "reclaimed",
        "await rig.play(0, 2); rig.send(2);"
        " counts.decoders[0].fail(new DOMException('', 'QuotaExceededError'));",
    ),
    "too slow": (
        "slow",
        "counts.delayMs = 450; for (let at = 0; at < 8; at += 1) rig.send(at);"
        " for (let seq = 8; rig.asked.length < 2 && seq < 40; seq += 1) {"
        "   await sleep(50); rig.send(7, { seq });"
        " }",
    ),
    "nothing comes out": (
        "stuck",
        "VideoDecoder.prototype.decode = () => {}; for (let at = 0; at < 4; at += 1) rig.send(at);",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_with_video_leads_to_jpeg_at_once(run: Run, fault: str) -> None:
    """JPEG is asked for within a second, and shown; nothing is left open."""
    told, script = FAULTS[fault]
    result = run(script + FALL_BACK)

    assert result["video"] is None
    assert result["ms"] < 1000
    assert result["fault"] == told
    assert result["open"] == 0
    assert set(result["states"]) <= {"closed"}
    assert result["acked"]


def test_the_past_is_decoded_in_a_thread_of_its_own(run: Run, clip: Clip) -> None:
    """A group is many pictures at once. Between two of them a browser waits for the thread that
    owns the decoder, and that one is busy painting what is live; so another one owns it."""
    made, pixels, acks, live = run(
        """await rig.play(0, 1);
        rig.request = async (event, { at }) => ({ ok: true, at, from: 900, to: 1100, seek: 1 });
        rig.viewer.seek(1000);
        for (let at = 8; at < 16; at += 1) {
          rig.send(at, { live: false, seek: 1, catch_up: at < 15 });
        }
        await until(() => rig.acks.some(({ seq }) => seq === 15));
        const result = [counts.made, rig.pixels(), rig.acks.map(({ seq }) => seq)];
        rig.viewer.seek(null);
        rig.send(16, { seq: 99 });
        await until(() => rig.report.lastSeq === 99);
        return [...result, rig.report.live];"""
    )

    assert made == 1
    assert acks == [0, 15]
    assert live
    assert difference(pixels, clip.decode()[15]) < 4


def test_a_seek_has_its_decoder_and_the_time_of_the_others(run: Run, clip: Clip) -> None:
    """A browser took up to 50 ms to find a decoder, after the first picture had come; and beside
    three cameras of 720p that are live, painting those took the time of a sought one's decoder."""
    waited, told, intervals, pixels = run(
        """const url = new URL('static/js/painting/refresh.js', document.baseURI);
        const { pace } = await import(url);
        const now = () => performance.now();
        await rig.play(0, 1);
        rig.request = async (event, { at }) => ({ ok: true, at, from: 900, to: 1100, seek: 1 });
        const { postMessage } = Worker.prototype;
        const told = [];
        Worker.prototype.postMessage = function (message, moved) {
          told.push(message.codec ?? (message.unit === null ? 'closed' : 'unit'));
          postMessage.call(this, message, moved);
        };
        try {
          const intervals = [pace.intervalMs(now())];
          rig.viewer.seek(1000);
          intervals.push(pace.intervalMs(now()), pace.intervalMs(now() + 1000));
          rig.send(1); // On its way already.
          for (let at = 8; at < 10; at += 1) {
            rig.send(at, { live: false, seek: 1, catch_up: at < 9 });
          }
          await until(() => rig.report.live === false);
          intervals.push(pace.intervalMs(now()));
          return [rig.painted, told, intervals, rig.pixels()];
        } finally {
          Worker.prototype.postMessage = postMessage;
        }"""
    )

    assert waited[0] == 0
    assert told == [clip.codec, "unit", "unit"]
    assert intervals[1] > 33
    assert intervals[0] == intervals[2] == intervals[3]
    assert difference(pixels, clip.decode()[9]) < 4


def test_what_cannot_be_decoded_apart_is_decoded_here(run: Run, clip: Clip) -> None:
    """As where a policy forbids more workers; what was on its way to one is sought again."""
    result = run(
        """const { Worker } = globalThis;
        globalThis.Worker = class extends Worker {
          constructor(url, options) {
            super('data:text/javascript,throw 1', options);
          }
        };
        try {
          const another = 'static/js/painting/past-decoder.js?without-worker';
          const { openPastDecoder } = await import(new URL(another, document.baseURI));
          const told = [];
          const header = { ...rig.header(0), key: true, codec: clip.codec, live: false };
          const frame = () => ({ header, bytes: rig.units[0].slice(0), shown: true, order: 1 });
          const decode = () => new Promise((resolve) => {
            openPastDecoder({
              onDecoded: (_, picture) => { picture.close(); resolve('decoded'); },
              onSkipped: ({ order }) => told.push(order),
              onHeld() {},
              onFailed: resolve,
            }).put(frame());
          });
          return [await decode(), await decode(), told];
        } finally {
          globalThis.Worker = Worker;
        }"""
    )

    assert result == ["broken", "decoded", [1]]


def test_a_moment_that_cannot_be_decoded_comes_as_jpeg(run: Run) -> None:
    """Its group fails once, whatever of it follows, and it is sought again; then as JPEG. The
    server had waited for ever for what was lost in the decoder, and sent nothing more."""
    videos, acks, report = run(
        """await rig.play(0, 1);
        rig.units[0] = new ArrayBuffer(200);
        rig.acks.length = 0;
        const sought = [];
        rig.request = async (event, { at, video = true }) => {
          if (event === 'seek') sought.push(video);
          return { ok: true, at, from: 900, to: 1100, seek: sought.length };
        };
        rig.viewer.seek(1000);
        for (const seek of [1, 2]) {
          await until(() => sought.length === seek);
          for (let at = 0; at < 4; at += 1) {
            rig.send(at, { seq: 10 * seek + at, live: false, seek, catch_up: at < 3 });
          }
        }
        await until(() => sought.length === 3);
        await rig.sendJpeg(33, '#f00', { live: false, seek: 3 });
        await until(() => rig.acks.some(({ seq }) => seq === 33));
        const { at, past } = rig.report;
        return [sought, rig.acks.map(({ seq }) => seq), { at, fault: past.fault }];"""
    )

    assert videos == [True, True, False]
    assert acks == [13, 23, 33]
    assert report == {"at": 1000 + 33 / 25, "fault": ""}


def test_a_codec_that_is_not_supported_is_not_asked_for_again(run: Run) -> None:
    """This browser may decode one family and not the other, and is asked once for each codec."""
    videos, supported, questions = run(
        """let questions = 0;
        const ask = Object.getPrototypeOf(VideoDecoder).isConfigSupported;
        VideoDecoder.isConfigSupported = (config) => {
          questions += 1;
          const able = !config.codec.startsWith('hev1');
          return able ? ask.call(VideoDecoder, config) : { supported: false };
        };
        rig.viewer.close();
        rig = new Rig(clip, ['h264', 'h265']);
        rig.send(0, { codec: 'hev1.1.6.L60.B0' });
        await until(() => rig.asked.length === 2);
        rig.send(0, { codec: 'avc1.42c020', seq: 1 });
        await until(() => rig.report.lastSeq === 1);
        rig.viewer.want(false, 'full', 320);
        rig.viewer.want(true, 'full', 320);
        rig.send(0, { codec: 'avc1.42c020', seq: 1 });
        await sleep(20);
        rig.viewer.close();
        const watches = rig.asked.filter(({ event }) => event === 'watch');
        const videos = watches.map(({ payload }) => payload.video);
        return [videos, counts.configs.map(({ codec }) => codec), questions];"""
    )

    assert videos == [["h264", "h265"], ["h264"], ["h264"]]
    assert set(supported) == {"avc1.42c020"}
    assert questions == 2


def test_h265_that_is_promised_and_not_decoded_leads_to_jpeg(run: Run) -> None:
    """Some browsers say that they decode H.265 and then do not, as a driver is missing."""
    result = run(
        """VideoDecoder.isConfigSupported = async () => ({ supported: true });
        rig.viewer.close();
        rig = new Rig(clip, ['h264', 'h265']);
        rig.send(0, { codec: 'hev1.1.6.L90.B0' });
        const result = await (async () => {"""
        + FALL_BACK
        + """})();
        rig.viewer.close();
        const configs = counts.configs.map(({ codec }) => codec);
        return { ...result, asked: rig.asked[0].payload.video, configs };"""
    )

    assert result["asked"] == ["h264", "h265"]
    assert result["configs"] == ["hev1.1.6.L90.B0"]
    assert result["video"] is None
    assert result["ms"] < 1000
    assert result["fault"] == "broken"
    assert result["open"] == 0
    assert result["acked"]


def test_decoders_give_back_each_picture_without_the_next(run: Run) -> None:
    """A decoder that is not told so returns a picture only when it is given another one."""
    configs = run("await rig.play(0, 1); return counts.configs;")

    assert [config["optimizeForLatency"] for config in configs] == [True]
    assert "description" not in configs[0]


def test_a_codec_that_is_announced_is_looked_at_before_it_comes(run: Run) -> None:
    """The answer to `watch` tells the codec: what cannot be decoded need not be sent first."""
    videos = run(
        """rig.viewer.close();
        rig = new Rig(clip, ['h264', 'h265'], 'hev1.1.6.L63.B0');
        await until(() => rig.asked.length === 3);
        rig.viewer.close();
        return rig.asked.slice(0, 3).map(({ payload }) => payload.video ?? null);"""
    )

    # This server sends it all the same.
    assert videos == [["h264", "h265"], ["h264"], None]


def test_a_long_sleep_is_no_fault(run: Run) -> None:
    """After a laptop slept, timers are due before what was decoded is handed out."""
    result = run(
        """await rig.play(0, 2);
        for (let at = 2; at < 6; at += 1) rig.send(at);
        const until_ = performance.now() + 1500;
        while (performance.now() < until_);
        await until(() => rig.report.lastSeq === 5);
        return [rig.asked.length, rig.report.videoFault, counts.open.size];"""
    )

    assert result == [1, "", 0]


def test_a_canvas_that_was_taken_away_keeps_the_stream(run: Run, clip: Clip) -> None:
    """While the browser has taken the canvas, frames are acknowledged and not called painted."""
    meanwhile, painted, pixels = run(
        """await rig.play(0, 2);
        const context = rig.canvas.getContext('2d');
        context.isContextLost = () => true;
        for (let at = 2; at < 5; at += 1) {
          rig.send(at);
          await until(() => rig.acks.some(({ seq }) => seq >= at));
        }
        const meanwhile = rig.painted.slice();
        delete context.isContextLost;
        await rig.play(5, 6);
        return [meanwhile, rig.painted, rig.pixels()];"""
    )

    assert (meanwhile, painted) == ([0, 1], [0, 1, 5])
    assert difference(pixels, clip.decode()[5]) < 4


def test_an_idle_decoder_may_be_taken_away(run: Run) -> None:
    """A browser takes decoders away that have nothing to do; the next key picture gets another."""
    result = run(
        """await rig.play(0, 2);
        await sleep(20);
        counts.decoders[0].fail(new DOMException('', 'QuotaExceededError'));
        rig.send(8);
        await until(() => rig.report.lastSeq === 8);
        return [rig.asked.length, counts.made, rig.report.videoFault];"""
    )

    assert result == [1, 2, ""]


def test_video_is_tried_again_later_and_later(blank: Page) -> None:
    """After 2 s, 4 s, ... up to 5 minutes; a fault after a good while counts as the first."""
    pauses = blank.evaluate(
        """async () => {
          const url = new URL('static/js/stream/video-choice.js', document.baseURI);
          const { VideoChoice } = await import(url);
          const choice = new VideoChoice();
          choice.offer(['h264']);
          let nowMs = 5000;
          const pauses = [];
          const fail = () => {
            choice.failed('broken', 'avc1.42c01e', nowMs);
            const pause = choice.pauseMs(nowMs);
            if (choice.families(nowMs + pause - 1).length > 0) throw new Error('too soon');
            nowMs += pause;
            if (choice.families(nowMs).join() !== 'h264') throw new Error('not again');
            pauses.push(pause / 1000);
            nowMs += 1000;
          };
          for (let fault = 0; fault < 10; fault += 1) fail();
          nowMs += 70000;
          fail();
          return pauses;
        }"""
    )

    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 2]


@pytest.mark.parametrize(("delay_ms", "fault"), [(300, "slow"), (0, "")], ids=["slow", "quick"])
def test_a_slow_browser_does_not_catch_up_again_and_again(
    run: Run, delay_ms: int, fault: str
) -> None:
    """Each time it would decode a whole group for nothing; where the link is slow, it may."""
    told = run(
        """counts.delayMs = arg;
        for (let join = 0; join < 4; join += 1) {
          rig.send(0, { seq: 10 * join, catch_up: true });
          rig.send(1, { seq: 10 * join + 1 });
          if (join < 3) await until(() => rig.report.lastSeq === 10 * join + 1);
        }
        await sleep(20);
        return rig.asked.length > 1 ? rig.report.videoFault : '';""",
        arg=delay_ms,
    )

    assert told == fault


def test_a_refused_change_to_jpeg_is_asked_for_again(run: Run) -> None:
    """Otherwise video would keep coming, which is no longer looked at."""
    videos = run(
        """await rig.play(0, 2);
        rig.refusing = true;
        counts.decoders[0].fail(new DOMException('no', 'EncodingError'));
        await until(() => rig.asked.length === 2);
        rig.refusing = false;
        await until(() => rig.asked.length >= 3);
        return rig.asked.slice(0, 3).map(({ payload }) => payload.video ?? null);"""
    )

    assert videos == [["h264"], None, None]


def test_video_comes_back_after_a_fault(run: Run) -> None:
    """The pause over, video is asked for again, and painted."""
    videos, painted = run(
        """rig.send(3);
        await until(() => rig.asked.length === 3);
        await rig.play(8, 9);
        return [rig.asked.map(({ payload }) => payload.video ?? null), rig.painted];"""
    )

    assert videos == [["h264"], None, ["h264"]]
    assert painted == [8]


# Draws pictures that differ, as if each way to do so took so long, or could not convert them.
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
        # Without a GPU, to draw a picture of 720p took 7 ms of the thread that paints all tiles.
        ([3, 0, False], ["draw"] * 10 + ["put"] * 20),
        # With one, a copy may have to be read back from it.
        ([1, 4, False], ["draw"] * 10 + ["put"] * 10 + ["draw"] * 10),
        ([1, 0, True], ["draw"] * 30),
    ],
    ids=["copied", "slower", "refused"],
)
def test_pictures_are_drawn_in_the_faster_way(
    blank: Page, times: list[object], ways: list[str]
) -> None:
    """Either way shows the same picture; which one takes less is found out by trying both."""
    went, wrong = blank.evaluate(DRAW, times)

    assert went == " ".join(ways)
    assert wrong == []


def test_the_pace_falls_while_pictures_wait(blank: Page) -> None:
    """With sixteen tiles and two cores without a GPU, half of them starved: each picture was
    painted, and the whole page composited for it, while others waited for their decoders."""
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
            seconds(10, 60), seconds(2, 10), seconds(2, 10), // kept, and carefully faster
            seconds(10, 10), seconds(0.9, 2000), seconds(20, 10),
          ];
          now += 3600e3;
          pace.decoded(9000, now, false); // One after a silence is none too many.
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


def test_many_pictures_are_painted_together_without_a_gpu(blank: Page) -> None:
    """There the whole page is composited for each refresh that shows any new picture: 60 times a
    second for sixteen cameras of 15, though half as often shows each of their pictures."""
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

    assert intervals[0] == intervals[3] > 16
    assert intervals[1:3] == [0, 0]


def test_at_a_slow_pace_all_are_decoded_and_the_newest_is_painted(run: Run, clip: Clip) -> None:
    """What is left out is painting only; what was asked for of the past is painted at once."""
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


def test_what_b_frames_hold_back_is_not_late(blank: Page) -> None:
    """With B-frames a picture comes out when one of the next goes in, 200 ms later at 10 a second:
    a browser with nothing else to do would have painted half of them."""
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


def test_all_tiles_wait_for_one_refresh(blank: Page) -> None:
    """Each had a frame of the browser's and a timer for every picture; and what one of them throws
    does not keep the others from painting, or from waiting for the next one."""
    called, asked = blank.evaluate(
        """async () => {
          const url = new URL('static/js/painting/refresh.js?one', document.baseURI);
          const { onRefresh } = await import(url);
          const real = globalThis.requestAnimationFrame;
          const report = globalThis.reportError;
          const called = [];
          let asked = 0;
          globalThis.requestAnimationFrame = (callback) => { asked += 1; return real(callback); };
          globalThis.reportError = (error) => called.push(error);
          const refreshed = () => new Promise((resolve) => onRefresh(resolve));
          onRefresh(() => { throw 'broken'; });
          onRefresh(() => called.push('canceled'))();
          onRefresh(() => called.push('painted'));
          await refreshed();
          onRefresh(() => called.push('canceled'))();
          onRefresh(() => called.push('again'));
          await refreshed();
          globalThis.requestAnimationFrame = real;
          globalThis.reportError = report;
          return [called, asked];
        }"""
    )

    assert called == ["broken", "painted", "again"]
    assert asked == 3  # One of them was canceled, as nobody else waited.


def test_without_webcodecs_nothing_is_asked_for(blank: Page) -> None:
    """On plain http there is no VideoDecoder: JPEG is asked for, and painted."""
    payload, families, painted = blank.evaluate(
        """async () => {
          const real = globalThis.VideoDecoder;
          delete globalThis.VideoDecoder;
          try {
            // As in a page that was opened without it.
            const codecs = new URL('static/js/painting/codecs.js?without', document.baseURI);
            const families = await (await import(codecs)).decodableFamilies();
            const url = new URL('tests/support/browser/video_rig.js', document.baseURI);
            const { Rig, until } = await import(url);
            const rig = new Rig({ units: [], width: 320, height: 180 }, families);
            await rig.sendJpeg(1);
            await until(() => rig.report.painted === 1);
            rig.viewer.close();
            return [rig.asked[0].payload, families, rig.painted];
          } finally {
            globalThis.VideoDecoder = real;
          }
        }"""
    )

    assert payload == {"camera": "door", "rendition": "full", "width": 320, "acks": 6}
    assert families == []
    assert painted == [1]
