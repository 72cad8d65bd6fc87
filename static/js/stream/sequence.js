// No camera is faster than 120 fps; where numbers grew faster than this, somebody else counts on.
const FASTEST_FPS = 240;

/**
 * Counts what is missing between the frames that reach the canvas, and refuses to go back in time.
 */
export class Sequence {
  #newest = null;
  #painted = null;
  #paintedAt = 0;
  #dropped = 0;
  #counting = false;

  /** Number of the newest painted frame; null before the first. */
  get last() {
    return this.#painted;
  }

  /** Frames skipped between painted ones since the page opened. */
  get dropped() {
    return this.#dropped;
  }

  /**
   * Forget the baseline. Called on every `watch`: what was captured while nobody looked is no drop.
   */
  rebase() {
    this.#newest = null;
    this.#painted = null;
    this.#counting = false;
  }

  /**
   * Start to count gaps. Called when the `watch` is answered: frames that were still in flight from an
   * earlier watch arrive before the answer, and the gap behind them is no drop either.
   */
  settle() {
    this.#counting = true;
  }

  /**
   * Say whether an arrived frame is newer than all before it, and remember it if so.
   *
   * @param {{seq: number, at: number}} frame
   */
  accept({ seq, at }) {
    // Numbers only grow, unless the server itself began anew: then the number is smaller, the time later.
    const newer = this.#newest === null || seq > this.#newest.seq || at > this.#newest.at;
    if (newer && seq !== this.#newest?.seq) {
      this.#newest = { seq, at };
      return true;
    }
    return false;
  }

  /**
   * Record a painted frame.
   *
   * @param {{seq: number, at: number}} frame
   * @returns {number} how many frames were skipped before it
   */
  paint({ seq, at }) {
    const follows = this.#counting && this.#painted !== null && seq > this.#painted;
    let skipped = follows ? seq - this.#painted - 1 : 0;
    // A shared camera whose node was started anew leaves out thousands that never were.
    if (skipped > Math.max(at - this.#paintedAt, 1) * FASTEST_FPS) skipped = 0;
    this.#dropped += skipped;
    this.#painted = seq;
    this.#paintedAt = at;
    return skipped;
  }
}
