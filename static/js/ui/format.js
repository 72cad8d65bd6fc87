/** Formats numbers and times for people. An unknown number becomes a dash. */

export const UNKNOWN = '–';

/** @param {number} fps */
export function formatFps(fps) {
  if (!Number.isFinite(fps)) return UNKNOWN;
  return fps < 20 ? trimZero(fps.toFixed(1)) : String(Math.round(fps));
}

/** @param {number} ms */
export function formatMs(ms) {
  if (!Number.isFinite(ms)) return UNKNOWN;
  if (ms >= 10000) return `${(ms / 1000).toFixed(0)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.abs(ms) < 10 ? trimZero(ms.toFixed(1)) : Math.round(ms)} ms`;
}

const REASONS = {
  fixed: 'fixed', tile: 'auto: tile', network: 'auto: network', decoding: 'auto: browser', server: 'auto: server',
};

/**
 * @param {string} rendition  `full`, or a width in pixels.
 * @param {string} reason
 */
export function formatRendition(rendition, reason) {
  if (!rendition) return UNKNOWN;
  return reason in REASONS ? `${rendition} · ${REASONS[reason]}` : rendition;
}

/** @param {number} count */
export function formatCount(count) {
  if (!Number.isFinite(count)) return UNKNOWN;
  if (count < 10000) return String(count);
  return count < 1e6 ? `${Math.floor(count / 1000)}k` : `${(count / 1e6).toFixed(1)}M`;
}

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const HOUR = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });

/**
 * Format a time by the server's clock in this browser's time zone. Pictures, files and the log use the same clock,
 * so everybody sees the same time, even if this machine's clock is wrong.
 *
 * @param {number} atUnix  Seconds, by the server's clock.
 * @param {number} [serverUnix]  That clock's time now.
 * @returns {{time: string, whole: string, group: string, iso: string}}  `group` is the day and the hour.
 */
export function formatWhen(atUnix, serverUnix = NaN) {
  const date = new Date(atUnix * 1000);
  const hour = new Date(date);
  hour.setMinutes(0, 0, 0);
  return {
    time: TIME.format(date),
    whole: WHOLE.format(date),
    group: `${dayOf(date, serverUnix)}, from ${HOUR.format(hour)}`,
    iso: date.toISOString(),
  };
}

function dayOf(date, serverUnix) {
  const day = new Date(serverUnix * 1000);
  const name = date.toDateString();
  if (day.toDateString() === name) return 'Today';
  day.setDate(day.getDate() - 1);
  return day.toDateString() === name ? 'Yesterday' : DAY.format(date);
}

/** An age: `4 s`, `1:05 min`, `2:07 h`, `3 d`. @param {number} seconds */
export function formatAge(seconds) {
  if (!Number.isFinite(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)} h`;
  return `${Math.floor(whole / 86400)} d`;
}

/**
 * Format how long ago something was: `12 s ago`, `4:05 min ago`; after 10 minutes the time of day.
 *
 * @param {number} ageS
 * @param {number} atUnix  Seconds, by the server's clock.
 */
export function formatAgo(ageS, atUnix) {
  return ageS < 600 ? `${formatAge(ageS)} ago` : TIME.format(new Date(atUnix * 1000));
}

/** The same for screen readers: `12 seconds ago`, `4 minutes 5 seconds ago`; empty once it is a time of day. @param {number} ageS */
export function formatAgoSpoken(ageS) {
  const whole = Math.max(0, Math.floor(ageS));
  if (!(whole < 600)) return '';
  const parts = [[Math.floor(whole / 60), 'minute'], [whole % 60, 'second']].filter(([count], index, { length }) => count > 0 || index === length - 1);
  return `${parts.map(([count, unit]) => plural(count, unit)).join(' ')} ago`;
}

/** A duration: `12 s`, `4:05 min`, `6:12 h`, `30 h`; at least `1 s`. @param {number} seconds */
export function formatLength(seconds) {
  if (seconds >= 86400) return `${Math.round(seconds / 3600)} h`;
  return Number.isFinite(seconds) ? formatAge(Math.max(1, Math.round(seconds))) : UNKNOWN;
}

const LABELS = { motion: 'Motion', offline: 'Offline', online: 'Back online', timelapse: 'Time lapse' };

/** An event's name, made from its label: `Motion`, `Licence plate`. @param {string} label */
export function formatLabel(label) {
  return Object.hasOwn(LABELS, label) ? LABELS[label] : capitalize(label.replaceAll(/[_-]+/g, ' ').trim()) || 'Event';
}

/** @param {number} bytes */
export function formatBytes(bytes) {
  if (!Number.isFinite(bytes)) return UNKNOWN;
  const units = ['B', 'kB', 'MB', 'GB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? trimZero(value.toFixed(1)) : Math.round(value)} ${units[unit]}`;
}

/** @param {number} bytesPerSecond */
export function formatBitrate(bytesPerSecond) {
  if (!Number.isFinite(bytesPerSecond)) return UNKNOWN;
  const kbit = (bytesPerSecond * 8) / 1000;
  return kbit < 1000 ? `${Math.round(kbit)} kbit/s` : `${(kbit / 1000).toFixed(1)} Mbit/s`;
}

/** @param {number} percent */
export function formatPercent(percent) {
  if (!Number.isFinite(percent)) return UNKNOWN;
  return `${percent < 10 ? trimZero(percent.toFixed(1)) : Math.round(percent)} %`;
}

/** @param {number} width @param {number} height */
export function formatSize(width, height) {
  return width > 0 && height > 0 ? `${width} × ${height}` : UNKNOWN;
}

/** `2 viewers`, `1 viewer`. @param {number} count @param {string} noun */
export function plural(count, noun) {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/**
 * Name a picture by its camera and capture time, in UTC and without characters that file systems reject.
 *
 * @param {string} camera
 * @param {number} atUnix  Seconds.
 */
export function snapshotName(camera, atUnix) {
  const time = new Date(atUnix * 1000).toISOString().replaceAll('-', '').replaceAll(':', '');
  return `${camera}-${time}.jpg`;
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufefc]/;

/** Isolate a right-to-left name, so that it does not reorder the rest of a sentence. @param {string} name */
export function inSentence(name) {
  return RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name;
}

/** @param {string} text */
export function capitalize(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Mask numbers, so that messages that differ only in them are equal. @param {string} message */
export function withoutNumbers(message) {
  return message.replaceAll(/\d+(\.\d+)?/g, '#');
}

/** The server's reason for a rejection. @param {{message?: string, error: string}} reply */
export function formatRejection({ message, error }) {
  return message || `Rejected: ${error}`;
}

function trimZero(text) {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function two(number) {
  return String(number).padStart(2, '0');
}
