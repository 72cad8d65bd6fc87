import { smoothed } from './rate.js';

/**
 * Decides how many frames one acknowledgement may cover. Each one costs the server more than its few bytes
 * suggest, and a viewer that keeps up loses nothing by sending half as many.
 *
 * The server allows two frames in flight. With one acknowledgement for both, the third frame can be sent on
 * time only if the second is received, painted and acknowledged within a frame interval. So two share one only
 * if that takes well under half an interval, and only after a while without a missed frame. A missed frame ends
 * it at once, and each time the next attempt waits longer, so that it costs almost no frames where it is the
 * cause.
 *
 * Times are passed in, in milliseconds.
 */
const MAX_FRAMES = 2;
const MIN_WAIT_MS = 2000;
const MAX_WAIT_MS = 300000;
const MAX_SHARE = 0.5;
// The first of two frames waits a whole interval for its acknowledgement, which is due within 50 ms.
const MAX_INTERVAL_MS = 42;

export class Thinning {
  #thin = false;
  #goodSinceMs = NaN;
  #waitMs = MIN_WAIT_MS;
  #lastAt = NaN;
  #intervalMs = NaN;
  #holdMs = NaN;

  /**
   * Record a painted frame.
   *
   * @param {object} facts
   * @param {number} facts.at            Its capture time in seconds.
   * @param {boolean} facts.gap          Frames were missed before it.
   * @param {number} facts.holdMs        From its arrival to its paint: decoding, and waiting for the screen.
   * @param {number} facts.roundTripMs   To the server and back; NaN while unknown.
   * @param {number} nowMs
   * @returns {number} how many frames an acknowledgement may cover
   */
  painted({ at, gap, holdMs, roundTripMs }, nowMs) {
    if (gap) {
      this.miss();
    } else {
      // Not an interval with a gap in it, which would look as if there were time.
      this.#intervalMs = smoothed(this.#intervalMs, (at - this.#lastAt) * 1000);
      this.#holdMs = smoothed(this.#holdMs, holdMs);
    }
    this.#lastAt = at;
    const inTime =
      this.#intervalMs < MAX_INTERVAL_MS && roundTripMs + this.#holdMs < MAX_SHARE * this.#intervalMs;
    if (!inTime || gap) this.#goodSinceMs = NaN;
    else if (Number.isNaN(this.#goodSinceMs)) this.#goodSinceMs = nowMs;
    // False while #goodSinceMs is NaN.
    this.#thin = nowMs - this.#goodSinceMs >= this.#waitMs;
    return this.#thin ? MAX_FRAMES : 1;
  }

  /** A frame was missed, or replaced by a newer one. */
  miss() {
    if (this.#thin) this.#waitMs = Math.min(2 * this.#waitMs, MAX_WAIT_MS);
    this.#thin = false;
    this.#goodSinceMs = NaN;
  }

  /** The frames start again; what was learned about the wait stays. */
  restart() {
    this.#thin = false;
    this.#goodSinceMs = NaN;
    this.#lastAt = NaN;
    this.#intervalMs = NaN;
    this.#holdMs = NaN;
  }
}
