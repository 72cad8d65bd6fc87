/**
 * The library's data: days, filters and how the address names them, and which recording holds a moment. Uses no DOM.
 *
 * @typedef {object} Recording  As the server sends it; times are Unix seconds by the server's clock.
 * @property {string | number} id
 * @property {string} camera
 * @property {number} from
 * @property {number} to
 * @property {number} bytes
 * @property {boolean} locked
 * @property {string} reason   `timelapse`, or why it was recorded.
 * @property {boolean} open    Whether it is still being written.
 * @property {string | null} film   The time-lapse film it is part of: its job or its day.
 *
 * @typedef {object} LibraryEvent  An event, as the server sends it.
 * @property {string | number} id
 * @property {string} camera
 * @property {string} label
 * @property {number | null} score
 * @property {number[] | null} box   Left, top, width and height, in shares of the picture.
 * @property {number} from
 * @property {number | null} to      Null while it goes on.
 * @property {unknown} picture       Truthy if there is one.
 * @property {boolean} locked
 * @property {string | null} film    The time-lapse film it is about.
 *
 * @typedef {object} Missing  A node that did not answer.
 * @property {string} node        Its host name.
 * @property {string[]} cameras   The cameras whose recordings and events it keeps.
 *
 * @typedef {object} Shown
 * @property {string | null} day     As 2026-11-26; null for the newest.
 * @property {string} camera         Empty for all.
 * @property {string} label          Empty for all.
 * @property {boolean} locked        Show only what is kept forever.
 * @property {string | null} event   The event being played; `moment` is then its beginning.
 * @property {{camera: string, at: number} | null} moment  The moment being played.
 */

export const FILM = 'timelapse';

// Consecutive files may be this far apart without a gap.
const SEAM_S = 3;
const PARAMETERS = ['library', 'of', 'label', 'kept', 'event', 'at'];
const MAX_TEXT = 80;
const MINUTE_S = 60;

/** @type {Shown} */
export const EVERYTHING = Object.freeze({ day: null, camera: '', label: '', locked: false, event: null, moment: null });

/** Parse what the address says about the library; null if it does not name it. @param {string} search @returns {Shown | null} */
export function readLibrary(search) {
  const query = new URLSearchParams(search);
  if (!query.has('library')) return null;
  const day = query.get('library');
  const moment = /^(.{1,40})@(\d{1,12}(?:\.\d{1,6})?)$/.exec(query.get('at') ?? '');
  return {
    day: isDay(day) ? day : null,
    camera: (query.get('of') ?? '').slice(0, MAX_TEXT),
    label: (query.get('label') ?? '').slice(0, MAX_TEXT),
    locked: query.get('kept') === '1',
    event: (query.get('event') ?? '').slice(0, MAX_TEXT) || null,
    moment: moment ? { camera: moment[1], at: Number(moment[2]) } : null,
  };
}

/** Return the query for what is shown; null removes the library from it. @param {Shown | null} shown @param {string} search */
export function writeLibrary(shown, search) {
  const query = new URLSearchParams(search);
  for (const name of PARAMETERS) query.delete(name);
  if (shown !== null) {
    query.set('library', shown.day ?? '');
    if (shown.camera) query.set('of', shown.camera);
    if (shown.label) query.set('label', shown.label);
    if (shown.locked) query.set('kept', '1');
    if (shown.event !== null) query.set('event', shown.event);
    if (shown.moment !== null) query.set('at', `${shown.moment.camera}@${Math.floor(shown.moment.at)}`);
  }
  const text = query.toString().replaceAll('%2C', ',').replaceAll('%3A', ':').replaceAll('%40', '@');
  return text && `?${text.replace(/^library=(?=&|$)/, 'library').replace(/&library=(?=&|$)/, '&library')}`;
}

/** The day of a moment, as 2026-11-26, in this browser's time zone. @param {number} unix */
export function dayOf(unix) {
  return nameDay(new Date(unix * 1000));
}

/** Begin and end of a day, which has 23 or 25 hours when clocks change. @param {string} day @returns {[number, number]} */
export function boundsOf(day) {
  return [dateOf(day).getTime() / 1000, dateOf(day, 1).getTime() / 1000];
}

/** @param {string} day @param {number} by */
export function addDays(day, by) {
  return nameDay(dateOf(day, by));
}

/** The day as a date, at its first hour. @param {string} day @param {number} [by]  Days later. */
export function dateOf(day, by = 0) {
  const [year, month, date] = day.split('-').map(Number);
  return new Date(year, month - 1, date + by);
}

/** The months that contain these days, as the server names them. @param {string[]} days */
export function monthsOf(days) {
  return [...new Set(days.map((day) => day.slice(0, 7)))];
}

