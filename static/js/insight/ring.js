/**
 * A ring buffer of the newest samples, one row each. Uses no DOM.
 *
 * @typedef {Record<string, number | null> & {at: number}} Row  `at` in Unix seconds; null is unknown.
 */
export class Ring {
  #rows = [];
  #next = 0;
  #capacity;

  /** @param {number} capacity  Rows. */
  constructor(capacity) {
    this.#capacity = capacity;
  }

  /** @returns {Row | null} */
  get newest() {
    const { length } = this.#rows;
    return length > 0 ? this.#rows[(this.#next + length - 1) % length] : null;
  }

  /** @param {Row} row  Newer than all others; replaces the oldest if the ring is full. */
  push(row) {
    if (this.#rows.length < this.#capacity) {
      this.#rows.push(row);
    } else {
      this.#rows[this.#next] = row;
      this.#next = (this.#next + 1) % this.#capacity;
    }
  }

  /** @returns {Row[]} oldest first */
  rows() {
    return [...this.#rows.slice(this.#next), ...this.#rows.slice(0, this.#next)];
  }
}

/**
 * Summarise a column; unknown values do not count.
 *
 * @param {(number | null)[]} values  Oldest first.
 * @returns {{now: number | null, min: number, mean: number, max: number} | null}  null if no value is known
 */
export function summarise(values) {
  let count = 0;
  let sum = 0;
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (value === null) continue;
    count += 1;
    sum += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return count === 0 ? null : { now: values.at(-1) ?? null, min, mean: sum / count, max };
}
