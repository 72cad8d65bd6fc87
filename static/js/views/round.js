/**
 * The stops of a patrol, and how the address names them. Uses no DOM.
 *
 * @typedef {object} Round
 * @property {'pages' | 'cameras' | 'views' | null} kind  Null for pages if there are several, else cameras.
 * @property {string[]} names  Names of cameras, or ids of views; empty for all.
 */

export const MIN_TURN_S = 2;
export const MAX_TURN_S = 3600;

const KINDS = ['pages', 'cameras', 'views'];
const MAX_NAMES = 100;

/** Parse the seconds per stop; 0 for none or if invalid. @param {string | number | null} text */
export function readSeconds(text) {
  const seconds = Number(text);
  return seconds > 0 ? Math.min(MAX_TURN_S, Math.max(MIN_TURN_S, seconds)) : 0;
}

/** @param {string | null} text  Such as `cameras:door,yard`. @returns {Round} */
export function readRound(text) {
  const [kind, names = ''] = (text ?? '').split(':');
  if (!KINDS.includes(kind)) return { kind: null, names: [] };
  const chosen = names.split(',').map((name) => name.trim()).filter(Boolean);
  return { kind: /** @type {Round['kind']} */ (kind), names: kind === 'pages' ? [] : [...new Set(chosen)].slice(0, MAX_NAMES) };
}

/** @param {Round} [round] @returns {string} Empty for the default. */
export function writeRound({ kind = null, names = [] } = {}) {
  if (kind === null) return '';
  return names.length > 0 ? `${kind}:${names.join(',')}` : kind;
}

/**
 * Return the one after the current one, or the first.
 *
 * @template T
 * @param {T[]} all
 * @param {T | undefined} current
 * @returns {T | undefined} Undefined if there is no other.
 */
export function nextOf(all, current) {
  const next = all[(all.indexOf(current) + 1) % all.length];
  return next === current ? undefined : next;
}
