/**
 * The zoomable time scale of the time bar and the library's timeline: the shown part, and its ticks. Times are Unix
 * seconds. Uses no DOM.
 *
 * @typedef {{from: number, to: number}} Span
 */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const STEPS_S = [
  1, 2, 5, 10, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR,
  4 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR,
];
// A part this close to the whole becomes the whole; one that ends this close to its end ends there.
const NEARLY_ALL = 0.995;
const NEARLY_S = 0.01;

const SECONDS = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const MINUTES = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

export class TimeScale {
  #minS;
  /** @type {Span} */
  #whole;
  // The shown part; null for the whole.
  /** @type {Span | null} */
  #part = null;

  /** @param {Span} whole @param {number} minS  Shortest part that can be shown. */
  constructor(whole, minS) {
    this.#whole = whole;
    this.#minS = minS;
  }

  /** @returns {Span} */
  get whole() {
    return this.#whole;
  }

  /** Set the whole. A part that ends with it keeps doing so. @param {Span} whole */
  setWhole(whole) {
    const { to } = this.#whole;
    this.#whole = whole;
    if (this.#part === null) return;
    const by = this.#part.to >= to - NEARLY_S ? whole.to - to : 0;
    this.#place(this.#part.from + by, this.span);
  }

  get from() {
    return (this.#part ?? this.#whole).from;
  }

  get to() {
    return (this.#part ?? this.#whole).to;
  }

  get span() {
    return this.to - this.from;
  }

  get isWhole() {
    return this.#part === null;
  }

  get isClosest() {
    return this.span <= this.#minS * 1.001;
  }

  /** Position of a moment, as a share of the width; outside 0 to 1 it is not shown. @param {number} at */
  share(at) {
    return (at - this.from) / this.span;
  }

  /** The moment at a share of the width, within the whole. @param {number} share */
  at(share) {
    return this.clamp(this.from + share * this.span);
  }

  /** @param {number} at */
  clamp(at) {
    return Math.min(this.#whole.to, Math.max(this.#whole.from, at));
  }

  /** @param {number} at */
  shows(at) {
    return at >= this.from && at <= this.to;
  }

  /** Zoom, in for a factor above 1, around a moment, which stays in place as far as the ends allow. @param {number} factor @param {number} around */
  zoom(factor, around) {
    const span = Math.max(this.#minS, this.span / factor);
    const share = Math.min(1, Math.max(0, this.share(around)));
    this.#place(around - share * span, span);
  }

  /** @param {number} by  In shares of the shown part. */
  move(by) {
    this.#place(this.from + by * this.span, this.span);
  }

  /** Move a moment that is not shown to a share of the width. @param {number} at @param {number} [share] @returns {boolean} whether that moved it */
  reveal(at, share = 0.5) {
    if (this.shows(at)) return false;
    this.#place(at - share * this.span, this.span);
    return true;
  }

  /** Show a span with some room around it. @param {Span} span */
  fit({ from, to }) {
    const room = Math.max(this.#minS, (to - from) * 1.25);
    this.#place((from + to - room) / 2, room);
  }

  reset() {
    this.#part = null;
  }

  #place(from, span) {
    const { from: first, to: last } = this.#whole;
    const begin = Math.min(last - span, Math.max(first, from));
    this.#part = span > NEARLY_ALL * (last - first) ? null : { from: begin, to: begin + span };
  }

  /**
   * Return where to label the time: at round moments of local time.
   *
   * @param {number} width  In pixels.
   * @param {number} least  Smallest distance in pixels.
   * @returns {{step: number, at: number[]}}  `step` in seconds.
   */
  ticks(width, least) {
    const most = Math.max(1, Math.floor(width / least));
    const step = STEPS_S.find((one) => this.span / one <= most) ?? STEPS_S.at(-1);
    const at = [];
    const last = this.to - offsetOf(this.to);
    for (let local = Math.ceil((this.from - offsetOf(this.from)) / step) * step; local <= last; local += step) {
      // On a day when clocks change, ticks must be round after the change as well.
      const tick = local + offsetOf(local + offsetOf(this.from));
      if (this.shows(tick) && tick !== at.at(-1)) at.push(tick);
    }
    return { step, at };
  }

  /**
   * Return a tick's label. If the whole is at most 12 hours, it leaves out AM and PM to save room.
   *
   * @param {number} at
   * @param {number} step
   */
  label(at, step) {
    const format = step < MINUTE ? SECONDS : MINUTES;
    const date = new Date(at * 1000);
    if (this.#whole.to - this.#whole.from > 12 * HOUR) return format.format(date);
    const parts = format.formatToParts(date).filter(({ type }) => type !== 'dayPeriod');
    return parts.map(({ value }) => value).join('').trim();
  }
}

// Seconds that local time is behind UTC.
function offsetOf(at) {
  return new Date(at * 1000).getTimezoneOffset() * MINUTE;
}
