/** Keeps the estimate of the server's clock fresh with a few exchanges at a time. */
const EVERY_MS = 20000;
const EXCHANGES = 6;
const PAUSE_MS = 60;

export class ClockSync {
  #backend;
  #clock;
  #left = 0;

  /**
   * @param {import('./client.js').BackendClient} backend
   * @param {import('../stream/clock.js').ClockOffset} clock
   */
  constructor(backend, clock) {
    this.#backend = backend;
    this.#clock = clock;
    clock.addEventListener('invalidated', () => this.measure());
    setInterval(() => this.measure(), EVERY_MS);
  }

  /** Measure now. During a measurement, this restarts the count of exchanges. */
  async measure() {
    const running = this.#left > 0;
    this.#left = EXCHANGES;
    if (running) return;
    for (; this.#left > 0 && this.#backend.connected; this.#left -= 1) {
      const times = await this.#backend.clock();
      if (times !== null) this.#clock.add(times);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    this.#left = 0;
  }
}
