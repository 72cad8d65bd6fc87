/**
 * One viewer of one camera: asks for frames while they are wanted, paints and acknowledges them, and
 * reports. Knows no document: it may run in a worker. What the page makes of it is in remote.js.
 */
import { Acknowledger } from './acknowledger.js';
import { nowUnix } from './clock.js';
import { parseHeader } from './header.js';
import { Painter } from './painter.js';
import { Sequence } from './sequence.js';

const RETRY_MS = 2000;
// A window being resized passes many widths.
const SETTLED_MS = 200;

/**
 * All there is to know, every time, so that a report that comes late is only late.
 *
 * @typedef {object} Report
 * @property {string} camera
 * @property {boolean} watching      We are in the camera's room, or on the way into it.
 * @property {number} watch          How often we went there; what is measured begins anew with each.
 * @property {number} aliveUnix      When the last frame was painted or, if later, `watch` was sent.
 * @property {number} received       Frames that came in since the page opened.
 * @property {number} painted        Of these, those painted.
 * @property {number} dropped        Frames skipped between painted ones.
 * @property {number} skippedHere    Of the dropped ones, those that came in and made room for a newer one.
 * @property {number} undecodable    Of the dropped ones, those whose bytes were no JPEG.
 * @property {number} frameBytes     Size of a JPEG, averaged.
 * @property {number} lastSeq        Of the frame painted last in this watch; -1 before the first.
 * @property {number | null} at      Capture time of the picture on the canvas; null without one.
 * @property {string} rendition      Of that picture; empty without one.
 * @property {string} reason         Why it is that one: `fixed`, `tile`, `network`, `decoding` or `server`.
 * @property {import('./latency.js').Spent} spent  Of all painted frames together.
 */

export class Viewer {
  #connection;
  #clock;
  #camera;
  #report;
  #painter;
  #acknowledger;
  #sequence = new Sequence();
  #wanted = false;
  #rendition = 'auto';
  #width = 0;
  #reason = '';
  #aimTimer = 0;
  #watching = false;
  #watches = 0;
  // Raised by every watch and unwatch, so that a late answer to an earlier one changes nothing.
  #turn = 0;
  #retryTimer = 0;
  #aliveUnix = nowUnix();
  #received = 0;
  #painted = 0;
  #skippedHere = 0;
  #undecodable = 0;
  #frameBytes = NaN;
  #lastFrame = null;
  #spent = { transitMs: 0, decodeMs: 0, paintMs: 0 };

