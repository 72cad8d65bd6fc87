"""Video that fails falls back to JPEG, and returns."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

Run = Callable[..., Any]


FALL_BACK = """
  const began = performance.now();
  await until(() => rig.asked.length === 2);
  const { payload, atMs } = rig.asked[1];
  // Units in flight are acknowledged, but not decoded.
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
    "no key frame": ("no key", "rig.send(3);"),
    "another rendition without a key frame": (
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
def test_video_fault_falls_back_to_jpeg(run: Run, fault: str) -> None:
    """JPEG is requested within a second, and shown; no decoder or picture is left open."""
    told, script = FAULTS[fault]
    result = run(script + FALL_BACK)

    assert result["video"] is None
    assert result["ms"] < 1000
    assert result["fault"] == told
    assert result["open"] == 0
    assert set(result["states"]) <= {"closed"}
    assert result["acked"]


def test_unsupported_codec_is_not_requested_again(run: Run) -> None:
    """A browser that decodes one of two families is queried once for each codec."""
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


def test_undecodable_h265_falls_back_to_jpeg(run: Run) -> None:
    """Some browsers announce H.265 and then fail to decode it, for lack of a driver."""
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


def test_announced_codec_is_checked_before_video_arrives(run: Run) -> None:
    """The reply to `watch` names the codec, so an undecodable one need not be sent first."""
    videos = run(
        """rig.viewer.close();
        rig = new Rig(clip, ['h264', 'h265'], 'hev1.1.6.L63.B0');
        await until(() => rig.asked.length === 3);
        rig.viewer.close();
        return rig.asked.slice(0, 3).map(({ payload }) => payload.video ?? null);"""
    )

    # This server sends it all the same.
    assert videos == [["h264", "h265"], ["h264"], None]


def test_long_sleep_is_not_a_fault(run: Run) -> None:
    """After a laptop wakes up, timers fire before the decoder returns its pictures."""
    result = run(
        """await rig.play(0, 2);
        for (let at = 2; at < 6; at += 1) rig.send(at);
        const until_ = performance.now() + 1500;
        while (performance.now() < until_);
        await until(() => rig.report.lastSeq === 5);
        return [rig.asked.length, rig.report.videoFault, counts.open.size];"""
    )

    assert result == [1, "", 0]


def test_reclaimed_idle_decoder_is_replaced(run: Run) -> None:
    """A browser reclaims idle decoders; the next key frame gets a new one."""
    result = run(
        """await rig.play(0, 2);
        await sleep(20);
        counts.decoders[0].fail(new DOMException('', 'QuotaExceededError'));
        rig.send(8);
        await until(() => rig.report.lastSeq === 8);
        return [rig.asked.length, counts.made, rig.report.videoFault];"""
    )

    assert result == [1, 2, ""]


def test_video_retries_back_off(blank: Page) -> None:
    """Retries come after 2 s, 4 s, ... up to 5 minutes; a long good period resets the pause."""
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
def test_slow_browser_stops_catching_up(run: Run, delay_ms: int, fault: str) -> None:
    """A slow browser would decode whole groups in vain; a quick one may go on catching up."""
    told = run(
        """// A fake clock: delays of a busy machine would count, too.
        let nowMs = performance.now();
        performance.now = () => nowMs;
        const { decode } = VideoDecoder.prototype;
        VideoDecoder.prototype.decode = function (chunk) {
          nowMs += arg;
          return decode.call(this, chunk);
        };
        try {
          for (let join = 0; join < 4; join += 1) {
            rig.send(0, { seq: 10 * join, catch_up: true });
            rig.send(1, { seq: 10 * join + 1 });
            if (join < 3) await until(() => rig.report.lastSeq === 10 * join + 1);
          }
          await sleep(20);
        } finally {
          delete performance.now;
        }
        return rig.asked.length > 1 ? rig.report.videoFault : '';""",
        arg=delay_ms,
    )

    assert told == fault


def test_refused_switch_to_jpeg_is_retried(run: Run) -> None:
    """Without a retry video would keep coming, which the page no longer decodes."""
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


def test_video_resumes_after_a_fault(run: Run) -> None:
    """After the pause, video is requested again, and painted."""
    videos, painted = run(
        """rig.send(3);
        await until(() => rig.asked.length === 3);
        await rig.play(8, 9);
        return [rig.asked.map(({ payload }) => payload.video ?? null), rig.painted];"""
    )

    assert videos == [["h264"], None, ["h264"]]
    assert painted == [8]


def test_page_without_webcodecs_requests_jpeg(blank: Page) -> None:
    """On plain http there is no VideoDecoder: JPEG is requested, and painted."""
    payload, families, painted = blank.evaluate(
        """async () => {
          const real = globalThis.VideoDecoder;
          delete globalThis.VideoDecoder;
          try {
            // As in a page that was opened without WebCodecs.
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
