/**
 * One viewer of one camera: asks for frames while they are wanted, paints and acknowledges them, and
 * keeps count.
 */
import { nowUnix } from './clock.js';
import { parseHeader } from './header.js';
import { Painter } from './painter.js';
import { RecentMedian, Rate } from './rate.js';
import { Sequence } from './sequence.js';

const RETRY_MS = 2000;

/** Event: `painted` when the first picture after a `watch` is on the canvas. */
export class Viewer extends EventTarget {
  #link;
  #clock;
  #name;
  #canvas;
  #painter;
  #sequence = new Sequence();
  #rate = new Rate();
  #bytes = new Rate();
  #latency = new RecentMedian();
  #wanted = false;
  #watching = false;
  // Raised by every watch and unwatch, so that a late answer to an earlier one changes nothing.
  #turn = 0;
  #retryTimer = 0;
  #aliveMs = performance.now();
  #painted = 0;
  #paintedThisWatch = 0;
  #skippedHere = 0;
  #undecodable = 0;
  #averageBytes = NaN;
  #lastFrame = null;

  /**
   * @param {import('./socket.js').Link} link
   * @param {import('./clock.js').ClockOffset} clock
   * @param {string} name
   * @param {HTMLCanvasElement} canvas
   */
  constructor(link, clock, name, canvas) {
    super();
    this.#link = link;
    this.#clock = clock;
    this.#name = name;
    this.#canvas = canvas;
    this.#painter = new Painter(canvas, {
      onPainted: (frame) => this.#onPainted(frame),
      onSkipped: () => {
        this.#skippedHere += 1;
      },
      onFailed: (frame) => this.#onFailed(frame),
    });
  }

  get name() {
    return this.#name;
  }

  /** We are in the camera's room, or on the way into it. */
  get watching() {
    return this.#watching;
  }

  /** Frames painted since the page opened. */
  get painted() {
    return this.#painted;
  }

  /** Frames skipped between painted ones. */
  get dropped() {
    return this.#sequence.dropped;
  }

  /** Of the dropped ones, those that reached this page and made room for a newer one. */
  get skippedHere() {
    return this.#skippedHere;
  }

  /** Of the dropped ones, those whose bytes were no JPEG. */
  get undecodable() {
    return this.#undecodable;
  }

  get fps() {
    return this.#watching ? this.#rate.perSecond(performance.now()) : 0;
  }

  /** Median from capture to paint of the last second or so; NaN while unknown. */
  get latencyMs() {
    return this.#watching ? this.#latency.value : NaN;
  }

  get lastSeq() {
    return this.#sequence.last ?? -1;
  }

  get frameBytes() {
    return this.#averageBytes;
  }

  get bytesPerSecond() {
    return this.#watching ? this.#bytes.perSecond(performance.now()) * (this.#averageBytes || 0) : 0;
  }

  /** The last painted frame with its JPEG; null before the first. */
  get lastFrame() {
    return this.#lastFrame;
  }

  /** Seconds since the last paint or, if later, since we began to watch. */
  get silenceS() {
    return (performance.now() - this.#aliveMs) / 1000;
  }

  /** Age of the picture on the canvas in seconds; NaN without one. */
  get pictureAgeS() {
    return this.#lastFrame ? nowUnix() + this.#clock.offset - this.#lastFrame.header.at : NaN;
  }

  /** Watch while true, leave the room while false. @param {boolean} wanted */
  want(wanted) {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    if (wanted) this.#watch();
    else this.#unwatch();
  }

  /** The server is (again) there and knows nothing of us. */
  onHello() {
    this.#forget();
    if (this.#wanted) this.#watch();
  }

  /** The server is gone: nothing of what is in flight will arrive. */
  onDown() {
    this.#forget();
  }

  /** @param {unknown} rawHeader @param {unknown} jpeg */
  onFrame(rawHeader, jpeg) {
    const header = parseHeader(rawHeader);
    if (!this.#watching || header === null || !(jpeg instanceof ArrayBuffer)) return;
    const nowMs = performance.now();
    this.#bytes.add(nowMs);
    this.#averageBytes = average(this.#averageBytes, jpeg.byteLength);
    if (this.#sequence.accept(header)) {
      this.#painter.offer({ header, jpeg });
    } else {
      // Not painted, but the server counts it as in flight until it hears of it.
      this.#link.ack(this.#name, header.seq);
    }
  }

  /** Leave for good. */
  close() {
    this.want(false);
    this.#forget();
  }

  async #watch() {
    clearTimeout(this.#retryTimer);
    if (!this.#link.connected) return;
    this.#turn += 1;
    const turn = this.#turn;
    this.#watching = true;
    this.#aliveMs = performance.now();
    this.#paintedThisWatch = 0;
    this.#sequence.rebase();
    this.#rate.clear();
    this.#latency.clear();
    const width = Math.round(this.#canvas.clientWidth * devicePixelRatio);
    const reply = await this.#link.request('watch', { camera: this.#name, width });
    if (turn !== this.#turn) return;
    if (reply.ok) {
      this.#sequence.settle();
    } else {
      this.#watching = false;
      this.#retryTimer = setTimeout(() => this.#wanted && this.#watch(), RETRY_MS);
    }
  }

  #unwatch() {
    const wasWatching = this.#watching;
    this.#forget();
    if (wasWatching) this.#link.request('unwatch', { camera: this.#name });
  }

  #forget() {
    this.#turn += 1;
    this.#watching = false;
    clearTimeout(this.#retryTimer);
    this.#painter.reset();
  }

  #onPainted(frame) {
    const { header } = frame;
    // The server's credit waits for this; everything else can wait for it.
    this.#link.ack(this.#name, header.seq);
    const nowMs = performance.now();
    this.#aliveMs = nowMs;
    this.#painted += 1;
    this.#paintedThisWatch += 1;
    this.#lastFrame = frame;
    this.#sequence.paint(header);
    this.#rate.add(nowMs);
    if (this.#clock.known) this.#latency.add((nowUnix() + this.#clock.offset - header.at) * 1000);
    if (this.#paintedThisWatch === 1) this.dispatchEvent(new CustomEvent('painted'));
  }

  #onFailed({ header }) {
    this.#undecodable += 1;
    // Credit for a frame that cannot be painted must come back too, or the camera would stand still.
    this.#link.ack(this.#name, header.seq);
  }
}

function average(before, value) {
  return Number.isFinite(before) ? before + 0.1 * (value - before) : value;
}
