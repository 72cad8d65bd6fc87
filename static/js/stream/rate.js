/** Exponential moving average; starts with the first value. @param {number} before @param {number} value */
export function smoothed(before, value) {
  return Number.isFinite(before) ? before + 0.1 * (value - before) : value;
}

/**
 * Rate per second of events, or of the amounts they carry, over a short sliding window; correct for slow cameras too.
 *
 * Times are passed in, in milliseconds from any fixed start (`performance.now()`).
 */
export class Rate {
  #windowMs;
  #maxAgeMs;
  #times = [];
  #amounts = [];

  /**
   * @param {number} windowMs  Older events are left out, as long as two newer ones remain.
   * @param {number} maxAgeMs  Older events are always left out.
   */
  constructor(windowMs = 2000, maxAgeMs = 30000) {
    this.#windowMs = windowMs;
    this.#maxAgeMs = maxAgeMs;
  }

  /** @param {number} nowMs @param {number} amount */
  add(nowMs, amount = 1) {
    this.#times.push(nowMs);
    this.#amounts.push(amount);
    this.#trim(nowMs);
  }

  clear() {
    this.#times.length = 0;
    this.#amounts.length = 0;
  }

  /**
   * @param {number} nowMs
   * @returns {number} 0 if there are too few events
   */
  perSecond(nowMs) {
    this.#trim(nowMs);
    const times = this.#times;
    const gaps = times.length - 1;
    if (gaps < 1) return 0;
    const span = times[gaps] - times[0];
    const silence = nowMs - times[gaps];
    // Once the next event is overdue the silence counts as well, so that the rate falls to 0.
    const overdue = silence > (1.5 * span) / gaps;
    // The first amount arrived before the span began.
    const amount = this.#amounts.reduce((sum, one) => sum + one, -this.#amounts[0]);
    return (1000 * amount) / Math.max(overdue ? span + silence : span, 1);
  }

  #trim(nowMs) {
    const times = this.#times;
    let first = 0;
    while (
      (times.length - first > 2 && times[first] < nowMs - this.#windowMs) ||
      times[first] < nowMs - this.#maxAgeMs
    ) {
      first += 1;
    }
    if (first === 0) return;
    times.splice(0, first);
    this.#amounts.splice(0, first);
  }
}

/** The median of the newest values: steady enough to read, and outliers do not matter. */
export class RecentMedian {
  #values = [];
  #capacity;

  constructor(capacity = 30) {
    this.#capacity = capacity;
  }

  /** @param {number} value */
  add(value) {
    this.#values.push(value);
    if (this.#values.length > this.#capacity) this.#values.shift();
  }

  clear() {
    this.#values.length = 0;
  }

  /** @returns {number} NaN while empty */
  get value() {
    if (this.#values.length === 0) return NaN;
    const sorted = [...this.#values].sort((a, b) => a - b);
    return sorted[sorted.length >> 1];
  }
}
