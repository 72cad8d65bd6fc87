/**
 * Decides whether to request a camera as video: only codecs this browser decodes, and not for a while after a
 * failure. JPEG always works.
 *
 * Times are passed in, in milliseconds.
 */
import { familyOf } from '../painting/codecs.js';

const MIN_PAUSE_MS = 2000;
const MAX_PAUSE_MS = 300000;
// A browser that has to catch up this often within this time is too slow.
const MAX_JOINS = 3;
const JOINS_MS = 10000;
// After this long without a fault the next one counts as the first.
const GOOD_MS = 60000;

export class VideoChoice {
  #families = [];
  /** @type {Set<string>} */
  #unsupported = new Set();
  #pauseMs = MIN_PAUSE_MS;
  #failedMs = -Infinity;
  #fault = '';
  #joinsMs = [];

  /**
   * @param {string[]} families  What this browser decodes; empty if video is not wanted.
   * @returns {boolean} whether that has changed
   */
  offer(families) {
    const other = families.join() !== this.#families.join();
    this.#families = families;
    return other;
  }

  /** Why there is no video although it was requested; empty if nothing failed. */
  get fault() {
    return this.#fault;
  }

  /** Families to request now. @param {number} nowMs @returns {string[]} */
  families(nowMs) {
    if (this.pauseMs(nowMs) > 0) return [];
    return this.#families.filter((family) => !this.#unsupported.has(family));
  }

  /** Milliseconds until the pause ends; 0 without one. @param {number} nowMs */
  pauseMs(nowMs) {
    return Math.max(0, this.#failedMs + this.#pauseMs - nowMs);
  }

  /**
   * Record that video failed.
   *
   * @param {import('../painting/unit-decoder.js').VideoFault} fault
   * @param {string} codec  Of the video that failed.
   * @param {number} nowMs
   */
  failed(fault, codec, nowMs) {
    this.#fault = fault;
    const family = familyOf(codec);
    // Stop requesting this family. If the server sends it anyway, pause instead of asking again and again.
    if (fault === 'unsupported' && this.#families.includes(family) && !this.#unsupported.has(family)) {
      this.#unsupported.add(family);
      return;
    }
    const again = nowMs - this.#failedMs < this.#pauseMs + GOOD_MS;
    this.#pauseMs = again ? Math.min(2 * this.#pauseMs, MAX_PAUSE_MS) : MIN_PAUSE_MS;
    this.#failedMs = nowMs;
  }

  /**
   * Record that a group of pictures is decoded from its beginning, as after missed frames.
   *
   * @param {number} nowMs
   * @returns {boolean} whether that happened too often lately
   */
  joined(nowMs) {
    this.#joinsMs = [...this.#joinsMs.filter((atMs) => nowMs - atMs < JOINS_MS), nowMs];
    return this.#joinsMs.length > MAX_JOINS;
  }

  /** Record that a picture of a video was painted. */
  worked() {
    this.#fault = '';
  }

  /** Start again after reconnecting: the camera may send something else now. */
  restart() {
    this.#unsupported.clear();
    this.#fault = '';
  }
}
