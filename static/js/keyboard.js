/** Hears the keys of the whole page and hands each one's action on. */
import { actionFor } from './keymap.js';

/**
 * @param {(action: import('./keymap.js').KeyAction) => boolean} perform
 *   Returns false when there is nothing to act on; then the browser keeps the key.
 */
export function setUpKeyboard(perform) {
  document.addEventListener('keydown', (event) => {
    const action = actionFor({
      key: event.key,
      modified: event.ctrlKey || event.altKey || event.metaKey,
      shifted: event.shiftKey,
      repeated: event.repeat,
      on: kindOf(event.target),
      dialog: document.querySelector('dialog[open]') !== null,
    });
    if (action !== null && perform(action)) event.preventDefault();
  });
}

function kindOf(element) {
  if (!(element instanceof Element)) return 'none';
  if (element.matches('input[type="range"]')) return 'slider';
  if (element.matches('input, textarea, select, [contenteditable]')) return 'text';
  if (element.matches('.tile-open')) return 'tile';
  if (element.matches('button, a, summary')) return 'button';
  return 'none';
}
