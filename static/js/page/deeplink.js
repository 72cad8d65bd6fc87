/**
 * Converts between what the page shows and the query of its address.
 *
 * @typedef {object} Shown
 * @property {boolean} kiosk        Only pictures; always true with a token, which allows nothing else.
 * @property {string[]} cameras     In a kiosk: only these, in this order; empty for all.
 * @property {number} rotate        In a kiosk: seconds per page; 0 to stay on one.
 * @property {boolean | null} names  In a kiosk: names on all pictures or on none; null for only those that are not live.
 * @property {boolean} clock         In a kiosk: show the time of day.
 * @property {string | null} camera The camera in focus.
 * @property {import('../grid/arrangement.js').Layout | null} layout Null: the one this browser remembers.
 * @property {number} page          Counts from 1.
 * @property {string} text          Filter by name.
 * @property {import('../grid/arrangement.js').State} state          Filter by state.
 * @property {string} group         Filter by group; empty for all.
 * @property {boolean | null} grouped  Sort cameras by group; null: as this browser remembers.
 * @property {string[] | null} order  Cameras in this order, others after them; empty for the server's order;
 *   null: the one this browser remembers.
 * @property {number} patrol        Seconds per stop of a patrol; 0 for no patrol.
 * @property {import('../views/round.js').Round} round  The stops of a patrol.
 * @property {string | null} size   The rendition of the camera in focus, or `auto`; null: the one this browser
 *   remembers.
 */
import { LAYOUTS, STATES } from '../grid/arrangement.js';
import { readRound, readSeconds, writeRound } from '../views/round.js';

// `every` is the former name of `rotate`.
const PARAMETERS = [
  'view', 'cameras', 'rotate', 'every', 'names', 'clock', 'camera', 'size', 'layout', 'order', 'sort', 'page', 'filter',
  'state', 'group', 'patrol', 'through',
];
const MAX_TEXT_LENGTH = 80;

/** Parse a query; invalid values are ignored. @param {string} search @returns {Shown} */
export function readLink(search) {
  const query = new URLSearchParams(search);
  const choice = (name, choices) => (choices.includes(query.get(name)) ? query.get(name) : null);
  const names = (name) => [...new Set((query.get(name) ?? '').split(',').map((one) => one.trim()).filter(Boolean))];
  return {
    kiosk: query.get('view') === 'kiosk' || query.has('token'),
    cameras: names('cameras'),
    rotate: readSeconds(query.get('rotate') ?? query.get('every')),
    names: { 0: false, 1: true }[query.get('names')] ?? null,
    clock: query.get('clock') === '1',
    camera: query.get('camera') || null,
    size: /^(auto|full|\d{2,5})$/.test(query.get('size') ?? '') ? query.get('size') : null,
    layout: choice('layout', LAYOUTS),
    order: query.has('order') ? names('order') : null,
    page: /^[1-9]\d{0,3}$/.test(query.get('page') ?? '') ? Number(query.get('page')) : 1,
    text: (query.get('filter') ?? '').slice(0, MAX_TEXT_LENGTH),
    state: choice('state', STATES) ?? 'all',
    group: (query.get('group') ?? '').slice(0, MAX_TEXT_LENGTH),
    grouped: { group: true, none: false }[query.get('sort')] ?? null,
    patrol: readSeconds(query.get('patrol')),
    round: readRound(query.get('through')),
  };
}

/** Whether a query says anything about what to show. @param {string} search */
export function hasViewParameters(search) {
  const query = new URLSearchParams(search);
  return query.has('token') || PARAMETERS.some((name) => query.has(name));
}

/**
 * Return the query for what is shown. Defaults are left out; other modules' parameters stay.
 *
 * @param {Partial<Shown>} shown  A null part is left out.
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
  if (shown.state && shown.state !== 'all') query.set('state', shown.state);
  if (shown.group) query.set('group', shown.group);
  if (typeof shown.grouped === 'boolean') query.set('sort', shown.grouped ? 'group' : 'none');
  if (shown.patrol > 0) query.set('patrol', String(shown.patrol));
  if (shown.patrol > 0 && writeRound(shown.round)) query.set('through', writeRound(shown.round));
  // These are allowed in a query, and are easier to read and to type.
  const text = query.toString().replaceAll('%2C', ',').replaceAll('%3A', ':');
  return text && `?${text}`;
}
