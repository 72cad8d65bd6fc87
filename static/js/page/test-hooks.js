/**
 * The only global of the page: `window.porthole`, numbers for tests to read.
 *
 * @param {import('../grid/grid.js').Grid} deck
 */
export function exposeForTests(deck) {
  const view = (name) => {
    const tile = deck.tiles.get(name);
    return tile && Object.freeze(readingsOf(tile));
  };
  const tiles = Object.freeze({
    get: view,
    has: (name) => deck.tiles.has(name),
    keys: () => deck.tiles.keys(),
    get size() {
      return deck.tiles.size;
    },
    forEach: (visit) => [...deck.tiles.keys()].forEach((name) => visit(view(name), name)),
    *[Symbol.iterator]() {
      for (const name of deck.tiles.keys()) yield [name, view(name)];
    },
  });
  Object.defineProperty(window, 'porthole', { value: Object.freeze({ tiles }) });
}

// Getters, so that a test may keep the object; enumerable, so that it may carry a copy out of the page.
function readingsOf(tile) {
  const { viewer } = tile;
  return {
    get painted() {
      return viewer.painted;
    },
    get dropped() {
      return viewer.dropped;
    },
    get fps() {
      return viewer.fps;
    },
    get latencyMs() {
      return viewer.latencyMs;
    },
    get lastSeq() {
      return viewer.lastSeq;
    },
    get ageMs() {
      return viewer.pictureAgeS * 1000;
    },
    get rendition() {
      return viewer.rendition;
    },
  };
}
