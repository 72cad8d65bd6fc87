/** Listens to the keys of the whole page and turns key presses into actions, which actions.js performs. */
import { isInMenu } from '../ui/menu.js';
import { actionFor } from './keymap.js';

// Elements for typing; keys move or switch all other inputs.
const FIELDS = 'input, textarea, select, [contenteditable]:not([contenteditable="false"])';
const SLIDERS = 'input:is([type="range"], [type="checkbox"], [type="radio"])';
const BUTTONS = 'button, a[href], summary, input:is([type="button"], [type="submit"], [type="reset"])';

/**
 * @param {(action: import('./keymap.js').KeyAction) => boolean} perform
 *   Returns false if there is nothing to do; then the browser handles the key.
 * @param {() => 'none' | 'here' | 'past'} time  The state of the time bar; see keymap.js.
 */
export function setUpKeyboard(perform, time) {
  document.addEventListener('keydown', (event) => {
    // The element with the keyboard focus comes first.
    if (event.defaultPrevented || event.isComposing) return;
    const on = kindOf(event.target);
    if (on === 'field' && event.key === 'Escape') {
      // The first Esc leaves the field, the next one leaves the focus view.
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
      time: time(),
    });
    if (action !== null && perform(action)) event.preventDefault();
  });
}

/** @returns {import('./keymap.js').Focus} */
function kindOf(element) {
  if (!(element instanceof Element) || element.matches('html, body, main')) return 'page';
  if (element.matches(SLIDERS)) return 'slider';
  if (element.matches(`:is(${FIELDS}):not(${BUTTONS})`) || element.isContentEditable) return 'field';
  if (element.matches('[data-bar-track]')) return 'bar';
  if (element.matches('.tile-open')) return element.closest('[data-focused]') ? 'large' : 'tile';
  if (isInMenu(element)) return 'menu';
  // In a drawer, keys scroll, even with the focus on a button.
  return element.matches(BUTTONS) && !element.closest('.drawer') ? 'button' : 'other';
}
