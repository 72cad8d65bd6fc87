/** What the keys do. The help dialog lists them in words; this is the one place that decides. */

/**
 * @typedef {object} Press
 * @property {string} key
 * @property {boolean} modified  Ctrl, Alt or Meta is held: the browser's, not ours.
 * @property {boolean} repeated  The key is held down.
 * @property {'text' | 'slider' | 'button' | 'tile' | 'none'} on  What has the keyboard focus.
 * @property {boolean} dialog    A dialog is open; it has its own keys.
 *
 * @typedef {{action: 'focus', index: number} | {action: 'move', by: 'left' | 'right' | 'up' | 'down'}
 *   | {action: 'unfocus' | 'fullscreen' | 'toggle' | 'snapshot' | 'help' | 'system' | 'timeline'}} KeyAction
 */

const SIMPLE = {
  f: 'fullscreen', s: 'snapshot', i: 'system', t: 'timeline', '?': 'help', Escape: 'unfocus',
};
const ARROWS = { ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'up', ArrowDown: 'down' };

/**
 * @param {Press} press
 * @returns {KeyAction | null}
 */
export function actionFor({ key, modified, repeated, on, dialog }) {
  if (modified || dialog || on === 'text') return null;
  if (key in ARROWS) return on === 'tile' ? { action: 'move', by: ARROWS[key] } : null;
  if (repeated) return null;
  if (/^[1-9]$/.test(key)) return { action: 'focus', index: Number(key) - 1 };
  // A button under the keyboard focus keeps the space bar for itself.
  if (key === ' ') return on === 'button' ? null : { action: 'toggle' };
  const name = SIMPLE[key.length === 1 ? key.toLowerCase() : key];
  return name ? { action: name } : null;
}

/**
 * Index of the tile an arrow key leads to, in a grid filled row by row; stays inside.
 *
 * @param {number} index
 * @param {'left' | 'right' | 'up' | 'down'} by
 * @param {{count: number, columns: number}} grid
 */
export function neighbour(index, by, { count, columns }) {
  const step = { left: -1, right: 1, up: -columns, down: columns }[by];
  const target = index + step;
  return target < 0 || target >= count ? index : target;
}
