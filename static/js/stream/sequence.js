// No camera is faster than 120 fps; if the numbers grow faster than this, another node numbers the frames now.
const MAX_FPS = 240;

/** Counts the frames missing between painted ones, and rejects frames older than the newest. */
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
   * Forget the baseline. Called on every `watch`: frames captured while nobody watched are not drops.
   */
  rebase() {
    this.#newest = null;
    this.#painted = null;
    this.#counting = false;
  }

  /**
   * Start counting gaps. Called when the `watch` is answered: frames still in flight from an earlier watch
   * arrive before the answer, and the gap after them is not a drop either.
   */
  settle() {
    this.#counting = true;
  }

  /**
   * Return whether a received frame is newer than all before it, and remember it if so.
   *
   * @param {{seq: number, at: number}} frame
   */
  accept({ seq, at }) {
    // Numbers only increase, unless the server restarted: then a smaller number has a later time.
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
    // A shared camera whose node restarted skips thousands of numbers that never existed.
    if (skipped > Math.max(at - this.#paintedAt, 1) * MAX_FPS) skipped = 0;
    this.#dropped += skipped;
    this.#painted = seq;
    this.#paintedAt = at;
    return skipped;
  }
}
