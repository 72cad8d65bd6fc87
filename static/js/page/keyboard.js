/** Hears the keys of the whole page and hands each one's action on. */
import { actionFor } from './keymap.js';

// What keys are typed into; all other inputs are moved or switched by them.
const FIELDS = 'input, textarea, select, [contenteditable]:not([contenteditable="false"])';
const SLIDERS = 'input:is([type="range"], [type="checkbox"], [type="radio"])';
const BUTTONS = 'button, a[href], summary, input:is([type="button"], [type="submit"], [type="reset"])';

/**
 * @param {(action: import('./keymap.js').KeyAction) => boolean} perform
 *   Returns false when there is nothing to act on; then the browser keeps the key.
 */
export function setUpKeyboard(perform) {
  document.addEventListener('keydown', (event) => {
    // What has the keyboard focus comes first.
    if (event.defaultPrevented || event.isComposing) return;
    const on = kindOf(event.target);
    if (on === 'field' && event.key === 'Escape') {
      // Out of the field first, then out of where it is.
      event.target.blur();
      return;
    }
    const action = actionFor({
      key: event.key,
      code: event.code,
      modified: event.ctrlKey || event.altKey || event.metaKey,
      shifted: event.shiftKey,
      repeated: event.repeat,
      on,
      dialog: document.querySelector('dialog[open]') !== null,
    });
    if (action !== null && perform(action)) event.preventDefault();
  });
}

/** @returns {import('./keymap.js').Focus} */
function kindOf(element) {
  if (!(element instanceof Element) || element.matches('html, body, main')) return 'page';
  if (element.matches(SLIDERS)) return 'slider';
  if (element.matches(`:is(${FIELDS}):not(${BUTTONS})`) || element.isContentEditable) return 'field';
  if (element.matches('.tile-open')) return element.closest('[data-focused]') ? 'large' : 'tile';
  if (element.closest('[popover]')) return 'menu';
  // A drawer is scrolled by keys, whatever in it has the focus.
  return element.matches(BUTTONS) && !element.closest('.drawer') ? 'button' : 'other';
}
