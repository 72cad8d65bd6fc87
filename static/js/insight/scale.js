/** Computes where a plot's scale ends. Uses no DOM. */

const STEPS = [1, 2, 4, 6, 8, 10];

/**
 * Return the smallest round number that is at least the value; half of it is round too.
 *
 * @param {number | null} value
 * @param {number} least  Never less than this.
 */
export function roundTop(value, least) {
  const wanted = Math.max(value ?? 0, least);
  const decade = 10 ** Math.floor(Math.log10(wanted));
  // With a tolerance, because 0.1 + 0.2 is more than 0.3.
  return STEPS.map((step) => step * decade).find((top) => top >= wanted * 0.999) ?? 10 * decade;
}
