/** One notice as an entry of a list: its level in shape and word, its text, and when it was. */
import { formatWhen } from '../ui/format.js';
import { setText } from '../ui/text.js';

const LEVELS = { info: '', warning: 'Warning: ', error: 'Error: ' };

/**
 * @param {import('./notices.js').Notice} notice
 * @param {string | null} opens  Title of the camera that a click leads to; null for none.
 * @returns {HTMLLIElement}
 */
export function buildEntry(notice, opens) {
  const element = document.createElement('li');
  element.className = 'entry';
  const level = notice.level in LEVELS ? notice.level : 'info';
  element.dataset.level = level;
  const mark = document.createElement('span');
  mark.className = 'entry-mark';
  mark.setAttribute('aria-hidden', 'true');
  const text = document.createElement('p');
  text.className = 'entry-text';
  if (opens === null) {
    text.append(...worded(level, notice.message));
  } else {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'entry-open';
    button.dataset.camera = notice.camera;
    button.title = `Show ${opens}`;
    button.append(...worded(level, notice.message));
    text.append(button);
  }
  const line = document.createElement('p');
  line.className = 'entry-when';
  const time = document.createElement('time');
  const when = formatWhen(notice.at);
  time.dateTime = when.iso;
  time.title = when.whole;
  time.textContent = when.time;
  const ago = document.createElement('span');
  ago.className = 'entry-ago';
  ago.dataset.at = String(notice.at);
  line.append(time, ago);
  element.append(mark, text, line);
  return element;
}

/**
 * Say anew how long ago everything in a list was.
 *
 * @param {Element} list
 * @param {number} serverUnix  What the server's clock says; NaN while unknown.
 */
export function refreshAgo(list, serverUnix) {
  for (const ago of list.querySelectorAll('.entry-ago')) setText(ago, formatAgo(serverUnix - Number(ago.dataset.at)));
}

/**
 * How long ago, as one would say it: `just now`, `40 s ago`, `5 min ago`, `3 h ago`; nothing while unknown.
 *
 * @param {number} seconds
 */
export function formatAgo(seconds) {
  if (Number.isNaN(seconds)) return '';
  if (!(seconds >= 5)) return 'just now';
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds / 3600)} h ago`;
}

function worded(level, message) {
  if (LEVELS[level] === '') return [message];
  const word = document.createElement('span');
  word.className = 'visually-hidden';
  word.textContent = LEVELS[level];
  return [word, message];
}
