/** Functions on a person's order of the cameras. */

/**
 * Sort names into the remembered order. Names missing from it follow, in their own order.
 *
 * @param {string[]} remembered
 * @param {string[]} names
 * @returns {string[]}
 */
export function inOrder(remembered, names) {
  const positions = new Map(remembered.map((name, index) => [name, index]));
  const positionOf = (name) => positions.get(name) ?? Infinity;
  // Sorting is stable; two unknown ones must compare as equal, and Infinity - Infinity does not.
  return [...names].sort((a, b) => (positionOf(a) === positionOf(b) ? 0 : positionOf(a) - positionOf(b)));
}

/**
 * Move a name before another one; null moves it to the end.
 *
 * @param {string[]} names
 * @param {string} name
 * @param {string | null} before
 * @returns {string[]}
 */
export function moveBefore(names, name, before) {
  if (name === before) return [...names];
  const others = names.filter((other) => other !== name);
  const index = before === null ? -1 : others.indexOf(before);
  others.splice(index < 0 ? others.length : index, 0, name);
  return others;
}

/**
 * Return the order to remember: the names in their new order, and absent ones (a camera that is away for a while)
 * still behind the name they followed.
 *
 * @param {string[]} remembered
 * @param {string[]} names  All that exist, in their new order.
 * @returns {string[]}
 */
export function keepAbsent(remembered, names) {
  const here = new Set(names);
  const kept = [...names];
  remembered.forEach((name, index) => {
    if (here.has(name)) return;
    kept.splice(kept.indexOf(remembered[index - 1]) + 1, 0, name);
  });
  return kept;
}

/**
 * Put each group together at the place of its first camera; cameras without a group come last.
 *
 * @template {{group: string}} T
 * @param {T[]} cameras
 * @returns {T[]}
 */
export function byGroup(cameras) {
  const places = new Map();
  for (const { group } of cameras) {
    if (group !== '' && !places.has(group)) places.set(group, places.size);
  }
  const placeOf = ({ group }) => places.get(group) ?? places.size;
  return [...cameras].sort((a, b) => placeOf(a) - placeOf(b));
}
