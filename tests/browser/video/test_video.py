"""Video in a real browser: units go in, pictures come out on the canvas."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from tests.support.cameras.video_clip import Clip, difference, encode_clip

Run = Callable[..., Any]


def test_painted_pictures_match_the_video(run: Run, clip: Clip) -> None:
    """Each unit becomes its own picture immediately, the same as in another decoder."""
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
        # The scene moves, so neighbours are distinguishable.
        assert difference(pixels, reference[at]) < difference(pixels, reference[at + 1]), at


def test_catch_up_units_are_decoded_but_not_painted(run: Run, clip: Clip) -> None:
    """A viewer who joins mid-group sees the newest picture first, and acknowledges only that."""
    pixels, painted, acks, made = run(
        """for (let at = 0; at < 5; at += 1) rig.send(at, { catch_up: true });
        rig.send(5);
        await until(() => rig.painted.length > 0);
        return [rig.pixels(), rig.painted, rig.acks.map(({ seq }) => seq), counts.made];"""
    )

    assert (painted, acks, made) == ([5], [5], 1)
    assert difference(pixels, clip.decode()[5]) < 4


def test_burst_is_decoded_three_units_at_a_time(run: Run, clip: Clip) -> None:
    """However many arrive together, the decoder holds three, and no picture is left open."""
    most, left, last, pixels = run(
        """for (let at = 0; at < 16; at += 1) rig.send(at, { catch_up: at < 15 });
        await until(() => rig.report.lastSeq === 15);
        return [counts.most, counts.open.size, rig.painted, rig.pixels()];"""
    )

    assert most == 3
    assert left == 0
    assert last == [15]
    assert difference(pixels, clip.decode()[15]) < 4


def test_new_key_frame_skips_waiting_units(run: Run) -> None:
    """Units still waiting for the decoder when a key frame arrives are skipped and counted."""
    result = run(
        """rig.send(0, { catch_up: true });
        for (let at = 1; at < 9; at += 1) rig.send(at);
        await until(() => rig.report.lastSeq === 8);
        await sleep(20);
        const { skippedHere, dropped } = rig.report;
        return [skippedHere, dropped, rig.acks.at(-1).seq, counts.open.size];"""
    )

    # Unlike a waiting JPEG, the others of the old group would have had to be decoded.
    assert result[0] >= 4
    assert result[2:] == [8, 0]


def test_jpeg_and_video_alternate(run: Run, clip: Clip) -> None:
    """JPEG arrives while a chain is broken; no picture is followed by an older one."""
    painted, asked, pixels = run(
        """await rig.play(0, 3);
        await rig.sendJpeg(5);
        await until(() => rig.report.lastSeq === 5);
        // Resume the chain: all units of this group up to the newest.
        for (let at = 0; at < 7; at += 1) rig.send(at, { catch_up: at < 6 });
        await until(() => rig.report.lastSeq === 6);
        await rig.sendJpeg(7);
        // Decoded later than the JPEG that came after it.
        rig.send(7, { seq: 8 });
        await until(() => rig.report.lastSeq === 8);
        return [rig.painted, rig.asked.length, rig.pixels()];"""
    )

    assert painted in ([0, 1, 2, 5, 6, 7, 8], [0, 1, 2, 5, 6, 8])
    assert asked == 1
    assert difference(pixels, clip.decode()[7]) < 4


def test_older_unit_is_decoded_but_not_painted(run: Run, clip: Clip) -> None:
    """A unit older than the shown picture keeps the chain and is acknowledged, but never shown."""
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


def test_b_frame_pictures_are_painted_in_order(run: Run) -> None:
    """With B-frames the decoder does not return the picture that it was last given."""
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


def test_hidden_tile_closes_its_decoder(run: Run) -> None:
    """A hidden tile closes its decoder; shown again, it begins with a key frame."""
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


def test_camera_may_change_size_at_a_key_frame(run: Run, clip: Clip) -> None:
    """The canvas gets the new size with the first picture that has it."""
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


def test_past_is_decoded_in_a_worker(run: Run, clip: Clip) -> None:
    """A worker decodes the past: painting live frames would delay every picture of a group."""
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


def test_packed_group_shows_its_last_picture(run: Run, clip: Clip) -> None:
    """All units of a frame are decoded, the last is painted; a frame of wrong size is dropped."""
    pixels, acks, here, asked = run(
        """await rig.play(0, 1);
        const asked = [];
        rig.request = async (event, payload) => {
          asked.push(payload.packed);
          return { ok: true, at: payload.at, from: 900, to: 1100, seek: 1 };
        };
        rig.viewer.seek(1000);
        rig.sendPacked(8, 12, { live: false, seek: 1, catch_up: true });
        rig.sendPacked(12, 15, { live: false, seek: 1 });
        rig.sendPacked(8, 10, { live: false, seek: 1, units: [1, 2] });
        await until(() => rig.acks.some(({ seq }) => seq === 14));
        const past = rig.pixels();
        const acks = rig.acks.map(({ seq }) => seq);
        rig.viewer.seek(null);
        rig.sendPacked(16, 20, { seq: 99 });
        await until(() => rig.report.lastSeq === 99);
        return [past, acks, rig.pixels(), asked[0]];"""
    )

    reference = clip.decode()
    assert (acks, asked) == ([0, 14], True)
    assert difference(pixels, reference[14]) < 4
    assert difference(here, reference[19]) < 4


def test_seek_takes_priority_over_live_painting(run: Run, clip: Clip) -> None:
    """A decoder for seeks is ready beforehand, and painting live frames yields to it.

    A browser used to take up to 50 ms to open a decoder, after the first picture had come; and
    painting three live 720p cameras used to take up the decoder's time.
    """
    painted, told, spared_ms, resumed, pixels = run(
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
          rig.viewer.seek(1000);
          const spared = pace.intervalMs(now());
          rig.send(1); // Already in flight.
          for (let at = 8; at < 10; at += 1) {
            rig.send(at, { live: false, seek: 1, catch_up: at < 9 });
          }
          await until(() => rig.report.live === false);
          const resumed = pace.intervalMs(now()) === pace.intervalMs(now() + 1000);
          return [rig.painted, told, spared, resumed, rig.pixels()];
        } finally {
          Worker.prototype.postMessage = postMessage;
        }"""
    )

    assert painted[0] == 0
    assert told == [clip.codec, "unit", "unit"]
    assert spared_ms == 200
    assert resumed
    assert difference(pixels, clip.decode()[9]) < 4


