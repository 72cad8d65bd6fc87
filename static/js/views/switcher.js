/** The switcher in the top bar: names what is shown, and its menu switches to all cameras, a group, or a saved view. */
import { make, setText } from '../ui/dom.js';
import { closeMenu } from '../ui/menu.js';
import { isSameView } from './describe.js';
import { groupsOf } from './groups.js';

/** Events: `group` ({group}; empty for all), `view` ({view}), `act` ({action}) for the entries at its foot. */
export class Switcher extends EventTarget {
  #button;
  #menu;
  #grid;
  #arrangement;
  #saved;
  #query;
  /** Id of the view opened last, until something else is chosen. @type {string | null} */
  #active = null;
  // Until something is chosen, as after a reload, the active view is the one that matches what is shown.
  #isChosen = false;

  /**
   * @param {{button: HTMLElement, menu: HTMLElement}} parts
   * @param {import('../grid/grid.js').Grid} grid
   * @param {import('../grid/arrangement.js').Arrangement} arrangement
   * @param {import('./saved.js').SavedViews} saved
   * @param {() => string} query  Returns the query for what is shown.
   */
  constructor({ button, menu }, grid, arrangement, saved, query) {
    super();
    this.#button = button;
    this.#menu = menu;
    this.#grid = grid;
    this.#arrangement = arrangement;
    this.#saved = saved;
    this.#query = query;
    menu.addEventListener('click', (event) => this.#onClick(event.target.closest('button')));
    menu.addEventListener('keydown', (event) => this.#onKey(event));
    menu.addEventListener('beforetoggle', ({ newState }) => newState === 'open' && this.#build());
    for (const event of ['arranged', 'focus', 'list']) grid.addEventListener(event, () => this.refresh());
    saved.addEventListener('change', () => {
      this.refresh();
      if (this.open) this.#build();
    });
    this.refresh();
  }

  /** The view opened last, unless something else was chosen. @returns {import('./saved.js').SavedView | null} */
  get active() {
    return this.#saved.find(this.#active);
  }

  set active(view) {
    this.#active = view?.id ?? null;
    this.#isChosen = true;
    this.refresh();
  }

  get open() {
    return this.#menu.matches(':popover-open');
  }

  toggle() {
    if (this.#button.hidden) return false;
    this.#menu.togglePopover();
    if (this.open) (this.#menu.querySelector('[aria-current]') ?? this.#menu.querySelector('button')).focus();
    return true;
  }

  refresh() {
    this.#button.hidden = this.#grid.tiles.size < 2 && this.#saved.all.length === 0;
    const query = this.#query();
    if (!this.#isChosen) this.#active = this.#saved.all.find((view) => view.query === query)?.id ?? null;
    const { active } = this;
    const word = active?.name || this.#arrangement.group || 'All cameras';
    const changed = active !== null && !isSameView(active.query, query);
    setText(this.#button.querySelector('[data-switcher-word]'), word);
    this.#button.toggleAttribute('data-changed', changed);
    this.#button.title = changed ? `${word}, changed  v` : 'Groups and views  v';
  }

  #build() {
    const { group, text, state } = this.#arrangement;
    const { active } = this;
    const groups = groupsOf(this.#grid.tiles.values());
    const isAll = active === null && group === '' && text === '' && state === 'all';
    const entries = [buildEntry('All cameras', isAll, { group: '' }, String(this.#grid.tiles.size))];
    for (const { name, count } of groups) {
      entries.push(buildEntry(name, active === null && name === group, { group: name }, String(count)));
    }
    this.#menu.querySelector('[data-groups]').replaceChildren(...entries);
    this.#fill('own', this.#saved.own);
    this.#fill('shared', this.#saved.shared);
    setText(this.#menu.querySelector('[data-own-title]'), this.#saved.isKeptHere ? 'In this browser' : 'My views');
    const update = this.#menu.querySelector('[data-views-act="update"]');
    const mayUpdate = active !== null && (this.#saved.mayShare || !this.#saved.isShared(active));
    update.hidden = !mayUpdate || active.query === this.#query();
    setText(update.querySelector('span'), active ? `Update ${active.name}` : '');
    this.#menu.querySelector('[data-views-act="organise"]').hidden = this.#saved.all.length === 0;
  }

  #fill(kind, views) {
    const list = this.#menu.querySelector(`[data-${kind}]`);
    const entries = views.map((view) => {
      const mark = this.#saved.default?.id === view.id ? '★' : '';
      return buildEntry(view.name, this.active?.id === view.id, { view: view.id }, mark, 'Opens at the start');
    });
    list.replaceChildren(list.firstElementChild, ...entries);
    list.hidden = views.length === 0;
  }

  #onClick(button) {
    if (!button) return;
    const { group, view, viewsAct } = button.dataset;
    closeMenu();
    if (group !== undefined) this.#emit('group', { group });
    else if (view !== undefined) this.#emit('view', { view: this.#saved.find(view) });
    else this.#emit('act', { action: viewsAct });
  }

  #onKey(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const buttons = [...this.#menu.querySelectorAll('button:not([hidden])')].filter((one) => one.offsetParent !== null);
    const index = buttons.indexOf(document.activeElement);
    buttons[(index + by + buttons.length) % buttons.length].focus();
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function buildEntry(word, isCurrent, data, mark = '', markTitle = '') {
  const entry = make('button', 'menu-item switcher-item');
  entry.type = 'button';
  entry.title = word;
  Object.assign(entry.dataset, data);
  if (isCurrent) entry.setAttribute('aria-current', 'true');
  entry.append(make('span', '', word));
  if (mark) {
    const aside = make('small', '', mark);
    if (markTitle) {
      aside.textContent = '';
      const star = make('span', '', mark);
      star.ariaHidden = 'true';
      aside.append(star, make('span', 'visually-hidden', `. ${markTitle}`));
      aside.title = markTitle;
    }
    entry.append(aside);
  }
  return entry;
}
