/** The groups of the cameras that this person may see. Uses no document. */

/**
 * @param {Iterable<{group: string}>} cameras
 * @returns {{name: string, count: number}[]} In the order of their first cameras; none if no camera has one.
 */
export function groupsOf(cameras) {
  const counts = new Map();
  for (const { group } of cameras) if (group !== '') counts.set(group, (counts.get(group) ?? 0) + 1);
  return [...counts].map(([name, count]) => ({ name, count }));
}

/** The group that follows; after the last come all, which are empty. @param {string[]} names @param {string} current */
export function groupAfter(names, current) {
  const all = ['', ...names];
  return all[(all.indexOf(current) + 1) % all.length];
}
