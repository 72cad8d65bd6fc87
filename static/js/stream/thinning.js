import { smoothed } from './rate.js';

/**
 * Decides how many frames one acknowledgement may cover. An acknowledgement costs the server as much as a frame, and
 * a viewer that keeps up loses nothing by sending fewer.
 *
 * The server allows two frames in flight. If it grants a wider window, it allows twice as many as the last
 * acknowledgement covered, but at most two more, and no more than 250 ms of frames. The next frame can be sent on
 * time only if those before it are received, painted and acknowledged while the window has room. So frames share an
 * acknowledgement only if that takes well under the available time, and only after a while without a missed frame:
 * first two, then four, and for video, whose frames are small, six. A missed frame ends the sharing, and each next
 * attempt waits longer, so that where sharing is the cause it costs almost no frames.
 *
 * Times are passed in, in milliseconds.
 */
const NARROW = { window: 2, frames: 2, waitMs: 45 };
const MIN_WAIT_MS = 2000;
const MAX_WAIT_MS = 300000;
const MAX_SHARE = 0.5;
// Use only this share of the time frames may be in flight, because the server may measure another frame rate.
const FLIGHT_SHARE = 0.9;
// A frame counts as late after this many intervals.
const LATE_INTERVALS = 1.5;
// Frames allowed in flight beyond those that the last acknowledgement covered.
const SPARE = 2;
// Usual lateness of frames and timers.
const LATE_MS = 3;

// The most JPEGs per acknowledgement: they are large, and a congested link delays all that are in flight.
const MAX_PICTURES = 4;
/** The most frames of video per acknowledgement. */
export const MAX_FRAMES = 6;

export class Thinning {
  #most = NARROW;
  #frames = 1;
  #goodSinceMs = NaN;
  #waitMs = MIN_WAIT_MS;
  #lastAt = NaN;
  #intervalMs = NaN;
  #holdMs = NaN;

  /**
   * Set how many frames the server allows in flight; undefined from servers that know only two.
   *
   * @param {number | undefined} window
   */
  grant(window) {
    // The server wants the first frame acknowledged within 250 ms, with the narrow window within 50.
    this.#most = window > NARROW.window ? { window, frames: MAX_FRAMES, waitMs: 245 } : NARROW;
    this.#begin();
  }

  /**
   * Record a painted frame.
   *
   * @param {object} facts
   * @param {number} facts.at            Capture time in seconds.
   * @param {boolean} facts.gap          Frames were missed before it.
   * @param {number} facts.holdMs        From arrival to paint: decoding, and waiting for the screen.
   * @param {number} facts.roundTripMs   To the server and back; NaN while unknown.
   * @param {boolean} facts.video        It came as video.
   * @param {number} nowMs
   * @returns {number} how many frames an acknowledgement may cover
   */
  painted({ at, gap, holdMs, roundTripMs, video }, nowMs) {
    if (gap) {
      this.miss();
    } else {
      // Leave out intervals with a gap: they would suggest that there is more time.
      this.#intervalMs = smoothed(this.#intervalMs, (at - this.#lastAt) * 1000);
      this.#holdMs = smoothed(this.#holdMs, holdMs);
    }
    this.#lastAt = at;
    const most = Math.min(this.#mostAt(this.#intervalMs), video ? MAX_FRAMES : MAX_PICTURES);
    const spareMs = MAX_SHARE * this.#intervalMs;
    const spentMs = roundTripMs + this.#holdMs;
    if (!(spentMs < this.#room * spareMs)) this.#frames = 1;
    // The first acknowledgement for more frames still has only the room of the previous ones.
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

  /** Longest wait for the next frame to share the acknowledgement. */
  get patienceMs() {
    return Math.min(LATE_INTERVALS * this.#intervalMs, this.#most.waitMs);
  }

  /** Longest wait of the first frame that shares an acknowledgement. */
  get maxWaitMs() {
    return this.#most.waitMs;
  }

  /** A frame was missed, or replaced by a newer one. */
  miss() {
    if (this.#frames > 1) this.#waitMs = Math.min(2 * this.#waitMs, MAX_WAIT_MS);
    this.#begin();
  }

  /** The next frame did not come in time: the link may have slowed down with many frames in flight. */
  late() {
    if (this.#most !== NARROW) this.#begin();
  }

  /** Start again with new frames; the learned wait stays. */
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

  // Frame intervals left until the window is full, when an acknowledgement is sent.
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
