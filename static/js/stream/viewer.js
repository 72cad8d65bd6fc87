/**
 * One viewer of one camera: requests frames while they are wanted, paints and acknowledges them, and sends reports.
 * Uses no DOM, so it can run in a worker. The page sees it through bridge/viewer-proxy.js.
 */
import { Acknowledger } from './acknowledger.js';
import { nowUnix } from './clock.js';
import { isWhole, parseHeader } from './header.js';
import { canDecode } from '../painting/codecs.js';
import { Painter } from '../painting/painter.js';
import { PastRequests } from './past-requests.js';
import { smoothed } from './rate.js';
import { Sequence } from './sequence.js';
import { MAX_FRAMES } from './thinning.js';
import { VideoChoice } from './video-choice.js';

const RETRY_MS = 2000;
// A viewer that already gets frames retries a change sooner.
const ADJUST_RETRY_MS = 500;
// A browser is overloaded if a frame takes this long to be decoded.
const SLOW_MS = 150;
// Spreads the retries of tiles that failed together.
const SPREAD = 0.5;
// While a window is resized, widths change often.
const SETTLED_MS = 200;

/**
 * Every report is complete, so that a late one is merely late.
 *
 * @typedef {object} Report
 * @property {string} camera
 * @property {boolean} watching      Whether we joined the camera's room, or are about to.
 * @property {number} watch          Counts joins; measurements start again with each.
 * @property {number} aliveUnix      When the last frame was painted or, if later, `watch` was sent.
 * @property {number} received       Frames received since the page opened.
 * @property {number} painted        Received frames that were painted.
 * @property {number} dropped        Frames skipped between painted ones.
 * @property {number} skippedHere    Dropped frames that were received and replaced by a newer one.
 * @property {number} undecodable    Dropped frames that were not a JPEG.
 * @property {number} bytes          Total of all frames received since the page opened.
 * @property {number} frameBytes     Average size of a frame.
 * @property {number} decodeMs       Average time from arrival to decoded.
 * @property {number} inDecoder      Units of video in the decoder now.
 * @property {number} lastSeq        Number of the last frame painted in this watch; -1 before the first.
 * @property {number | null} at      Capture time of the picture on the canvas; null without one.
 * @property {boolean} live          Whether that picture is live; only live pictures are counted.
 * @property {import('./past-requests.js').PastReport} past  The moment of the past shown or requested.
 * @property {string} rendition      Of the picture on the canvas; empty without one.
 * @property {string} reason         Why the server chose it: `fixed`, `tile`, `network`, `decoding` or `server`.
 * @property {string | null} codec   Of the picture on the canvas; null if it is a JPEG.
 * @property {string} videoFault     Why there is no video although it was requested; see unit-decoder.js.
 * @property {import('./latency.js').Spent} spent  Sums over all painted frames.
 */

export class Viewer {
  #connection;
  #clock;
  #camera;
  #report;
  #painter;
  #acknowledger;
  #sequence = new Sequence();
  #choice = new VideoChoice();
  #past;
  // Whether the newest `watch` asked for video. If not, any unit that arrives was sent earlier.
  #videoAsked = false;
  // Promise of the answer to that `watch`; never rejects.
  #watchReply = null;
  #catchingUp = false;
  #wanted = false;
  #rendition = 'auto';
  #width = 0;
  #reason = '';
  #adjustTimer = 0;
  // Whether to request the fitting rendition once live is shown again.
  #adjusts = false;
  #videoTimer = 0;
  #pastExpected = false;
  #watching = false;
  #watches = 0;
  // Incremented by every watch and unwatch, so that a late answer to an earlier one is ignored.
  #turn = 0;
  #retryTimer = 0;
  #aliveUnix = nowUnix();
  #received = 0;
  #painted = 0;
  #skippedHere = 0;
  #undecodable = 0;
  #bytes = 0;
  #frameBytes = NaN;
  #decodeMs = NaN;
  #lastFrame = null;
  #spent = { transitMs: 0, decodeMs: 0, paintMs: 0 };

