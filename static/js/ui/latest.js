/**
 * Sends a fast-changing value (a slider being dragged) at a limited rate: one request in flight, a pause between
 * requests, and only the newest value waits.
 *
 * @template T
 */
export class LatestSender {
  #send;
  #pauseMs;
  #onIdle;
  #waiting = null;
  #busy = false;

  /**
   * @param {(value: T) => Promise<unknown>} send  Must not reject.
   * @param {{pauseMs?: number, onIdle?: () => void}} options  `onIdle` is called when all requests are answered.
   */
  constructor(send, { pauseMs = 80, onIdle = () => {} } = {}) {
    this.#send = send;
    this.#pauseMs = pauseMs;
    this.#onIdle = onIdle;
  }

  get busy() {
    return this.#busy;
  }

  /** @param {T} value */
  push(value) {
    this.#waiting = { value };
    if (!this.#busy) this.#drain();
  }

  async #drain() {
    this.#busy = true;
    while (this.#waiting !== null) {
      const { value } = this.#waiting;
      this.#waiting = null;
      await this.#send(value);
      await new Promise((resolve) => setTimeout(resolve, this.#pauseMs));
    }
    this.#busy = false;
    this.#onIdle();
  }
}
