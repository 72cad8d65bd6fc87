/** One notice as an entry of a list: its level, its text, and its time. */
import { formatWhen } from '../ui/format.js';
import { make, setText } from '../ui/dom.js';

const LEVELS = { info: '', warning: 'Warning: ', error: 'Error: ' };

/**
 * @param {import('./notices.js').Notice} notice
 * @param {string | null} opens  Title of the camera that a click opens; null for none.
 * @returns {HTMLLIElement}
 */
export function buildEntry(notice, opens) {
  const element = make('li', 'entry');
  const level = notice.level in LEVELS ? notice.level : 'info';
  element.dataset.level = level;
  const mark = make('span', 'entry-mark');
  mark.setAttribute('aria-hidden', 'true');
  const text = make('p', 'entry-text');
  const words = withLevel(level, notice.message);
  if (opens === null) {
    text.append(...words);
  } else {
    const button = make('button', 'entry-open');
    button.type = 'button';
    button.dataset.camera = notice.camera;
    button.title = `Show ${opens}`;
    button.append(...words);
    text.append(button);
  }
  element.append(mark, text, buildTime(notice.at));
  if (notice.event) addEvent(element, notice);
  return element;
}

// A click leads to the recording of the event.
function addEvent(element, { event, message }) {
  element.dataset.event = String(event.id);
  const button = make('button', 'entry-open', message);
  button.type = 'button';
  button.title = 'Show it in the library';
  element.querySelector('.entry-text').replaceChildren(button);
  if (!event.picture) return;
  const picture = make('img', 'entry-picture');
  picture.alt = '';
  picture.loading = 'lazy';
  picture.src = `event/${encodeURIComponent(event.id)}.jpg`;
  picture.addEventListener('error', () => picture.remove());
  element.append(picture);
}

function buildTime(at) {
  const line = make('p', 'entry-when');
  const when = formatWhen(at);
  const time = make('time', '', when.time);
  time.dateTime = when.iso;
  time.title = when.whole;
  const ago = make('span', 'entry-ago');
  ago.dataset.at = String(at);
  line.append(time, ago);
  return line;
}

/**
 * Update the ages of all entries in a list.
 *
 * @param {Element} list
 * @param {number} serverUnix  The server's time; NaN while unknown.
 */
export function refreshAgo(list, serverUnix) {
  for (const ago of list.querySelectorAll('.entry-ago')) setText(ago, formatEntryAgo(serverUnix - Number(ago.dataset.at)));
}

/**
 * Format an age: `just now`, `40 s ago`, `5 min ago`, `3 h ago`; empty while unknown.
 *
 * @param {number} seconds
 */
export function formatEntryAgo(seconds) {
  if (Number.isNaN(seconds)) return '';
  if (!(seconds >= 5)) return 'just now';
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds / 3600)} h ago`;
}

// The mark shows the level; screen readers need a word.
function withLevel(level, message) {
  return LEVELS[level] === '' ? [message] : [make('span', 'visually-hidden', LEVELS[level]), message];
}
