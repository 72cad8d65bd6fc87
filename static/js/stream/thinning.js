/**
 * Decides how many frames one acknowledgement may cover. Each costs the server more than its few bytes
 * suggest, and a viewer that keeps up loses nothing by sending half as many.
 *
 * The server lets two frames be in flight. With one acknowledgement for both, the third frame can leave on
 * time only if the second is received, painted and acknowledged within a frame interval. So: only if that
 * takes well under half of it, and only after a while in which no frame was missed. Whatever is missed
 * takes it back at once, and each time the next attempt waits longer, so that where thinning itself is what
 * costs frames it costs next to none.
 *
 * Times are passed in, in milliseconds.
 */
const MOST = 2;
const PROOF_MS = 2000;
const MAX_REST_MS = 300000;
const ROOM = 0.5;
// The first of two frames waits a whole interval for its acknowledgement, which is owed within 50 ms.
const MAX_INTERVAL_MS = 42;
const WEIGHT = 0.1;

export class Thinning {
  #thin = false;
  #goodSinceMs = NaN;
  #restMs = PROOF_MS;
  #lastAt = NaN;
  #intervalMs = NaN;
  #holdMs = NaN;

  /**
   * Take note of a painted frame.
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
      // Never an interval with a gap in it: it would look as if there was time.
      this.#intervalMs = average(this.#intervalMs, (at - this.#lastAt) * 1000);
      this.#holdMs = average(this.#holdMs, holdMs);
    }
    this.#lastAt = at;
    const inTime =
      this.#intervalMs < MAX_INTERVAL_MS && roundTripMs + this.#holdMs < ROOM * this.#intervalMs;
    if (!inTime || gap) this.#goodSinceMs = NaN;
    else if (Number.isNaN(this.#goodSinceMs)) this.#goodSinceMs = nowMs;
    // Not a number as long as it is not good.
    this.#thin = nowMs - this.#goodSinceMs >= this.#restMs;
    return this.#thin ? MOST : 1;
  }

  /** A frame was missed, or made room for a newer one. */
  miss() {
    if (this.#thin) this.#restMs = Math.min(2 * this.#restMs, MAX_REST_MS);
    this.#thin = false;
    this.#goodSinceMs = NaN;
  }

  /** Frames begin anew; what was learned about the rest stays. */
  restart() {
    this.#thin = false;
    this.#goodSinceMs = NaN;
    this.#lastAt = NaN;
    this.#intervalMs = NaN;
    this.#holdMs = NaN;
  }
}

function average(before, value) {
  return Number.isFinite(before) ? before + WEIGHT * (value - before) : value;
}
