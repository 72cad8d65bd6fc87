/** One notice as an entry of a list: its level in shape and word, its text, and when it was. */
import { setText } from './text.js';

const LEVELS = { info: '', warning: 'Warning: ', error: 'Error: ' };
const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });

/**
 * @param {import('./notices.js').Notice} notice
 * @param {object} more
 * @param {number} more.offsetS  How far the server's clock is ahead of ours.
 * @param {string | null} more.opens  Title of the camera that a click leads to; null for none.
 * @returns {HTMLLIElement}
 */
export function buildEntry(notice, { offsetS, opens }) {
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
  const when = document.createElement('p');
  when.className = 'entry-when';
  const time = document.createElement('time');
  const local = new Date((notice.at - offsetS) * 1000);
  time.dateTime = local.toISOString();
  time.title = WHOLE.format(local);
  time.textContent = TIME.format(local);
  const ago = document.createElement('span');
  ago.className = 'entry-ago';
  ago.dataset.at = String(notice.at);
  when.append(time, ago);
  element.append(mark, text, when);
  return element;
}

/** Say anew how long ago everything in a list was. @param {Element} list @param {number} nowUnix  The server's. */
export function refreshAgo(list, nowUnix) {
  for (const ago of list.querySelectorAll('.entry-ago')) setText(ago, formatAgo(nowUnix - Number(ago.dataset.at)));
}

/** How long ago, as one would say it: `just now`, `40 s ago`, `5 min ago`, `3 h ago`. @param {number} seconds */
export function formatAgo(seconds) {
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
