/**
 * Detects cameras that disappeared from the server, or that the address names but that do not exist: mostly renamed
 * or removed in the settings. Waits a moment, because cameras of other nodes appear one by one after a start.
 */
const WAIT_MS = 3000;

/** Event: `gone` with {were, never}: names of cameras that disappeared, and of those that never existed. */
export class Departed extends EventTarget {
  #grid;
  #known = new Set();
  /** @type {Map<string, string>} Titles of all cameras seen so far, by name; people know only the titles. */
  #titles = new Map();
  #missing = new Set();
  #timer = 0;

  /** @param {import('./grid.js').Grid} grid */
  constructor(grid) {
    super();
    this.#grid = grid;
    grid.addEventListener('list', () => {
      for (const name of this.#known) this.expect(name);
      for (const [name, { title }] of grid.tiles) {
        this.#known.add(name);
        this.#titles.set(name, title);
      }
    });
  }

  /** Report this requested camera if it does not appear. @param {string} name */
  expect(name) {
    if (this.#grid.tiles.has(name)) return;
    this.#missing.add(name);
    this.#timer ||= setTimeout(() => this.#report(), WAIT_MS);
  }

  /** @param {string} name @returns {string} the title people saw */
  titleOf(name) {
    return this.#titles.get(name) ?? name;
  }

  #report() {
    this.#timer = 0;
    const names = [...this.#missing].filter((name) => !this.#grid.tiles.has(name));
    this.#missing.clear();
    const detail = {
      were: names.filter((name) => this.#known.has(name)),
      never: names.filter((name) => !this.#known.has(name)),
    };
    for (const name of names) this.#known.delete(name);
    if (names.length > 0) this.dispatchEvent(new CustomEvent('gone', { detail }));
  }
}

/** @param {string[]} titles  At least one. */
export function describeGone(titles) {
  return titles.length === 1
    ? `The camera ${quote(titles)} is no longer here. It may have been renamed or removed.`
    : `The cameras ${quote(titles)} are no longer here. They may have been renamed or removed.`;
}

/** @param {string[]} names  At least one. */
export function describeMissing(names) {
  return names.length === 1 ? `There is no camera ${quote(names)} here.` : `There are no cameras ${quote(names)} here.`;
}

function quote(names) {
  const quoted = names.map((name) => `“${name}”`);
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} and ${quoted.at(-1)}`;
}
