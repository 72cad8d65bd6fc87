/**
 * Converts between what the page shows and the query of its address.
 *
 * @typedef {object} Shown
 * @property {boolean} kiosk        Only pictures; always true with a token, which is for nothing else.
 * @property {string[]} cameras     In a kiosk: only these, in this order; none means all.
 * @property {number} rotate        In a kiosk: seconds until it turns to the next page; 0 for never.
 * @property {boolean | null} names  In a kiosk: names on all pictures or on none; null for those that are not live.
 * @property {boolean} clock         In a kiosk: the time of day.
 * @property {string | null} camera The one in focus.
 * @property {import('../grid/arrangement.js').Layout | null} layout Null: what this browser remembers.
 * @property {number} page          Counts from 1.
 * @property {string} text          Filter by name.
 * @property {import('../grid/arrangement.js').Group} group          Filter by state.
 * @property {string[] | null} order  Cameras in this order, others after them; empty for the server's order;
 *   null: what this browser remembers.
 * @property {string | null} size   The rendition of the camera in focus, or `auto`; null: what this browser remembers.
 */
import { GROUPS, LAYOUTS } from '../grid/arrangement.js';

// `every` is what `rotate` was called.
const PARAMETERS = [
  'view', 'cameras', 'rotate', 'every', 'names', 'clock', 'camera', 'size', 'layout', 'order', 'page', 'filter', 'state',
];
const MAX_TEXT_LENGTH = 80;
const MIN_ROTATE_S = 2;
const MAX_ROTATE_S = 3600;

/** Ignores what is invalid. @param {string} search @returns {Shown} */
export function readLink(search) {
  const query = new URLSearchParams(search);
  const choice = (name, choices) => (choices.includes(query.get(name)) ? query.get(name) : null);
  const names = (name) => [...new Set((query.get(name) ?? '').split(',').map((one) => one.trim()).filter(Boolean))];
  const rotate = Number(query.get('rotate') ?? query.get('every'));
  return {
    kiosk: query.get('view') === 'kiosk' || query.has('token'),
    cameras: names('cameras'),
    rotate: rotate > 0 ? Math.min(MAX_ROTATE_S, Math.max(MIN_ROTATE_S, rotate)) : 0,
    names: { 0: false, 1: true }[query.get('names')] ?? null,
    clock: query.get('clock') === '1',
    camera: query.get('camera') || null,
    size: /^(auto|full|\d{2,5})$/.test(query.get('size') ?? '') ? query.get('size') : null,
    layout: choice('layout', LAYOUTS),
    order: query.has('order') ? names('order') : null,
    page: /^[1-9]\d{0,3}$/.test(query.get('page') ?? '') ? Number(query.get('page')) : 1,
    text: (query.get('filter') ?? '').slice(0, MAX_TEXT_LENGTH),
    group: choice('state', GROUPS) ?? 'all',
  };
}

/**
 * Return the query for what is shown. Defaults are left out; parameters that are not ours stay.
 *
 * @param {Partial<Shown>} shown  Null leaves a part out.
 * @param {string} [search]  The query to start from.
 * @returns {string} With its question mark, or empty.
 */
export function writeLink(shown, search = '') {
  const query = new URLSearchParams(search);
  for (const name of PARAMETERS) query.delete(name);
  if (shown.kiosk) query.set('view', 'kiosk');
  if (shown.kiosk && shown.cameras?.length > 0) query.set('cameras', shown.cameras.join(','));
  if (shown.kiosk && shown.rotate > 0) query.set('rotate', String(shown.rotate));
  if (shown.kiosk && typeof shown.names === 'boolean') query.set('names', shown.names ? '1' : '0');
  if (shown.kiosk && shown.clock) query.set('clock', '1');
  if (shown.camera) query.set('camera', shown.camera);
  if (shown.camera && shown.size) query.set('size', shown.size);
  if (shown.layout) query.set('layout', shown.layout);
  if (shown.order) query.set('order', shown.order.join(','));
  if (shown.page > 1) query.set('page', String(shown.page));
  if (shown.text) query.set('filter', shown.text);
  if (shown.group && shown.group !== 'all') query.set('state', shown.group);
  // A comma is allowed in a query, and is easier to read and to type.
  const text = query.toString().replaceAll('%2C', ',');
  return text && `?${text}`;
}