def test_next_seek_reuses_the_decoder(run: Run, clip: Clip) -> None:
    """The next seek reuses the decoder, unless it is still busy: a new one takes 10 to 50 ms."""
    kept, closed, pixels = run(
        """await rig.play(0, 1);
        const told = [];
        const { postMessage } = Worker.prototype;
        Worker.prototype.postMessage = function (message, moved) {
          told.push(message.unit === null ? 'closed' : message.id);
          postMessage.call(this, message, moved);
        };
        let seek = 0;
        rig.request = async (event, { at }) => {
          seek += 1;
          return { ok: true, at, from: 900, to: 1100, seek };
        };
        const painted = (seq) => until(() => rig.acks.some((one) => one.seq === seq));
        try {
          for (const [to, live] of [[10, 99], [12, 100]]) {
            rig.viewer.seek(1000);
            await until(() => seek % 2 === 1);
            rig.sendPacked(8, to, { live: false, seek });
            await painted(to - 1);
            rig.viewer.seek(null);
            await until(() => seek % 2 === 0);
            rig.send(16, { seq: live });
            await painted(live);
          }
          const kept = new Set(told).size;
          rig.viewer.seek(1000);
          await until(() => seek === 5);
          rig.sendPacked(8, 16, { live: false, seek });
          rig.viewer.seek(null);
          rig.send(16, { seq: 101 });
          await painted(101);
          return [kept, told.at(-1), rig.pixels()];
        } finally {
          Worker.prototype.postMessage = postMessage;
        }"""
    )

    assert (kept, closed) == (1, "closed")
    assert difference(pixels, clip.decode()[16]) < 4


def test_focused_camera_prepares_a_seek_decoder(run: Run, clip: Clip) -> None:
    """The decoder is ready even if the first picture comes later, as on opening a link."""
    told = run(
        """const told = [];
        const { postMessage } = Worker.prototype;
        Worker.prototype.postMessage = function (message, moved) {
          told.push(message.codec ?? 'other');
          postMessage.call(this, message, moved);
        };
        try {
          rig.viewer.expectPast();
          const before = told.length;
          await rig.play(0, 3);
          return [before, told];
        } finally {
          Worker.prototype.postMessage = postMessage;
        }"""
    )

    assert told == [0, [clip.codec]]


def test_past_is_decoded_here_if_the_worker_fails(run: Run, clip: Clip) -> None:
    """Without a worker, as under a policy that forbids more, pending seeks are repeated here."""
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


def test_undecodable_moment_is_sent_as_jpeg(run: Run) -> None:
    """A group that fails is sought once more, then as JPEG; the server used to wait forever."""
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


def test_decoders_return_each_picture_at_once(run: Run) -> None:
    """By default a decoder returns a picture only when it is given the next one."""
    configs = run("await rig.play(0, 1); return counts.configs;")

    assert [config["optimizeForLatency"] for config in configs] == [True]
    assert "description" not in configs[0]


def test_lost_canvas_context_keeps_the_stream(run: Run, clip: Clip) -> None:
    """While the canvas context is lost, frames are acknowledged, but not counted as painted."""
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


def test_all_tiles_share_one_animation_frame(blank: Page) -> None:
    """Tiles share an animation frame, and an error in one does not stop the others."""
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
    assert asked == 3  # One of them was cancelled, as nothing else waited.
