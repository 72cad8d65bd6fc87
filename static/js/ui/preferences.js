/**
 * What this browser remembers of a person's choices. If storage is off or full, or holds garbage, nothing
 * is remembered.
 */

const PREFIX = 'porthole.';

/**
 * @template T
 * @param {string} name
 * @param {(value: unknown) => T | null} check  Returns a valid value, or null if what was found is not one.
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

/** Null forgets. @param {string} name @param {unknown} value  Anything that JSON can hold. */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // The choice lasts until the page is closed.
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
