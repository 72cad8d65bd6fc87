/** The part of a day that a timeline shows: zooming, moving, and where its ticks are. Uses no document. */

// Two minutes on the screen: a pixel is less than a frame then on no screen, but seconds are far apart.
const MIN_SPAN_S = 120;
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200];
export class Scale {
  #day;
  #from;
  #to;

  /** @param {number} from @param {number} to  The whole, in Unix seconds. */
  constructor(from, to) {
    this.#day = [from, to];
    [this.#from, this.#to] = this.#day;
  }

  get from() {
    return this.#from;
  }

  get to() {
    return this.#to;
  }

  get span() {
    return this.#to - this.#from;
  }

  /** The whole. @returns {[number, number]} */
  get bounds() {
    return [...this.#day];
  }

  get isWhole() {
    return this.#from <= this.#day[0] && this.#to >= this.#day[1];
  }

  get isClosest() {
    return this.span <= MIN_SPAN_S * 1.001;
  }

  /** Where a moment is, as a share of the width; beyond 0 and 1 it is not shown. @param {number} at */
  share(at) {
    return (at - this.#from) / this.span;
  }

  /** The moment at a share of the width, within the whole. @param {number} share */
  at(share) {
    return this.clamp(this.#from + share * this.span);
  }

  /** @param {number} at */
  clamp(at) {
    return Math.min(this.#day[1], Math.max(this.#day[0], at));
  }

  /** Show less for a factor above 1, around a moment that stays where it is. @param {number} factor @param {number} around */
  zoom(factor, around) {
    const whole = this.#day[1] - this.#day[0];
    const span = Math.min(whole, Math.max(MIN_SPAN_S, this.span / factor));
    const share = Math.min(1, Math.max(0, this.share(around)));
    this.#place(around - share * span, span);
  }

  /** @param {number} by  In shares of what is shown. */
  move(by) {
    this.#place(this.#from + by * this.span, this.span);
  }

  /** Show a moment: if it is not on the screen, in its middle. @param {number} at @returns {boolean} whether that moved it */
  reveal(at) {
    if (at >= this.#from && at <= this.#to) return false;
    this.#place(at - this.span / 2, this.span);
    return true;
  }

  /** Show a span with some room around it. @param {number} from @param {number} to */
  fit(from, to) {
    const room = Math.max(MIN_SPAN_S, (to - from) * 1.25);
    this.#place((from + to - room) / 2, Math.min(room, this.#day[1] - this.#day[0]));
  }

  whole() {
    [this.#from, this.#to] = this.#day;
  }

  #place(from, span) {
    this.#from = Math.min(this.#day[1] - span, Math.max(this.#day[0], from));
    this.#to = this.#from + span;
  }

  /**
   * The moments to write the time at.
   *
   * @param {number} width  In pixels.
   * @param {number} least  Pixels from one to the next.
   * @returns {{step: number, at: number[]}}  `step` in seconds.
   */
  ticks(width, least) {
    const most = Math.max(1, Math.floor(width / least));
    const step = STEPS_S.find((one) => this.span / one <= most) ?? STEPS_S.at(-1);
    // Counted from the day's beginning, so that they are whole hours in every time zone.
    const first = Math.ceil((this.#from - this.#day[0]) / step);
    const last = Math.floor((this.#to - this.#day[0]) / step);
    const at = [];
    for (let index = first; index <= last; index += 1) at.push(this.#day[0] + index * step);
    return { step, at };
  }
}

/**
 * Join marks that would lie on each other.
 *
 * @param {{from: number, to: number}[]} spans  Oldest first.
 * @param {(at: number) => number} x  In pixels.
 * @param {number} least  How wide one is at least, in pixels.
 * @returns {[number, number][]} left and right, in pixels
 */
export function joinMarks(spans, x, least) {
  const marks = [];
  for (const { from, to } of spans) {
    const left = x(from);
    const right = Math.max(left + least, x(to));
    const last = marks.at(-1);
    if (last && left < last[1] + 1) last[1] = Math.max(last[1], right);
    else marks.push([left, right]);
  }
  return marks;
}
