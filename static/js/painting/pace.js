/**
 * How far apart the pictures of a page are painted: at each refresh of the screen while the browser keeps up with what
 * arrives, and farther apart while pictures wait to be decoded. Of a video all have to be decoded; painting and
 * compositing, which take more, are what can be left out.
 *
 * Times are passed in, in milliseconds.
 */

// What a browser with too much to do takes for a picture, and at most one with time left.
const LATE_MS = 100;
const SOON_MS = 40;
// What is noted for so long decides, if it is true of more than a few.
const WINDOW_MS = 500;
const FEW = 0.25;
// Faster again only after so long: it may be too fast at once.
const GOOD_MS = 3000;
const LEAST_MS = 33;
const MOST_MS = 200;

export class Pace {
  #intervalMs = 0;
  #beganMs = NaN;
  #count = 0;
  #late = 0;
  #soon = 0;
  #goodSinceMs = NaN;

  /** How long after the last pictures the next ones are painted at the earliest; 0 for at each refresh. */
  get intervalMs() {
    return this.#intervalMs;
  }

  /**
   * A picture that is to be shown was decoded.
   *
   * @param {number} behindMs  How long there has been something to decode.
   * @param {number} nowMs
   */
  decoded(behindMs, nowMs) {
    // After a silence, what was noted before says nothing.
    if (!(nowMs - this.#beganMs < 2 * WINDOW_MS)) this.#begin(nowMs);
    this.#count += 1;
    if (behindMs > LATE_MS) this.#late += 1;
    if (behindMs < SOON_MS) this.#soon += 1;
    if (nowMs - this.#beganMs < WINDOW_MS) return;
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
    const few = FEW * this.#count;
    if (this.#late > few) this.#intervalMs = Math.min(Math.max(LEAST_MS, 2 * this.#intervalMs), MOST_MS);
    if (this.#count - this.#soon > few) this.#goodSinceMs = NaN;
    else if (Number.isNaN(this.#goodSinceMs)) this.#goodSinceMs = nowMs;
    // False while #goodSinceMs is NaN.
    if (!(nowMs - this.#goodSinceMs >= GOOD_MS)) return;
    this.#intervalMs = this.#intervalMs > LEAST_MS ? this.#intervalMs / 2 : 0;
    this.#goodSinceMs = nowMs;
  }
}
