/**
 * Decides whether a camera is asked for as video: as what this browser decodes, and not for a while after it
 * failed. JPEG works always.
 *
 * Times are passed in, in milliseconds.
 */
import { familyOf } from '../painting/codecs.js';

const MIN_PAUSE_MS = 2000;
const MAX_PAUSE_MS = 300000;
// So many groups of pictures decoded anew within this time are a browser's doing that is too slow.
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
   * @returns {boolean} whether that is something else than before
   */
  offer(families) {
    const other = families.join() !== this.#families.join();
    this.#families = families;
    return other;
  }

  /** Why there is no video although it was asked for; empty if there is no such reason. */
  get fault() {
    return this.#fault;
  }

  /** What to ask for now. @param {number} nowMs @returns {string[]} */
  families(nowMs) {
    if (this.pauseMs(nowMs) > 0) return [];
    return this.#families.filter((family) => !this.#unsupported.has(family));
  }

  /** In how many ms a pause ends; 0 without one. @param {number} nowMs */
  pauseMs(nowMs) {
    return Math.max(0, this.#failedMs + this.#pauseMs - nowMs);
  }

  /**
   * Video did not work.
   *
   * @param {import('../painting/unit-decoder.js').VideoFault} fault
   * @param {string} codec  Of what was to be decoded.
   * @param {number} nowMs
   */
  failed(fault, codec, nowMs) {
    this.#fault = fault;
    const family = familyOf(codec);
    // A server that sends it all the same is not asked over and over.
    if (fault === 'unsupported' && this.#families.includes(family) && !this.#unsupported.has(family)) {
      this.#unsupported.add(family);
      return;
    }
    const again = nowMs - this.#failedMs < this.#pauseMs + GOOD_MS;
    this.#pauseMs = again ? Math.min(2 * this.#pauseMs, MAX_PAUSE_MS) : MIN_PAUSE_MS;
    this.#failedMs = nowMs;
  }

  /**
   * A group of pictures is decoded from its beginning, as when frames before were missed.
   *
   * @param {number} nowMs
   * @returns {boolean} whether that has been too often lately
   */
  joined(nowMs) {
    this.#joinsMs = [...this.#joinsMs.filter((atMs) => nowMs - atMs < JOINS_MS), nowMs];
    return this.#joinsMs.length > MAX_JOINS;
  }

  /** A picture of a video was painted. */
  worked() {
    this.#fault = '';
  }

  /** Connected anew: what the camera sends may have changed. */
  restart() {
    this.#unsupported.clear();
    this.#fault = '';
  }
}