  /**
   * @param {import('./connection.js').Connection} connection
   * @param {import('./clock.js').ClockOffset} clock  For the round trip.
   * @param {string} camera
   * @param {HTMLCanvasElement | OffscreenCanvas} canvas
   * @param {(report: Report) => void} report  Called for every painted frame and change.
   */
  constructor(connection, clock, camera, canvas, report) {
    this.#connection = connection;
    this.#clock = clock;
    this.#camera = camera;
    this.#report = report;
    const ask = async (event, payload) => {
      // A `watch` ends the past, so it must be answered before the past begins.
      await this.#watchReply;
      return connection.request(event, { camera, ...payload });
    };
    this.#past = new PastRequests(ask, {
      onChange: () => {
        this.#sendReport();
        if (this.#adjusts && !this.#past.away) this.#adjust();
      },
      onSwitch: () => this.#onSwitch(),
    });
    this.#acknowledger = new Acknowledger((seq, holdMs) => connection.ack(camera, seq, holdMs));
    this.#painter = new Painter(canvas, {
      onPainted: (frame) => this.#onPainted(frame),
      onSkipped: (frame) => this.#onSkipped(frame),
      onHeld: ({ header, receivedMs }) => this.#acknowledger.rejected(header.seq, performance.now() - receivedMs),
      onUnpainted: ({ header }) => this.#acknowledger.rejected(header.seq),
      onFailed: (frame) => this.#onFailed(frame),
      onVideoFailed: (fault, unit) => this.#onVideoFailed(fault, unit?.header.codec ?? ''),
    });
  }

  /**
   * The last painted frame as a JPEG; null before the first.
   *
   * @returns {Promise<import('../bridge/client.js').Shown | null>}
   */
  async lastPicture() {
    const frame = this.#lastFrame;
    if (frame === null) return null;
    const { header, bytes } = frame;
    return { header, jpeg: header.codec === null ? bytes : await this.#painter.copy('image/jpeg') };
  }

  /** What is on the canvas; null before the first frame. @returns {Promise<ImageBitmap | null>} */
  async grab() {
    return this.#lastFrame && this.#painter.grab();
  }

  /**
   * Watch while true, leave the room while false.
   *
   * @param {boolean} wanted
   * @param {string} rendition  A rendition's name, or `auto` for the one that fits.
   * @param {number} width  Of the tile, in device pixels.
   */
  want(wanted, rendition, width) {
    const other = rendition !== this.#rendition || width !== this.#width;
    this.#rendition = rendition;
    this.#width = width;
    if (wanted !== this.#wanted) {
      this.#wanted = wanted;
      if (wanted) this.#watch();
      else this.#unwatch();
    } else if (wanted && other) {
      clearTimeout(this.#adjustTimer);
      this.#adjustTimer = setTimeout(() => this.#adjust(), SETTLED_MS);
    }
  }

  /** Set the codec families to request; empty for JPEG only. @param {string[]} families */
  setVideo(families) {
    if (this.#choice.offer(families)) this.#adjust();
  }

  /** Show a moment of the past; null returns to live. @param {number | null} at */
  seek(at) {
    if (at !== null) this.#painter.expectPast(this.#newestCodec);
    this.#past.seek(at);
  }

  /** Prepare a decoder, as soon as the codec is known: somebody may look back. */
  expectPast() {
    this.#pastExpected = this.#newestCodec === null;
    this.#painter.preparePast(this.#newestCodec);
  }

  get #newestCodec() {
    return this.#videoAsked ? (this.#lastFrame?.header.codec ?? null) : null;
  }

  /** Play the past; 0 pauses. @param {number} speed */
  play(speed) {
    this.#past.play(speed);
  }

  /** Step within the past. @param {number} by  Frames. */
  step(by) {
    this.#past.step(by);
  }

  /** The server switched to another rendition. @param {{reason: string}} facts */
  onRendition({ reason }) {
    this.#reason = reason;
  }

  /** Connected: the server does not know this viewer yet. */
  onHello() {
    this.#forget();
    this.#choice.restart();
    if (this.#wanted) this.#watch();
  }

  /** Disconnected: frames in flight will not arrive. */
  onDown() {
    this.#forget();
    this.#sendReport();
  }

  /** @param {unknown} rawHeader @param {unknown} bytes */
  onFrame(rawHeader, bytes) {
    const header = parseHeader(rawHeader);
    if (!this.#watching || header === null || !(bytes instanceof ArrayBuffer) || !isWhole(header, bytes)) return;
    const isVideo = header.codec !== null;
    const accepted = this.#past.accept(header);
    if (header.live) {
      this.#received += 1;
      this.#bytes += bytes.byteLength;
      this.#frameBytes = smoothed(this.#frameBytes, bytes.byteLength);
      if (isVideo && this.#videoAsked) this.#noteJoin(header);
    }
    const shown = !header.catchUp && accepted && (!header.live || this.#sequence.accept(header));
    if (!shown && !header.catchUp) this.#acknowledger.rejected(header.seq);
    // Decode even a unit that is not shown: the next one needs it.
    if (isVideo ? this.#videoAsked : shown) {
      this.#painter.offer({ header, bytes, shown, receivedMs: performance.now() });
    } else if (shown) {
      this.#acknowledger.rejected(header.seq);
    }
  }

  // The gap between the last live frame and the next is neither loss nor silence.
  #onSwitch() {
    this.#sequence.rebase();
    this.#sequence.settle();
    this.#acknowledger.restart();
    this.#aliveUnix = nowUnix();
  }

  // Catching up is decoding that nobody sees; it would make a slow browser slower still.
  #noteJoin({ catchUp, codec }) {
    const joins = catchUp && !this.#catchingUp;
    this.#catchingUp = catchUp;
    if (joins && this.#choice.joined(performance.now()) && this.#decodeMs > SLOW_MS) this.#onVideoFailed('slow', codec);
  }

  /** Leave the room for good. */
  close() {
    this.want(false, this.#rendition, 0);
    this.#forget();
  }

  async #watch() {
    clearTimeout(this.#retryTimer);
    if (!this.#connection.connected) return;
    this.#turn += 1;
    const turn = this.#turn;
    this.#watching = true;
    this.#watches += 1;
    this.#aliveUnix = nowUnix();
    this.#sequence.rebase();
    this.#sendReport();
    const reply = await this.#ask();
    if (turn !== this.#turn) return;
    if (reply.ok) {
      this.#onReply(reply);
      this.#sequence.settle();
      this.#past.restart();
    } else {
      this.#onRefused(reply);
      this.#watching = false;
      this.#sendReport();
      this.#retryTimer = setTimeout(() => this.#wanted && this.#watch(), RETRY_MS);
    }
  }

  /** Request the rendition that fits now; frames keep coming meanwhile. */
  async #adjust() {
    if (!this.#watching) return;
    // A `watch` would end the past, and the past has no renditions to choose from.
    this.#adjusts = this.#past.away;
    if (this.#adjusts) return;
    const turn = this.#turn;
    const reply = await this.#ask();
    if (turn !== this.#turn) return;
    if (reply.ok) {
      this.#onReply(reply);
    } else {
      this.#onRefused(reply);
      clearTimeout(this.#adjustTimer);
      // Until it succeeds, frames may arrive as video that is not decoded.
      this.#adjustTimer = setTimeout(() => this.#adjust(), ADJUST_RETRY_MS);
    }
  }

  #onRefused({ error }) {
    // The chosen rendition may no longer exist; any other is better than none.
    if (error === 'bad_request') this.#rendition = 'auto';
  }

  async #onReply({ reason, window, video = null }) {
    this.#reason = reason;
    this.#acknowledger.grant(window);
    if (video === null || !this.#videoAsked || (await canDecode(video))) return;
    if (this.#videoAsked) this.#onVideoFailed('unsupported', video);
  }

  #ask() {
    const width = Math.max(1, this.#width);
    const payload = { camera: this.#camera, rendition: this.#rendition, width, acks: MAX_FRAMES };
    const nowMs = performance.now();
    const video = this.#choice.families(nowMs);
    const pauseMs = this.#choice.pauseMs(nowMs);
    clearTimeout(this.#videoTimer);
    if (pauseMs > 0) this.#videoTimer = setTimeout(() => this.#adjust(), pauseMs * (1 + SPREAD * Math.random()));
    this.#videoAsked = video.length > 0;
    if (!this.#videoAsked) this.#painter.endVideo();
    this.#watchReply = this.#connection.request('watch', this.#videoAsked ? { ...payload, video } : payload);
    return this.#watchReply;
  }

  #unwatch() {
    const wasWatching = this.#watching;
    this.#forget();
    this.#sendReport();
    if (wasWatching) this.#connection.request('unwatch', { camera: this.#camera });
  }

  #forget() {
    this.#turn += 1;
    this.#watching = false;
    clearTimeout(this.#adjustTimer);
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#videoTimer);
    this.#adjusts = false;
    this.#past.forget();
    this.#painter.reset();
    this.#acknowledger.restart();
  }

  #onPainted(frame) {
    const { header, receivedMs, decodedMs } = frame;
    const nowMs = performance.now();
    this.#lastFrame = frame;
    if (!header.live) {
      this.#acknowledger.past(header.seq, nowMs - receivedMs);
      this.#past.painted(header);
      this.#sendReport();
      return;
    }
    const gap = this.#sequence.paint(header) > 0;
    const roundTripMs = this.#clock.roundTrip * 1000;
    // First, because the server waits for the credit.
    const facts = { at: header.at, gap, holdMs: nowMs - receivedMs, roundTripMs, video: header.codec !== null };
    this.#acknowledger.painted(header.seq, facts, nowMs);
    this.#aliveUnix = nowUnix();
    this.#painted += 1;
    this.#decodeMs = smoothed(this.#decodeMs, decodedMs - receivedMs);
    if (header.codec !== null) this.#choice.worked();
    if (header.codec !== null && this.#pastExpected) this.expectPast();
    this.#count(frame, nowMs);
    this.#sendReport();
  }

  #count({ header, receivedMs, decodedMs }, paintedMs) {
    const spent = this.#spent;
    spent.transitMs += performance.timeOrigin + receivedMs - header.at * 1000;
    spent.decodeMs += decodedMs - receivedMs;
    spent.paintMs += paintedMs - decodedMs;
  }

  #onSkipped({ header }) {
    if (!header.live) {
      this.#acknowledger.past(header.seq);
    } else if (this.#past.active) {
      // No newer live frame follows whose acknowledgement would cover it.
      this.#acknowledger.rejected(header.seq);
    } else {
      this.#skippedHere += 1;
      this.#acknowledger.skipped();
    }
  }

  #onFailed({ header }) {
    this.#undecodable += 1;
    // A frame that cannot be painted must be acknowledged too, or the server would stop sending.
    this.#acknowledger.rejected(header.seq);
    this.#sendReport();
  }

  /** Fall back to JPEG, and try video again later; in the past, seek again. */
  #onVideoFailed(fault, codec) {
    if (this.#past.active) {
      this.#past.retry();
      return;
    }
    this.#choice.failed(fault, codec, performance.now());
    this.#adjust();
    this.#sendReport();
  }

  #sendReport() {
    this.#report({
      camera: this.#camera,
      watching: this.#watching,
      watch: this.#watches,
      aliveUnix: this.#aliveUnix,
      received: this.#received,
      painted: this.#painted,
      dropped: this.#sequence.dropped,
      skippedHere: this.#skippedHere,
      undecodable: this.#undecodable,
      bytes: this.#bytes,
      frameBytes: this.#frameBytes,
      decodeMs: this.#decodeMs,
      inDecoder: this.#painter.inDecoder,
      lastSeq: this.#sequence.last ?? -1,
      at: this.#lastFrame?.header.at ?? null,
      live: this.#lastFrame?.header.live ?? true,
      past: this.#past.report,
      rendition: this.#lastFrame?.header.rendition ?? '',
      reason: this.#reason,
      codec: this.#lastFrame?.header.codec ?? null,
      videoFault: this.#choice.fault,
      // A copy: on the page's own thread, messages are not cloned.
      spent: { ...this.#spent },
    });
  }
}
