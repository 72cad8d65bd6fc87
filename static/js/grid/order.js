/** The order a person gives to the cameras. */

/**
 * Put names into the remembered order. Names that were not known then follow in their own order.
 *
 * @param {string[]} remembered
 * @param {string[]} names
 * @returns {string[]}
 */
export function inOrder(remembered, names) {
  const place = new Map(remembered.map((name, index) => [name, index]));
  const placeOf = (name) => place.get(name) ?? Infinity;
  // Sorting is stable; two unknown ones must compare as equal, and Infinity - Infinity does not.
  return [...names].sort((a, b) => (placeOf(a) === placeOf(b) ? 0 : placeOf(a) - placeOf(b)));
}

/**
 * Move one name to just before another, or with null to the end.
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
 * What to remember: the names as they are now, with those that are remembered but not here (a camera that
 * is away for a while) kept behind the name they stood behind.
 *
 * @param {string[]} remembered
 * @param {string[]} names  All that are here, in their new order.
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
