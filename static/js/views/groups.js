/** The groups of the visible cameras. Uses no DOM. */

/**
 * @param {Iterable<{group: string}>} cameras
 * @returns {{name: string, count: number}[]} In the order of their first cameras; empty if no camera has a group.
 */
export function groupsOf(cameras) {
  const counts = new Map();
  for (const { group } of cameras) if (group !== '') counts.set(group, (counts.get(group) ?? 0) + 1);
  return [...counts].map(([name, count]) => ({ name, count }));
}

/** The next group; after the last one empty, for all cameras. @param {string[]} names @param {string} current */
export function groupAfter(names, current) {
  const all = ['', ...names];
  return all[(all.indexOf(current) + 1) % all.length];
}
