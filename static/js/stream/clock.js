// Less may be the measuring.
const MIN_AHEAD_S = 0.5;
// Nothing is on its way for so long, so that what follows it would seem to leap.
const MIN_LEAP_S = 10;

/**
 * Estimates how far the server's clock is ahead of ours, from answered `clock` events.
 *
 * The true offset of one exchange lies within half its round trip around the estimate, so the exchange
 * with the smallest round trip is believed. Times are Unix seconds.
 *
 * Event: `doubt` when a clock was set. The offset is unknown from there to the next exchange.
 */
export class ClockOffset extends EventTarget {
  #samples = [];
  #capacity;
  #doubtedAt = -Infinity;
  #doubts = 0;

  /** @param {number} capacity  How many exchanges to choose from; a few rounds' worth. */
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
    // Asked before the clock was set, it may have been answered before, too.
    if (sent < this.#doubtedAt) return;
    this.#doubtedAt = -Infinity;
    const sample = { roundTrip, offset: server - (sent + received) / 2 };
    // Estimates that exclude each other mean that a clock was set: the older ones are about another time.
    this.#samples = this.#samples.filter((other) => agree(other, sample));
    this.#samples.push(sample);
    if (this.#samples.length > this.#capacity) this.#samples.shift();
  }

  /** Take the newest exchanges for outdated. */
  doubt() {
    this.#doubtedAt = nowUnix();
    this.#doubts += 1;
    this.dispatchEvent(new CustomEvent('doubt'));
  }

  /** How often it was doubted: what was reckoned with another count is about another time. */
  get doubts() {
    return this.#doubts;
  }

  get known() {
    return this.#samples.length > 0 && this.#doubtedAt === -Infinity;
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

/** Notices from the times that a clock tells, one after another, that it was set. */
export class SteppedClock {
  #told = NaN;
  #heard = NaN;
  #ahead = false;

  /**
   * @param {number} told   What it said.
   * @param {number} heard  When that was heard, by our clock.
   * @param {ClockOffset} clock
   * @returns {boolean} whether it was set since the time before
   */
  take(told, heard, clock) {
    const leap = told - this.#told - (heard - this.#heard);
    // Nothing arrives before it is sent. What is ahead all along, as the clock of another node may be, was
    // not set just now.
    const ahead = clock.known ? told > heard + clock.offset + MIN_AHEAD_S : this.#ahead;
    const stepped = told < this.#told || leap > MIN_LEAP_S || (ahead && !this.#ahead);
    this.#told = told;
    this.#heard = heard;
    this.#ahead = ahead;
    return stepped;
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
