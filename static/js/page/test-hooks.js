// Properties of a tile's viewer that tests can read.
const READ = [
  'painted', 'dropped', 'fps', 'latencyMs', 'lastSeq', 'rendition', 'codec', 'videoFault', 'inDecoder',
];

/**
 * Define the page's only global, `window.porthole`, with figures for tests to read.
 *
 * @param {import('../grid/grid.js').Grid} grid
 */
export function exposeForTests(grid) {
  const view = (name) => {
    const tile = grid.tiles.get(name);
    return tile && Object.freeze(readingsOf(tile));
  };
  const tiles = Object.freeze({
    get: view,
    has: (name) => grid.tiles.has(name),
    keys: () => grid.tiles.keys(),
    get size() {
      return grid.tiles.size;
    },
    forEach: (visit) => [...grid.tiles.keys()].forEach((name) => visit(view(name), name)),
    *[Symbol.iterator]() {
      for (const name of grid.tiles.keys()) yield [name, view(name)];
    },
  });
  Object.defineProperty(window, 'porthole', { value: Object.freeze({ tiles }) });
}

// Getters, so that a test can keep the object; enumerable, so that it can copy it out of the page.
function readingsOf({ viewer }) {
  const readings = {
    get ageMs() {
      return viewer.pictureAgeS * 1000;
    },
  };
  for (const name of READ) Object.defineProperty(readings, name, { enumerable: true, get: () => viewer[name] });
  return readings;
}