  /**
   * @param {import('./connection.js').Connection} connection
   * @param {import('./clock.js').ClockOffset} clock  Knows the round trip.
   * @param {string} camera
   * @param {HTMLCanvasElement | OffscreenCanvas} canvas
   * @param {(report: Report) => void} report  Called for every painted frame and change.
   */
  constructor(connection, clock, camera, canvas, report) {
    this.#connection = connection;
    this.#clock = clock;
    this.#camera = camera;
    this.#report = report;
    this.#acknowledger = new Acknowledger((seq, holdMs) => connection.ack(camera, seq, holdMs));
    this.#painter = new Painter(canvas, {
      onPainted: (frame) => this.#onPainted(frame),
      onSkipped: () => this.#onSkipped(),
      onFailed: (frame) => this.#onFailed(frame),
    });
  }

  /** The last painted frame with its JPEG; null before the first. */
  get lastFrame() {
    return this.#lastFrame;
  }

  /**
   * Watch while true, leave the room while false.
   *
   * @param {boolean} wanted
   * @param {string} rendition  The name of one, or `auto` for what fits.
   * @param {number} width  What the tile measures in device pixels.
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
      clearTimeout(this.#aimTimer);
      this.#aimTimer = setTimeout(() => this.#aim(), SETTLED_MS);
    }
  }

  /** The server sends another rendition from now on. @param {{reason: string}} facts */
  onRendition({ reason }) {
    this.#reason = reason;
  }

  /** The server is (again) there and knows nothing of us. */
  onHello() {
    this.#forget();
    if (this.#wanted) this.#watch();
  }

  /** The server is gone: nothing of what is in flight will arrive. */
  onDown() {
    this.#forget();
    this.#tell();
  }

  /** @param {unknown} rawHeader @param {unknown} jpeg */
  onFrame(rawHeader, jpeg) {
    const header = parseHeader(rawHeader);
    if (!this.#watching || header === null || !(jpeg instanceof ArrayBuffer)) return;
    this.#received += 1;
    this.#frameBytes = average(this.#frameBytes, jpeg.byteLength);
    if (this.#sequence.accept(header)) {
      this.#painter.offer({ header, jpeg, receivedMs: performance.now() });
    } else {
      this.#acknowledger.refused(header.seq);
    }
  }

  /** Leave for good. */
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
    this.#tell();
    const reply = await this.#ask();
    if (turn !== this.#turn) return;
    if (reply.ok) {
      this.#reason = reply.reason;
      this.#sequence.settle();
    } else {
      // A size that was chosen long ago may be offered no more; better another than none.
      if (reply.error === 'bad_request') this.#rendition = 'auto';
      this.#watching = false;
      this.#tell();
      this.#retryTimer = setTimeout(() => this.#wanted && this.#watch(), RETRY_MS);
    }
  }

  /** Have the rendition fit a tile that has changed; the pictures go on meanwhile. */
  async #aim() {
    if (!this.#watching) return;
    const turn = this.#turn;
    const reply = await this.#ask();
    if (turn === this.#turn && reply.ok) this.#reason = reply.reason;
  }

  #ask() {
    const width = Math.max(1, this.#width);
    return this.#connection.request('watch', { camera: this.#camera, rendition: this.#rendition, width });
  }

  #unwatch() {
    const wasWatching = this.#watching;
    this.#forget();
    this.#tell();
    if (wasWatching) this.#connection.request('unwatch', { camera: this.#camera });
  }

  #forget() {
    this.#turn += 1;
    this.#watching = false;
    clearTimeout(this.#aimTimer);
    clearTimeout(this.#retryTimer);
    this.#painter.reset();
    this.#acknowledger.restart();
  }

  #onPainted(frame) {
    const { header, receivedMs } = frame;
    const nowMs = performance.now();
    const gap = this.#sequence.paint(header) > 0;
    const roundTripMs = this.#clock.roundTrip * 1000;
    // The server's credit waits for this; everything else can wait for it.
    const facts = { at: header.at, gap, holdMs: nowMs - receivedMs, roundTripMs };
    this.#acknowledger.painted(header.seq, facts, nowMs);
    this.#aliveUnix = nowUnix();
    this.#painted += 1;
    this.#lastFrame = frame;
    this.#count(frame, nowMs);
    this.#tell();
  }

  #count({ header, receivedMs, decodedMs }, paintedMs) {
    const spent = this.#spent;
    spent.transitMs += performance.timeOrigin + receivedMs - header.at * 1000;
    spent.decodeMs += decodedMs - receivedMs;
    spent.paintMs += paintedMs - decodedMs;
  }

  #onSkipped() {
    this.#skippedHere += 1;
    this.#acknowledger.skipped();
  }

  #onFailed({ header }) {
    this.#undecodable += 1;
    // Credit for a frame that cannot be painted must come back too, or the camera would stand still.
    this.#acknowledger.refused(header.seq);
    this.#tell();
  }

  #tell() {
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
      frameBytes: this.#frameBytes,
      lastSeq: this.#sequence.last ?? -1,
      at: this.#lastFrame?.header.at ?? null,
      rendition: this.#lastFrame?.header.rendition ?? '',
      reason: this.#reason,
      // A copy: beside the page nothing else would make one.
      spent: { ...this.#spent },
    });
  }
}

function average(before, value) {
  return Number.isFinite(before) ? before + 0.1 * (value - before) : value;
}
