/** What the keys do. The help dialog lists them in words; this is the one place that decides. */

/**
 * @typedef {object} Press
 * @property {string} key
 * @property {boolean} modified  Ctrl, Alt or Meta is held: the browser's, not ours.
 * @property {boolean} shifted
 * @property {boolean} repeated  The key is held down.
 * @property {'text' | 'slider' | 'button' | 'tile' | 'none'} on  What has the keyboard focus.
 * @property {boolean} dialog    A dialog is open; it has its own keys.
 *
 * @typedef {{action: 'focus', index: number}
 *   | {action: 'move' | 'shift' | 'pan', by: 'left' | 'right' | 'up' | 'down'}
 *   | {action: 'step', by: -1 | 1} | {action: 'zoom', by: -1 | 0 | 1}
 *   | {action: 'unfocus' | 'fullscreen' | 'toggle' | 'snapshot' | 'copy' | 'popout' | 'layout' | 'filter' | 'close'
 *     | 'help' | 'system' | 'timeline'}} KeyAction
 */

const SIMPLE = {
  c: 'copy', f: 'fullscreen', i: 'system', l: 'layout', p: 'popout', s: 'snapshot', t: 'timeline',
  '/': 'filter', '?': 'help', Escape: 'unfocus',
};
const ARROWS = { ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'up', ArrowDown: 'down' };
const PAGES = { PageUp: -1, PageDown: 1 };
// Plus without Shift is the equals sign on many keyboards.
const ZOOMS = { '-': -1, '0': 0, '+': 1, '=': 1 };

/**
 * @param {Press} press
 * @returns {KeyAction | null}
 */
export function actionFor({ key, modified, shifted, repeated, on, dialog }) {
  if (modified || dialog || on === 'text') return null;
  if (key in ARROWS) return arrowFor(ARROWS[key], shifted, on);
  if (key in ZOOMS) return { action: 'zoom', by: ZOOMS[key] };
  if (key in PAGES) return on === 'slider' ? null : { action: 'step', by: PAGES[key] };
  if (repeated) return null;
  if (/^[1-9]$/.test(key)) return { action: 'focus', index: Number(key) - 1 };
  // A button under the keyboard focus keeps the space bar for itself.
  if (key === ' ') return on === 'button' ? null : { action: 'toggle' };
  const name = SIMPLE[key.length === 1 ? key.toLowerCase() : key];
  return name ? { action: name } : null;
}

// On a tile they lead to others; what looks at a zoomed picture is asked first in main.js.
function arrowFor(by, shifted, on) {
  if (on === 'tile') return { action: shifted ? 'shift' : 'move', by };
  return on === 'slider' ? null : { action: 'pan', by };
}
