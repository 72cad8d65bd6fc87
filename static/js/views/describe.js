/** Describes in a few words what a saved view shows. Uses no DOM. */
import { LAYOUT_NAMES } from '../grid/arrangement.js';
import { plural } from '../ui/format.js';

const STATES = { running: 'running', trouble: 'problems', stopped: 'stopped' };

// Parts of the query that change when people look around in a view.
const PASSING = ['page', 'camera', 'size', 'patrol', 'through'];

/**
 * @param {string} query
 * @param {(name: string) => string} titleOf  Returns a camera's title.
 * @returns {string} Such as `Two by two · Workshop · page 2`.
 */
export function describeView(query, titleOf) {
  const parts = new URLSearchParams(query);
  const get = (name) => parts.get(name);
  const found = [
    get('camera') && titleOf(get('camera')),
    get('layout') === 'auto' ? 'Automatic layout' : LAYOUT_NAMES[get('layout')],
    get('group'),
    get('filter') && `“${get('filter')}”`,
    STATES[get('state')],
    get('page') && `page ${get('page')}`,
    get('sort') === 'group' && 'by group',
    get('order') && `custom order of ${plural(get('order').split(',').length, 'camera')}`,
    get('patrol') && `patrol every ${get('patrol')} s`,
  ];
  return found.filter(Boolean).join(' · ');
}

/** Whether two views are the same, apart from looking around in them. @param {string} one @param {string} other */
export function isSameView(one, other) {
  return essence(one) === essence(other);
}

function essence(query) {
  const parts = new URLSearchParams(query);
  for (const name of PASSING) parts.delete(name);
  // These values mean the same as a missing parameter.
  if (parts.get('order') === '') parts.delete('order');
  if (parts.get('sort') === 'none') parts.delete('sort');
  parts.sort();
  return parts.toString();
}
