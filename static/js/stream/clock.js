// A smaller lead may be a measurement error.
const MIN_AHEAD_S = 0.5;
// No message takes this long, so a longer leap is not a delay.
const MIN_LEAP_S = 10;

/**
 * Estimates how far the server's clock is ahead of ours, from answered `clock` events.
 *
 * The true offset of one exchange lies within half its round trip around the estimate, so the exchange
 * with the smallest round trip is used. Times are Unix seconds.
 *
 * Event: `invalidated` when a clock was set. The offset is then unknown until the next exchange.
 */
export class ClockOffset extends EventTarget {
  #samples = [];
  #capacity;
  #invalidSince = -Infinity;
  #epoch = 0;

  /** @param {number} capacity  Number of exchanges to choose from; a few rounds. */
  constructor(capacity = 18) {
    super();
    this.#capacity = capacity;
  }

  /**
   * @param {{sent: number, received: number, server: number}} exchange
   */
  add({ sent, received, server }) {
    const roundTrip = received - sent;
    if (!(roundTrip >= 0) || !Number.isFinite(server)) return;
    // A request sent before the clock was set may have been answered before, too.
    if (sent < this.#invalidSince) return;
    this.#invalidSince = -Infinity;
    const sample = { roundTrip, offset: server - (sent + received) / 2 };
    // Contradicting estimates mean that a clock was set: drop the older ones.
    this.#samples = this.#samples.filter((other) => agree(other, sample));
    this.#samples.push(sample);
    if (this.#samples.length > this.#capacity) this.#samples.shift();
  }

  /** Treat all exchanges so far as outdated. */
  invalidate() {
    this.#invalidSince = nowUnix();
    this.#epoch += 1;
    this.dispatchEvent(new CustomEvent('invalidated'));
  }

  /** Counts invalidations: a value computed in another epoch used another clock. */
  get epoch() {
    return this.#epoch;
  }

  get known() {
    return this.#samples.length > 0 && this.#invalidSince === -Infinity;
  }

  /** Seconds to add to our time to get the server's; 0 while unknown. */
  get offset() {
    return this.#best?.offset ?? 0;
  }

  /** The server's time now, in Unix seconds; NaN while unknown. */
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

/** Detects from the times in successive messages that their sender's clock was set. */
export class SteppedClock {
  #sent = NaN;
  #received = NaN;
  #ahead = false;

  /**
   * @param {number} sent      The time in the message.
   * @param {number} received  When it was received, by our clock.
   * @param {ClockOffset} clock
   * @returns {boolean} whether the clock was set since the previous message
   */
  take(sent, received, clock) {
    const leap = sent - this.#sent - (received - this.#received);
    // Nothing arrives before it is sent. A clock that is always ahead, as another node's may be, was not
    // necessarily set just now.
    const ahead = clock.known ? sent > received + clock.offset + MIN_AHEAD_S : this.#ahead;
    const stepped = sent < this.#sent || leap > MIN_LEAP_S || (ahead && !this.#ahead);
    this.#sent = sent;
    this.#received = received;
    this.#ahead = ahead;
    return stepped;
  }
}

/** Our time in Unix seconds; does not jump when the system clock is set while the page is open. */
export function nowUnix() {
  return (performance.timeOrigin + performance.now()) / 1000;
}

// A millisecond of tolerance, because browsers round times.
function agree(a, b) {
  return Math.abs(a.offset - b.offset) <= (a.roundTrip + b.roundTrip) / 2 + 0.001;
}
