/**
 * Notices when cameras that were here, or that the address asks for, are not on the server: renamed or removed in
 * its settings, mostly. After a moment, because cameras of other nodes come one by one when a server has started.
 */
const PATIENCE_MS = 3000;

/** Event: `gone` with {were, never}, names of those that were here before and of those that never were. */
export class Departed extends EventTarget {
  #deck;
  #known = new Set();
  #missing = new Set();
  #timer = 0;

  /** @param {import('./grid.js').Grid} deck */
  constructor(deck) {
    super();
    this.#deck = deck;
    deck.addEventListener('list', () => {
      for (const name of this.#known) this.expect(name);
      for (const name of deck.tiles.keys()) this.#known.add(name);
    });
  }

  /** A camera is asked for, and may be missing. @param {string} name */
  expect(name) {
    if (this.#deck.tiles.has(name)) return;
    this.#missing.add(name);
    this.#timer ||= setTimeout(() => this.#tell(), PATIENCE_MS);
  }

  #tell() {
    this.#timer = 0;
    const names = [...this.#missing].filter((name) => !this.#deck.tiles.has(name));
    this.#missing.clear();
    const detail = {
      were: names.filter((name) => this.#known.has(name)),
      never: names.filter((name) => !this.#known.has(name)),
    };
    for (const name of names) this.#known.delete(name);
    if (names.length > 0) this.dispatchEvent(new CustomEvent('gone', { detail }));
  }
}

/** @param {string[]} names  At least one. */
export function sayGone(names) {
  return names.length === 1
    ? `The camera ${quote(names)} is no longer here. It may have been renamed or removed.`
    : `The cameras ${quote(names)} are no longer here. They may have been renamed or removed.`;
}

/** @param {string[]} names  At least one. */
export function sayMissing(names) {
  return names.length === 1 ? `There is no camera ${quote(names)} here.` : `There are no cameras ${quote(names)} here.`;
}

function quote(names) {
  const quoted = names.map((name) => `“${name}”`);
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} and ${quoted.at(-1)}`;
}
