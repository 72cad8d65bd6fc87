/** What the keys do. The help dialog lists them in words; this is the one place that decides. */

/**
 * What has the keyboard focus, by the keys that it has a use for itself:
 *
 * | | |
 * |---|---|
 * | `field` | text and lists: all |
 * | `menu` | what is in an open menu: all but Esc |
 * | `slider` | also switches and radio buttons: digits, signs, arrows, pages, the space bar |
 * | `button` | the space bar |
 * | `tile` | one of the tiles in the grid, or in the strip beside the large one: the space bar opens it |
 * | `large` | the tile that is shown large: none |
 * | `page` | nothing in particular: none |
 * | `other` | what is scrolled, or has arrows of its own: arrows, pages, the space bar |
 *
 * @typedef {'field' | 'menu' | 'slider' | 'button' | 'tile' | 'large' | 'page' | 'other'} Focus
 *
 * @typedef {object} Press
 * @property {string} key
 * @property {string} code       Where the key is, as if the keyboard were an American one.
 * @property {boolean} modified  Ctrl, Alt or Meta is held: the browser's, not ours.
 * @property {boolean} shifted
 * @property {boolean} repeated  The key is held down.
 * @property {Focus} on          What has the keyboard focus.
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
export function actionFor({ key: pressed, code, modified, shifted, repeated, on, dialog }) {
  if (modified || dialog || on === 'field') return null;
  const key = keyOf(pressed, code, shifted);
  if (on === 'menu' && key !== 'Escape') return null;
  if (key in ARROWS) return arrowFor(ARROWS[key], shifted, on);
  if (key in PAGES) return on === 'slider' || on === 'other' ? null : { action: 'step', by: PAGES[key] };
  if (on === 'slider' && /^[\d+=-]$/.test(key)) return null;
  if (key in ZOOMS) return { action: 'zoom', by: ZOOMS[key] };
  if (repeated) return null;
  if (/^[1-9]$/.test(key)) return { action: 'focus', index: Number(key) - 1 };
  // What stops a camera for everybody is not pressed in passing.
  if (key === ' ') return on === 'page' || on === 'large' ? { action: 'toggle' } : null;
  return Object.hasOwn(SIMPLE, key) ? { action: SIMPLE[key] } : null;
}

// On a tile they lead to others, and from nowhere in particular to the first one; what looks at a zoomed
// picture is asked first in main.js.
function arrowFor(by, shifted, on) {
  if (on === 'tile' || on === 'large') return { action: shifted ? 'shift' : 'move', by };
  if (on === 'page') return { action: 'move', by };
  return on === 'button' ? { action: 'pan', by } : null;
}

/**
 * The key as the map above knows it: a letter where the keyboard has others, and a digit where it wants
 * Shift for them, as the French one does, is what an American keyboard has in that place.
 */
function keyOf(key, code, shifted) {
  if (key.length > 1) return key;
  const digit = /^Digit(\d)$/.exec(code)?.[1];
  if (digit !== undefined && !shifted) return digit;
  const latin = key.toLowerCase();
  if (/[a-z0-9]/.test(latin) || Object.hasOwn(SIMPLE, latin) || latin in ZOOMS) return latin;
  // Where the minus sign shares a key with a digit, its own place has another sign.
  if (code === 'Minus' && !shifted && !/\p{L}/u.test(key)) return '-';
  return /^Key([A-Z])$/.exec(code)?.[1].toLowerCase() ?? latin;
}
