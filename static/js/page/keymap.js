/** Maps keys to actions. The help dialog describes the keys; only this module decides. */

/**
 * What has the keyboard focus, with the keys that it handles itself:
 *
 * | | |
 * |---|---|
 * | `field` | text and lists: all keys |
 * | `menu` | anything in an open menu: all but Esc |
 * | `slider` | also switches and radio buttons: digits, signs, arrows, Page keys, the space bar |
 * | `button` | the space bar |
 * | `tile` | a tile in the grid or the strip: the space bar opens it |
 * | `large` | the tile in focus: none |
 * | `bar` | the time bar: arrows, Home, End, the space bar |
 * | `page` | nothing specific: none |
 * | `other` | anything that scrolls or uses arrows: arrows, Page keys, the space bar |
 *
 * @typedef {'field' | 'menu' | 'slider' | 'button' | 'tile' | 'large' | 'bar' | 'page' | 'other'} Focus
 *
 * @typedef {object} Press
 * @property {string} key
 * @property {string} code       The physical key, named as on a US keyboard.
 * @property {boolean} modified  Ctrl, Alt or Meta is held: such keys are the browser's.
 * @property {boolean} shifted
 * @property {boolean} repeated  The key is held down.
 * @property {Focus} on          What has the keyboard focus.
 * @property {boolean} dialog    A dialog is open; it handles keys itself.
 * @property {'none' | 'here' | 'past'} time  Whether a camera in focus has a time bar, and whether it shows the past.
 *
 * @typedef {{action: 'focus', index: number}
 *   | {action: 'move' | 'shift' | 'pan', by: 'left' | 'right' | 'up' | 'down'}
 *   | {action: 'step', by: -1 | 1} | {action: 'zoom', by: -1 | 0 | 1}
 *   | {action: 'past-step' | 'past-skip', by: -1 | 1, pan?: 'left' | 'right'} | {action: 'past-shuttle', by: -1 | 1}
 *   | {action: 'past-toggle' | 'past-live' | 'past-oldest' | 'clip-from' | 'clip-to'}
 *   | {action: 'unfocus' | 'fullscreen' | 'toggle' | 'snapshot' | 'copy' | 'popout' | 'layout' | 'filter' | 'close'
 *     | 'help' | 'panel' | 'statistics' | 'system' | 'timeline' | 'library' | 'views' | 'group' | 'patrol'}} KeyAction
 */

const SIMPLE = {
  a: 'patrol', c: 'copy', d: 'panel', e: 'library', f: 'fullscreen', g: 'group', i: 'system', l: 'layout', n: 'statistics',
  p: 'popout', s: 'snapshot', t: 'timeline', v: 'views',
  '/': 'filter', '?': 'help', Escape: 'unfocus',
};
const ARROWS = { ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'up', ArrowDown: 'down' };
const PAGES = { PageUp: -1, PageDown: 1 };
// Plus without Shift is the equals sign on many keyboards.
const ZOOMS = { '-': -1, '0': 0, '+': 1, '=': 1 };
const SIDEWAYS = { ArrowLeft: -1, ArrowRight: 1 };
// TIME applies to any camera in focus; PAST, whose keys mean something else in live view, only in the past.
const TIME = {
  ',': { action: 'past-step', by: -1 }, '.': { action: 'past-step', by: 1 },
  j: { action: 'past-shuttle', by: -1 }, k: { action: 'past-toggle' }, o: { action: 'clip-to' },
};
const PAST = {
  i: { action: 'clip-from' }, l: { action: 'past-shuttle', by: 1 }, Home: { action: 'past-oldest' },
  End: { action: 'past-live' },
};

/**
 * @param {Press} press
 * @returns {KeyAction | null}
 */
export function actionFor({ key: pressed, code, modified, shifted, repeated, on, dialog, time = 'none' }) {
  if (modified || dialog || on === 'field') return null;
  const key = keyOf(pressed, code, shifted);
  if (on === 'menu' && key !== 'Escape') return null;
  const timed = time === 'none' ? null : timeFor(key, shifted, repeated, on, time === 'past');
  if (timed !== null) return timed;
  if (key in ARROWS) return arrowFor(ARROWS[key], shifted, on);
  if (key in PAGES) return on === 'slider' || on === 'other' ? null : { action: 'step', by: PAGES[key] };
  if (on === 'slider' && /^[\d+=-]$/.test(key)) return null;
  if (key in ZOOMS) return { action: 'zoom', by: ZOOMS[key] };
  if (repeated) return null;
  if (/^[1-9]$/.test(key)) return { action: 'focus', index: Number(key) - 1 };
  // The space bar stops a camera for everybody, so it must not act by accident.
  if (key === ' ') return on === 'page' || on === 'large' ? { action: 'toggle' } : null;
  return Object.hasOwn(SIMPLE, key) ? { action: SIMPLE[key] } : null;
}

// Plain arrows step through frames only in the past, because otherwise they lead to other cameras; with Shift they are
// free. A space bar meant as pause must not stop the camera for everybody.
function timeFor(key, shifted, repeated, on, past) {
  const bar = on === 'bar';
  if (!bar && !['page', 'large', 'button'].includes(on)) return null;
  if (key in SIDEWAYS) {
    const move = { by: SIDEWAYS[key], ...(bar ? {} : { pan: ARROWS[key] }) };
    if (shifted) return { ...move, action: 'past-skip' };
    return bar || past ? { ...move, action: 'past-step' } : null;
  }
  if (key === ',' || key === '.') return TIME[key];
  if (repeated) return null;
  if (key === ' ') return bar || (past && on !== 'button') ? { action: 'past-toggle' } : null;
  return (Object.hasOwn(TIME, key) ? TIME[key] : null) ?? ((bar || past) && Object.hasOwn(PAST, key) ? PAST[key] : null);
}

// On a tile, arrows move to another one, from anywhere else to the first. actions.js first tries to pan a zoomed
// picture.
function arrowFor(by, shifted, on) {
  if (on === 'tile' || on === 'large') return { action: shifted ? 'shift' : 'move', by };
  if (on === 'page') return { action: 'move', by };
  return on === 'button' ? { action: 'pan', by } : null;
}

/**
 * Return the key as named in the maps above. On a keyboard with other letters, or one that needs Shift for digits, as
 * a French one does, that is the key in the same place on a US keyboard.
 */
function keyOf(key, code, shifted) {
  if (key.length > 1) return key;
  const digit = /^Digit(\d)$/.exec(code)?.[1];
  if (digit !== undefined && !shifted) return digit;
  const latin = key.toLowerCase();
  if (/[a-z0-9]/.test(latin) || Object.hasOwn(SIMPLE, latin) || latin in ZOOMS) return latin;
  // Some layouts have the minus sign on a digit key, and another sign in the place of Minus.
  if (code === 'Minus' && !shifted && !/\p{L}/u.test(key)) return '-';
  return /^Key([A-Z])$/.exec(code)?.[1].toLowerCase() ?? latin;
}
