/**
 * Sets how often a page paints: at every screen refresh while the browser keeps up, and less often while pictures wait to
 * be decoded. Every frame of a video must be decoded; painting and compositing cost more and can be skipped.
 *
 * Times are passed in, in milliseconds.
 */

// A picture that takes this long shows a browser with too much to do, or with time left.
const LATE_MS = 100;
const SOON_MS = 40;
// The pace changes after this time, if more than this share of the pictures call for it.
const WINDOW_MS = 500;
const MIN_SHARE = 0.25;
// Paint faster again only after this long without lag.
const GOOD_MS = 3000;
const MIN_INTERVAL_MS = 33;
const MAX_INTERVAL_MS = 200;
// Without a GPU the page is composited whole, however few pictures are new, so above this many pictures per second they
// are painted together. The interval is short enough for every picture of a 30 fps camera.
const MANY_FPS = 100;
const BATCH_MS = 25;
// For this long, painting gives way to a picture of the past that somebody waits for.
const SPARED_MS = 400;

export class Pace {
  #intervalMs = 0;
  #leastMs = 0;
  #beganMs = NaN;
  #count = 0;
  #late = 0;
  #soon = 0;
  #goodSinceMs = NaN;
  #sparedUntilMs = -Infinity;

  /** Shortest time from one painting to the next; 0 for every refresh. @param {number} nowMs */
  intervalMs(nowMs) {
    return nowMs < this.#sparedUntilMs ? MAX_INTERVAL_MS : Math.max(this.#leastMs, this.#intervalMs);
  }

  /** Paint less for a while: somebody waits for a picture of the past, and its decoder needs the time. @param {number} nowMs */
  spare(nowMs) {
    this.#sparedUntilMs = nowMs + SPARED_MS;
  }

  /** End that: the picture has come. */
  resume() {
    this.#sparedUntilMs = -Infinity;
  }

  /**
   * Record that a picture to be shown was decoded.
   *
   * @param {number} behindMs  How long units have been waiting in or for the decoder.
   * @param {number} nowMs
   * @param {boolean} drawsSlowly  Whether the browser draws without a GPU.
   */
  decoded(behindMs, nowMs, drawsSlowly) {
    // After a silence, earlier counts mean nothing.
    if (!(nowMs - this.#beganMs < 2 * WINDOW_MS)) this.#begin(nowMs);
    this.#count += 1;
    if (behindMs > LATE_MS) this.#late += 1;
    if (behindMs < SOON_MS) this.#soon += 1;
    if (nowMs - this.#beganMs < WINDOW_MS) return;
    const perSecond = (1000 * this.#count) / (nowMs - this.#beganMs);
    this.#leastMs = drawsSlowly && perSecond > MANY_FPS ? BATCH_MS : 0;
    this.#decide(nowMs);
    this.#begin(nowMs);
  }

  #begin(nowMs) {
    this.#beganMs = nowMs;
    this.#count = 0;
    this.#late = 0;
    this.#soon = 0;
  }

  #decide(nowMs) {
    const enough = MIN_SHARE * this.#count;
    if (this.#late > enough) this.#intervalMs = Math.min(Math.max(MIN_INTERVAL_MS, 2 * this.#intervalMs), MAX_INTERVAL_MS);
    if (this.#count - this.#soon > enough) this.#goodSinceMs = NaN;
    else if (Number.isNaN(this.#goodSinceMs)) this.#goodSinceMs = nowMs;
    // False while #goodSinceMs is NaN.
    if (!(nowMs - this.#goodSinceMs >= GOOD_MS)) return;
    this.#intervalMs = this.#intervalMs > MIN_INTERVAL_MS ? this.#intervalMs / 2 : 0;
    this.#goodSinceMs = nowMs;
  }
}
