/**
 * Acknowledges painted frames to the server: one by one, or a few at once if thinning.js allows it.
 */
import { Thinning } from './thinning.js';

export class Acknowledger {
  #send;
  #thinning = new Thinning();
  #seq = 0;
  #receivedMs = 0;
  #unacknowledged = 0;
  // When the first of them must be acknowledged at the latest.
  #dueMs = 0;
  #timer = 0;
  // Created once: it is passed to a timer many times a second.
  #late = () => {
    this.#thinning.late();
    this.#flush();
  };

  /**
   * @param {(seq: number, holdMs: number) => void} send  Tells the server that all frames up to `seq` are
   *   painted, and how long the last one was held here: the rest of its round trip was the network's.
   */
  constructor(send) {
    this.#send = send;
  }

  /**
   * @param {number} seq
   * @param {Parameters<Thinning['painted']>[0]} facts
   * @param {number} nowMs
   */
  painted(seq, facts, nowMs) {
    this.#seq = seq;
    this.#receivedMs = nowMs - facts.holdMs;
    this.#unacknowledged += 1;
    if (this.#unacknowledged >= this.#thinning.painted(facts, nowMs)) {
      this.#flush();
      return;
    }
    if (this.#unacknowledged === 1) this.#dueMs = nowMs + this.#thinning.maxWaitMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#late, Math.min(this.#thinning.patienceMs, this.#dueMs - nowMs));
  }

  /** The server answered how many frames may be in flight; see thinning.js. @param {number | undefined} window */
  grant(window) {
    this.#thinning.grant(window);
  }

  /** A newer frame replaced one, and its acknowledgement will cover both. */
  skipped() {
    this.#thinning.miss();
    this.#flush();
  }

  /**
   * A frame will not be painted, or not soon: until it is acknowledged, the server counts it as in flight.
   *
   * @param {number} seq
   * @param {number} holdMs
   */
  rejected(seq, holdMs = 0) {
    this.#send(seq, holdMs);
  }

  /** A frame of the past is painted, or will not be: its number says nothing of those before. @param {number} seq */
  past(seq, holdMs = 0) {
    this.#flush();
    this.#send(seq, holdMs);
  }

  /** Forget what is not acknowledged yet. */
  restart() {
    this.#unacknowledged = 0;
    this.#flush();
    this.#thinning.restart();
  }

  #flush() {
    clearTimeout(this.#timer);
    if (this.#unacknowledged === 0) return;
    this.#unacknowledged = 0;
    this.#send(this.#seq, performance.now() - this.#receivedMs);
  }
}
