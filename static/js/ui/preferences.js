/**
 * What this browser remembers of its person's choices. Storage that is switched off, full, or holds garbage
 * only means that nothing is remembered.
 */

const PREFIX = 'porthole.';

/**
 * @template T
 * @param {string} name
 * @param {(value: unknown) => T | null} check  Makes a value of what was found, or null of garbage.
 * @param {T} otherwise
 * @returns {T}
 */
export function recall(name, check, otherwise) {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : (check(JSON.parse(text)) ?? otherwise);
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
    // The choice lasts as long as the page.
  }
}
