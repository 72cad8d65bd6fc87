/**
 * What the page shows, as the query of its address, and back.
 *
 * @typedef {object} Shown
 * @property {boolean} kiosk        Only pictures; always so with a token, which is for nothing else.
 * @property {string[]} cameras     In a kiosk: only these, in this order; none means all.
 * @property {number} every         In a kiosk: seconds until the next page by itself; 0 for never.
 * @property {string | null} camera The one in focus.
 * @property {Layout | null} layout Null: whatever this browser remembers.
 * @property {number} page          Counts from 1.
 * @property {string} text          Filter by name.
 * @property {Group} group          Filter by state.
 *
 * @typedef {'auto' | '1' | '2x2' | '3x3'} Layout
 * @typedef {'all' | 'running' | 'trouble' | 'stopped'} Group
 */

export const LAYOUTS = /** @type {const} */ (['auto', '1', '2x2', '3x3']);
export const GROUPS = /** @type {const} */ (['all', 'running', 'trouble', 'stopped']);

const OURS = ['view', 'cameras', 'every', 'camera', 'layout', 'page', 'filter', 'state'];
const MAX_TEXT = 80;
const MIN_EVERY_S = 2;
const MAX_EVERY_S = 3600;

/** Whatever makes no sense is as if it were not there. @param {string} search @returns {Shown} */
export function readLink(search) {
  const query = new URLSearchParams(search);
  const choice = (name, choices) => (choices.includes(query.get(name)) ? query.get(name) : null);
  const names = (query.get('cameras') ?? '').split(',').map((name) => name.trim());
  const every = Number(query.get('every'));
  return {
    kiosk: query.get('view') === 'kiosk' || query.has('token'),
    cameras: [...new Set(names.filter(Boolean))],
    every: every > 0 ? Math.min(MAX_EVERY_S, Math.max(MIN_EVERY_S, every)) : 0,
    camera: query.get('camera') || null,
    layout: choice('layout', LAYOUTS),
    page: /^[1-9]\d{0,3}$/.test(query.get('page') ?? '') ? Number(query.get('page')) : 1,
    text: (query.get('filter') ?? '').slice(0, MAX_TEXT),
    group: choice('state', GROUPS) ?? 'all',
  };
}

/**
 * Return the query for what is shown; what is usual is left out, and what others put there stays.
 *
 * @param {Partial<Shown>} shown
 * @param {string} [search]  The query to start from.
 * @returns {string} With its question mark, or empty.
 */
export function writeLink(shown, search = '') {
  const query = new URLSearchParams(search);
  for (const name of OURS) query.delete(name);
  if (shown.kiosk) query.set('view', 'kiosk');
  if (shown.kiosk && shown.cameras?.length > 0) query.set('cameras', shown.cameras.join(','));
  if (shown.kiosk && shown.every > 0) query.set('every', String(shown.every));
  if (shown.camera) query.set('camera', shown.camera);
  if (shown.layout && shown.layout !== 'auto') query.set('layout', shown.layout);
  if (shown.page > 1) query.set('page', String(shown.page));
  if (shown.text) query.set('filter', shown.text);
  if (shown.group && shown.group !== 'all') query.set('state', shown.group);
  // A comma may stand in a query as it is, and is easier to read and to type.
  const text = query.toString().replaceAll('%2C', ',');
  return text && `?${text}`;
}
