import { smoothed } from './rate.js';

/**
 * Decides how many frames one acknowledgement may cover. Each one costs the server as much as a frame, and a
 * viewer that keeps up loses nothing by sending fewer.
 *
 * The server allows two frames in flight; if it grants a wider window, twice as many as the last acknowledgement
 * covered, but two more at most, and no more than 250 ms bring. The next frame can be sent on time only if those before
 * it are received, painted and acknowledged while the window has room. So frames share an acknowledgement only if
 * that takes well under the time there is, and only after a while without a missed frame: first two, then four, and
 * of video six: its frames are small, and limited by time alone. A missed frame ends it at once, and each time the next attempt waits longer, so that it costs almost no frames
 * where it is the cause.
 *
 * Times are passed in, in milliseconds.
 */
const NARROW = { window: 2, frames: 2, waitMs: 45 };
const MIN_WAIT_MS = 2000;
const MAX_WAIT_MS = 300000;
const MAX_SHARE = 0.5;
// Of the time that frames may be in flight, what is left for the server's measure of the frame rate to differ.
const FLIGHT_SHARE = 0.9;
// A frame is not called late before.
const LATE_INTERVALS = 1.5;
// How many more frames than an acknowledgement covered may be in flight.
const SPARE = 2;
// How late frames and timers usually are.
const LATE_MS = 3;

// The most pictures that we want to cover by one acknowledgement: if the link chokes, it holds up one more than that.
const MOST_PICTURES = 4;
/** The most frames. */
export const MOST_FRAMES = 6;

export class Thinning {
  #most = NARROW;
  #frames = 1;
  #goodSinceMs = NaN;
  #waitMs = MIN_WAIT_MS;
  #lastAt = NaN;
  #intervalMs = NaN;
  #holdMs = NaN;

  /**
   * The server answered how many frames may be in flight, if it knows more than two.
   *
   * @param {number | undefined} window
   */
  grant(window) {
    // A first frame waits for all that share its acknowledgement, which is due within 250 ms, otherwise within 50.
    this.#most = window > NARROW.window ? { window, frames: MOST_FRAMES, waitMs: 245 } : NARROW;
    this.#begin();
  }

  /**
   * Record a painted frame.
   *
   * @param {object} facts
   * @param {number} facts.at            Its capture time in seconds.
   * @param {boolean} facts.gap          Frames were missed before it.
   * @param {number} facts.holdMs        From its arrival to its paint: decoding, and waiting for the screen.
   * @param {number} facts.roundTripMs   To the server and back; NaN while unknown.
   * @param {boolean} facts.video        It came as video.
   * @param {number} nowMs
   * @returns {number} how many frames an acknowledgement may cover
   */
  painted({ at, gap, holdMs, roundTripMs, video }, nowMs) {
    if (gap) {
      this.miss();
    } else {
      // Not an interval with a gap in it, which would look as if there were time.
      this.#intervalMs = smoothed(this.#intervalMs, (at - this.#lastAt) * 1000);
      this.#holdMs = smoothed(this.#holdMs, holdMs);
    }
    this.#lastAt = at;
    const most = Math.min(this.#mostAt(this.#intervalMs), video ? MOST_FRAMES : MOST_PICTURES);
    const spareMs = MAX_SHARE * this.#intervalMs;
    const spentMs = roundTripMs + this.#holdMs;
    if (!(spentMs < this.#room * spareMs)) this.#frames = 1;
    // The first acknowledgement for more frames has no more room than those before it.
    const ready = most > this.#frames && spentMs < spareMs;
    if (!ready || gap) this.#goodSinceMs = NaN;
    else if (Number.isNaN(this.#goodSinceMs)) this.#goodSinceMs = nowMs;
    // False while #goodSinceMs is NaN.
    if (nowMs - this.#goodSinceMs >= this.#waitMs) {
      this.#frames = Math.min(2 * this.#frames, most);
      this.#goodSinceMs = nowMs;
    }
    this.#frames = Math.min(this.#frames, most);
    return this.#frames;
  }

  /** How long painted frames may wait for the next one, which shares their acknowledgement. */
  get patienceMs() {
    return Math.min(LATE_INTERVALS * this.#intervalMs, this.#most.waitMs);
  }

  /** How long the first of them may wait. */
  get maxWaitMs() {
    return this.#most.waitMs;
  }

  /** A frame was missed, or replaced by a newer one. */
  miss() {
    if (this.#frames > 1) this.#waitMs = Math.min(2 * this.#waitMs, MAX_WAIT_MS);
    this.#begin();
  }

  /** The next frame did not come in time: the link may have become slow, and much may be in flight. */
  late() {
    if (this.#most !== NARROW) this.#begin();
  }

  /** The frames start again; what was learned about the wait stays. */
  restart() {
    this.#begin();
    this.#lastAt = NaN;
    this.#intervalMs = NaN;
    this.#holdMs = NaN;
  }

  #begin() {
    this.#frames = 1;
    this.#goodSinceMs = NaN;
  }

  // In how many frame intervals the window is full when an acknowledgement is sent.
  get #room() {
    const wide = Math.min(2 * this.#frames, this.#frames + SPARE);
    const window = Math.min(this.#most.window, wide, this.#inFlight(this.#intervalMs));
    return Math.max(1, window - this.#frames + 1);
  }

  #mostAt(intervalMs) {
    const { frames, waitMs } = this.#most;
    const inTime = 1 + Math.floor((waitMs - LATE_MS) / intervalMs);
    return inTime >= 1 ? Math.min(frames, inTime, this.#inFlight(intervalMs)) : 1;
  }

  // The widest window at a frame rate.
  #inFlight(intervalMs) {
    return Math.max(NARROW.window, Math.floor((FLIGHT_SHARE * this.#most.waitMs) / intervalMs));
  }
}
