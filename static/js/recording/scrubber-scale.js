/**
 * The arithmetic of the time bar: which part of time it shows, and where its ticks are. Times are Unix seconds. Uses no
 * document.
 *
 * @typedef {{from: number, to: number}} Span
 * @typedef {{at: number, label: string}} Tick
 */

/** Closer than this, frames lie apart as far as a finger is wide. */
export const MIN_SPAN_S = 2;

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const STEPS = [
  1, 2, 5, 10, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR,
  6 * HOUR, 12 * HOUR, 24 * HOUR,
];

const SECONDS = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const MINUTES = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

// Without what tells morning from evening: it takes room, and there is a clock beside it.
function labelOf(format, at) {
  const parts = format.formatToParts(new Date(at * 1000));
  return parts.filter(({ type }) => type !== 'dayPeriod').map(({ value }) => value).join('').trim();
}

/** Where a moment is within a span: 0 is its begin, 1 its end. @param {number} at @param {Span} span */
export function shareOf(at, { from, to }) {
  return (at - from) / (to - from);
}

/** The moment at a share of a span. @param {number} share @param {Span} span */
export function momentAt(share, { from, to }) {
  return from + share * (to - from);
}

/** @param {number} at @param {Span} span */
export function within(at, { from, to }) {
  return Math.min(to, Math.max(from, at));
}

/** Move and cut a span so that it lies in a whole one. @param {Span} span @param {Span} whole @returns {Span} */
export function keepInside({ from, to }, whole) {
  const length = Math.min(to - from, whole.to - whole.from);
  const begin = Math.min(Math.max(from, whole.from), whole.to - length);
  return { from: begin, to: begin + length };
}

/**
 * Scale a span about a moment, which stays where it is as far as the ends allow.
 *
 * @param {Span} span
 * @param {number} by  More than 1 shows less.
 * @param {number} about
 * @param {Span} whole
 * @returns {Span}
 */
export function zoomAbout(span, by, about, whole) {
  const before = span.to - span.from;
  const length = Math.min(whole.to - whole.from, Math.max(MIN_SPAN_S, before / by));
  const share = shareOf(about, span);
  const from = about - share * length;
  return keepInside({ from, to: from + length }, whole);
}

/**
 * Ticks at round local times, with as many labels as have room.
 *
 * @param {Span} span
 * @param {number} most  How many labels have room.
 * @returns {Tick[]}
 */
export function ticksOf({ from, to }, most) {
  const step = STEPS.find((one) => (to - from) / one <= most) ?? STEPS.at(-1);
  const format = step < MINUTE ? SECONDS : MINUTES;
  // Round by the clock on the wall, not by that of Greenwich.
  const offset = new Date(from * 1000).getTimezoneOffset() * MINUTE;
  const ticks = [];
  for (let at = Math.ceil((from - offset) / step) * step + offset; at <= to; at += step) {
    ticks.push({ at, label: labelOf(format, at) });
  }
  return ticks;
}
