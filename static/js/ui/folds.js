/**
 * Which parts of the panel are open: the same for every camera, and remembered in this browser.
 */
import { recall, remember } from './preferences.js';

const NAME = 'folds';

/** @type {Record<string, boolean>} */
const folds = recall(NAME, (value) => (isFolds(value) ? value : null), {});

/**
 * Open or close a part as it was left, and remember when that changes.
 *
 * @param {HTMLDetailsElement} details
 * @param {string} name
 * @param {boolean} open  Until it is changed.
 */
export function keepFold(details, name, open) {
  details.open = folds[name] ?? open;
  // Not `toggle`, which the line above fires too. The keyboard also makes a click.
  details.querySelector('summary').addEventListener('click', () => {
    folds[name] = !details.open;
    remember(NAME, folds);
  });
}

function isFolds(value) {
  return typeof value === 'object' && value !== null && Object.values(value).every((open) => typeof open === 'boolean');
}
