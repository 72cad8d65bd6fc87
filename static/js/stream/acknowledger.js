/**
 * Acknowledges painted frames to the server: one by one, or two at once if thinning.js allows it.
 */
import { Thinning } from './thinning.js';

// Due within 50 ms of painting; timers are late.
const MAX_WAIT_MS = 45;

export class Acknowledger {
  #send;
  #thinning = new Thinning();
  #seq = 0;
  #receivedMs = 0;
  #unacknowledged = 0;
  #timer = 0;
  // Created once: it is passed to a timer many times a second.
  #flush = () => {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#unacknowledged === 0) return;
    this.#unacknowledged = 0;
    this.#send(this.#seq, performance.now() - this.#receivedMs);
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
    if (this.#unacknowledged >= this.#thinning.painted(facts, nowMs)) this.#flush();
    else this.#timer ||= setTimeout(this.#flush, MAX_WAIT_MS);
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

  /** Forget what is not acknowledged yet. */
  restart() {
    this.#unacknowledged = 0;
    this.#flush();
    this.#thinning.restart();
  }
}
