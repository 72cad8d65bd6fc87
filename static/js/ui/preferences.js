/**
 * Remembers a person's choices in this browser. If storage is off, full or holds invalid data, nothing is remembered.
 */

const PREFIX = 'porthole.';
const FOLDS = 'folds';

/** @type {Record<string, boolean>} */
const folds = recall(FOLDS, (value) => (isFolds(value) ? value : null), {});

/**
 * @template T
 * @param {string} name
 * @param {(value: unknown) => T | null} check  Returns the value if it is valid, else null.
 * @param {T} otherwise
 * @returns {T}
 */
export function recall(name, check, otherwise) {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : (check(parse(text)) ?? otherwise);
  } catch {
    return otherwise;
  }
}

/** Remember a choice; null forgets it. @param {string} name @param {unknown} value  Anything that JSON can hold. */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Storage failed: the choice lasts until the page is closed.
  }
}

// Earlier versions stored some choices as plain text.
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Open or close a part of the panel as it was left, for every camera, and remember changes.
 *
 * @param {HTMLDetailsElement} details
 * @param {string} name
 * @param {boolean} open  The default.
 */
export function keepFold(details, name, open) {
  details.open = folds[name] ?? open;
  // Not `toggle`, which the line above fires too. The keyboard also makes a click.
  details.querySelector('summary').addEventListener('click', () => {
    folds[name] = !details.open;
    remember(FOLDS, folds);
  });
}

function isFolds(value) {
  return typeof value === 'object' && value !== null && Object.values(value).every((open) => typeof open === 'boolean');
}
