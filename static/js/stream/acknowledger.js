/**
 * Acknowledges painted frames to the server: each one, or two with one message when thinning.js allows it.
 */
import { Thinning } from './thinning.js';

// Owed within 50 ms of painting; timers are late.
const MAX_WAIT_MS = 45;

export class Acknowledger {
  #send;
  #thinning = new Thinning();
  #seq = 0;
  #receivedMs = 0;
  #owed = 0;
  #timer = 0;
  // Made once: it is handed to a timer many times a second.
  #pay = () => {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#owed === 0) return;
    this.#owed = 0;
    this.#send(this.#seq, performance.now() - this.#receivedMs);
  };

  /**
   * @param {(seq: number, holdMs: number) => void} send  Tells the server that all frames up to `seq` are
   *   painted, and for how long this last one was held here: the rest of its round trip is the link's.
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
    this.#owed += 1;
    if (this.#owed >= this.#thinning.painted(facts, nowMs)) this.#pay();
    else this.#timer ||= setTimeout(this.#pay, MAX_WAIT_MS);
  }

  /** A frame made room for a newer one, whose acknowledgement will cover it. */
  skipped() {
    this.#thinning.miss();
    this.#pay();
  }

  /** A frame that is not going to be painted: the server counts it as in flight until it hears of it. */
  refused(seq) {
    this.#send(seq, 0);
  }

  /** Owe nothing any more. */
  restart() {
    this.#owed = 0;
    this.#pay();
    this.#thinning.restart();
  }
}
