/**
 * Which parts of the panel a person has opened or closed: the same for every camera, and kept in this browser.
 */
import { recall, remember } from './preferences.js';

const NAME = 'folds';

/** @type {Record<string, boolean>} */
const folds = recall(NAME, (value) => (isFolds(value) ? value : null), {});

/**
 * Open or close a part as one left it, and note what is done to it from now on.
 *
 * @param {HTMLDetailsElement} details
 * @param {string} name
 * @param {boolean} open  At first.
 */
export function keepFold(details, name, open) {
  details.open = folds[name] ?? open;
  // Not `toggle`, which also tells of the line above. A click is what the keyboard makes too.
  details.querySelector('summary').addEventListener('click', () => {
    folds[name] = !details.open;
    remember(NAME, folds);
  });
}

function isFolds(value) {
  return typeof value === 'object' && value !== null && Object.values(value).every((open) => typeof open === 'boolean');
}
