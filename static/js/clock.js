/**
 * Estimates how far the server's clock is ahead of ours, from answered `clock` events.
 *
 * The true offset of one exchange lies within half its round trip around the estimate, so the exchange
 * with the smallest round trip is believed. Times are Unix seconds.
 */
export class ClockOffset {
  #samples = [];
  #capacity;

  /** @param {number} capacity  How many exchanges to choose from; a few rounds' worth. */
  constructor(capacity = 18) {
    this.#capacity = capacity;
  }

  /**
   * @param {{sent: number, received: number, server: number}} exchange
   */
  add({ sent, received, server }) {
    const roundTrip = received - sent;
    if (!(roundTrip >= 0) || !Number.isFinite(server)) return;
    const sample = { roundTrip, offset: server - (sent + received) / 2 };
    // Estimates that exclude each other mean that a clock was set: the older ones are about another time.
    this.#samples = this.#samples.filter((other) => agree(other, sample));
    this.#samples.push(sample);
    if (this.#samples.length > this.#capacity) this.#samples.shift();
  }

  get known() {
    return this.#samples.length > 0;
  }

  /** Seconds to add to our time to get the server's; 0 while unknown. */
  get offset() {
    return this.#best?.offset ?? 0;
  }

  /** What the server's clock says now, in Unix seconds; NaN while unknown. */
  get serverUnix() {
    return this.known ? nowUnix() + this.offset : NaN;
  }

  /** Smallest round trip seen, in seconds; NaN while unknown. */
  get roundTrip() {
    return this.#best?.roundTrip ?? NaN;
  }

  get #best() {
    return this.#samples.reduce(
      (best, sample) => (best === null || sample.roundTrip < best.roundTrip ? sample : best),
      /** @type {{roundTrip: number, offset: number} | null} */ (null),
    );
  }
}

/** Our time in Unix seconds; does not jump when the system clock is set while the page is open. */
export function nowUnix() {
  return (performance.timeOrigin + performance.now()) / 1000;
}

// A millisecond of tolerance: browsers round the clock they give to a page.
function agree(a, b) {
  return Math.abs(a.offset - b.offset) <= (a.roundTrip + b.roundTrip) / 2 + 0.001;
}
