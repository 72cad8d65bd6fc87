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
// Without a GPU, from so many pictures a second on they are painted together: the page is composited whole, however few
// are new. Often enough for each picture of a camera of 30 a second.
const MANY = 100;
const TOGETHER_MS = 25;
// A picture that somebody waits for has the time of the others for so long.
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

  /** How long after the last pictures the next ones are painted at the earliest; 0 for at each refresh. @param {number} nowMs */
  intervalMs(nowMs) {
    return nowMs < this.#sparedUntilMs ? MOST_MS : Math.max(this.#leastMs, this.#intervalMs);
  }

  /** Somebody waits for a picture of the past: leave its decoder the time that painting takes. @param {number} nowMs */
  spare(nowMs) {
    this.#sparedUntilMs = nowMs + SPARED_MS;
  }

  /** It is there. */
  resume() {
    this.#sparedUntilMs = -Infinity;
  }

  /**
   * A picture that is to be shown was decoded.
   *
   * @param {number} behindMs  How long there has been something to decode.
   * @param {number} nowMs
   * @param {boolean} drawsSlowly  The browser draws without a GPU.
   */
  decoded(behindMs, nowMs, drawsSlowly) {
    // After a silence, what was noted before says nothing.
    if (!(nowMs - this.#beganMs < 2 * WINDOW_MS)) this.#begin(nowMs);
    this.#count += 1;
    if (behindMs > LATE_MS) this.#late += 1;
    if (behindMs < SOON_MS) this.#soon += 1;
    if (nowMs - this.#beganMs < WINDOW_MS) return;
    const perSecond = (1000 * this.#count) / (nowMs - this.#beganMs);
    this.#leastMs = drawsSlowly && perSecond > MANY ? TOGETHER_MS : 0;
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
