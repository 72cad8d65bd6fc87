/** Acknowledges painted frames to the server: one by one, or a few together if thinning.js allows it. */
import { Thinning } from './thinning.js';

export class Acknowledger {
  #send;
  #thinning = new Thinning();
  #seq = 0;
  #receivedMs = 0;
  #unacknowledged = 0;
  // Deadline for acknowledging the first of them.
  #dueMs = 0;
  #timer = 0;
  // Created once, because it is passed to a timer many times a second.
  #late = () => {
    this.#thinning.late();
    this.#flush();
  };

  /**
   * @param {(seq: number, holdMs: number) => void} send  Tells the server that all frames up to `seq` are
   *   painted, and how long the last one was held here; the network took the rest of the round trip.
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

  /** Set how many frames the server allows in flight; see thinning.js. @param {number | undefined} window */
  grant(window) {
    this.#thinning.grant(window);
  }

  /** A newer frame replaced one before it was painted; acknowledging the newer one covers both. */
  skipped() {
    this.#thinning.miss();
    this.#flush();
  }

  /**
   * Acknowledge a frame that will not be painted soon, if at all: until then the server counts it as in flight.
   *
   * @param {number} seq
   * @param {number} holdMs
   */
  rejected(seq, holdMs = 0) {
    this.#send(seq, holdMs);
  }

  /** Acknowledge a frame of the past, painted or not. Its number does not cover earlier frames. @param {number} seq */
  past(seq, holdMs = 0) {
    this.#flush();
    this.#send(seq, holdMs);
  }

  /** Forget the unacknowledged frames. */
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