function nameDay(date) {
  const two = (number) => String(number).padStart(2, '0');
  return `${String(date.getFullYear()).padStart(4, '0')}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function isDay(text) {
  return /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/.test(text ?? '');
}

/** The end of an event, or now while it goes on. @param {LibraryEvent} event @param {number} nowUnix */
export function endOf({ from, to }, nowUnix) {
  return to ?? Math.max(from, nowUnix);
}

/** Count a day's events and seconds of recording. @param {Record<string, object> | undefined} cameras  By name. */
export function countDay(cameras, camera = '') {
  const counted = Object.entries(cameras ?? {}).filter(([name]) => camera === '' || name === camera);
  const total = (key) => counted.reduce((sum, [, one]) => sum + (one[key] ?? 0), 0);
  return { events: total('events'), recordings: total('recordings'), seconds: total('seconds') };
}

/**
 * Join consecutive recordings.
 *
 * @param {Recording[]} recordings  Of one camera, oldest first.
 * @param {number} nowUnix
 * @returns {{from: number, to: number}[]}
 */
export function spansOf(recordings, nowUnix) {
  const spans = [];
  for (const { from, to, open } of recordings) {
    const end = open ? Math.max(to, nowUnix) : to;
    const last = spans.at(-1);
    if (last && from - last.to <= SEAM_S) last.to = Math.max(last.to, end);
    else spans.push({ from, to: end });
  }
  return spans;
}

/**
 * Find the recording to play at a moment: the one that holds it, or the next one.
 *
 * @param {Recording[]} recordings  Of one camera, oldest first.
 * @param {number} at
 * @returns {Recording | null}
 */
export function findRecording(recordings, at) {
  return recordings.find(({ to, open }) => at < to || (open && at < to + MINUTE_S)) ?? null;
}

/** @param {Recording[]} recordings  Oldest first. @param {Recording} after @returns {Recording | null} */
export function nextRecording(recordings, after) {
  return recordings.find(({ from, id }) => id !== after.id && from > after.from) ?? null;
}

/** Whether a moment lies in a gap before a recording. @param {Recording} recording  The one played instead. @param {number} at */
export function isInGap({ from }, at) {
  return at < from - SEAM_S;
}

/**
 * The files of a time-lapse film: one, or several after a restart of the server.
 *
 * @param {LibraryEvent} event  Spans the film.
 * @param {Recording[]} films  Newest first.
 * @param {number} nowUnix
 * @returns {Recording[]} oldest first
 */
export function filmsOf(event, films, nowUnix) {
  if (event.label !== FILM) return [];
  const isOf = ({ camera, film, from }) => camera === event.camera && film === event.film && from >= event.from - MINUTE_S && from <= endOf(event, nowUnix);
  return films.filter(isOf).reverse();
}

/** Films whose event was deleted. @param {Recording[]} films @param {LibraryEvent[]} events @param {Shown} shown @param {number} nowUnix */
export function orphanedFilms(films, events, { camera, label, locked }, nowUnix) {
  if (label !== '' && label !== FILM) return [];
  const told = new Set(events.flatMap((event) => filmsOf(event, films, nowUnix)));
  return films.filter((film) => !told.has(film) && (camera === '' || film.camera === camera) && (!locked || film.locked));
}

/**
 * The events to mark in the timeline. Films are left out: one may take the whole day.
 *
 * @param {LibraryEvent[]} events
 * @param {number} nowUnix
 */
export function marksOf(events, nowUnix) {
  const spans = (wanted) => events.filter(wanted).map((event) => ({ from: event.from, to: endOf(event, nowUnix) }));
  return {
    events: spans(({ label }) => ![FILM, 'offline', 'online'].includes(label)),
    offline: spans(({ label }) => label === 'offline'),
  };
}

/** What to show in the library for an event. @param {LibraryEvent} event @returns {Partial<Shown>} */
export function linkTo({ id, camera, from }) {
  return { event: String(id), moment: { camera, at: from } };
}

/** @param {LibraryEvent} event @param {Shown} shown */
export function matches(event, { camera, label, locked }) {
  return (camera === '' || event.camera === camera) && (label === '' || event.label === label) && (!locked || event.locked);
}

/**
 * Merge new rows into the known ones; a known row is replaced.
 *
 * @template {{id: string | number, from: number}} Row
 * @param {Row[]} known
 * @param {Row[]} rows
 * @returns {Row[]} newest first
 */
export function mergeRows(known, rows) {
  const byId = new Map(known.map((row) => [String(row.id), row]));
  for (const row of rows) byId.set(String(row.id), row);
  return [...byId.values()].sort((one, other) => other.from - one.from || compare(other.id, one.id));
}

function compare(one, other) {
  return String(one).localeCompare(String(other), undefined, { numeric: true });
}

/** The address of the picture at a moment. @param {string} camera @param {number} at @param {number} width */
export function pictureOf(camera, at, width) {
  return `api/cameras/${encodeURIComponent(camera)}/picture?${new URLSearchParams({ at: at.toFixed(1), width: String(width) })}`;
}

/** A duration on the player's clock: `0:07`, `1:02:03`. @param {number} seconds */
export function formatClock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/**
 * Join marks that would overlap.
 *
 * @param {{from: number, to: number}[]} spans  Oldest first.
 * @param {(at: number) => number} x  In pixels.
 * @param {number} least  Smallest width of a mark, in pixels.
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
