/**
 * The views that the browser keeps for people without a login, under the server's rules. Uses no DOM.
 *
 * @typedef {import('./saved.js').SavedView} SavedView
 * @typedef {{default: string | null, views: SavedView[]}} Kept
 * @typedef {{kept: Kept, view: SavedView} | {wrong: string}} Outcome
 */

const MAX_VIEWS = 50;
const MAX_NAME = 60;
const MAX_QUERY = 2000;

/** @type {Kept} */
export const NONE = { default: null, views: [] };

/** Return what was stored if it is valid, else null. @param {any} value @returns {Kept | null} */
export function checkKept(value) {
  const isText = (text, most) => typeof text === 'string' && text.length > 0 && text.length <= most;
  const isView = (view) => isText(view?.id, 40) && isText(view.name, MAX_NAME) && typeof view.query === 'string';
  const valid = Array.isArray(value?.views) && value.views.every(isView);
  return valid ? { default: isText(value.default, 40) ? value.default : null, views: value.views.slice(0, MAX_VIEWS) } : null;
}

/**
 * @param {Kept} kept
 * @param {{id: string, name: string, query: string, at?: number}} values
 * @returns {Outcome}
 */
export function addView(kept, { id, name, query, at = kept.views.length }) {
  if (kept.views.length >= MAX_VIEWS) return { wrong: `There are ${MAX_VIEWS} views already; remove one first.` };
  const named = checkName(name, kept.views);
  if ('wrong' in named) return named;
  if (query.length > MAX_QUERY) return { wrong: 'This view has too many parts to be saved.' };
  const view = { id, name: named.name, query };
  const views = [...kept.views];
  views.splice(at, 0, view);
  return { kept: { ...kept, views }, view };
}

/**
 * @param {Kept} kept
 * @param {string} id
 * @param {{name?: string, query?: string, at?: number}} values
 * @returns {Outcome}
 */
export function changeView(kept, id, { name, query, at }) {
  const index = kept.views.findIndex((view) => view.id === id);
  if (index < 0) return { wrong: 'This view has been removed.' };
  const others = kept.views.filter((_, other) => other !== index);
  const view = { ...kept.views[index] };
  if (name !== undefined) {
    const named = checkName(name, others);
    if ('wrong' in named) return named;
    view.name = named.name;
  }
  if (query !== undefined) view.query = query.slice(0, MAX_QUERY);
  others.splice(at ?? index, 0, view);
  return { kept: { ...kept, views: others }, view };
}

/** Remove a view. The default keeps its id, in case the removal is undone. @param {Kept} kept @param {string} id */
export function removeView(kept, id) {
  return { ...kept, views: kept.views.filter((view) => view.id !== id) };
}

function checkName(given, others) {
  const name = given.trim().replaceAll(/\s+/g, ' ');
  if (name.length === 0 || name.length > MAX_NAME) return { wrong: `A name has 1 to ${MAX_NAME} characters.` };
  const taken = others.some((view) => view.name.toLocaleLowerCase() === name.toLocaleLowerCase());
  return taken ? { wrong: 'There is already a view with this name; choose another one.' } : { name };
}
