/** Groups, saved views and the patrol: wires their parts, and handles their keys and menu entries. */
import { Organise } from './organise.js';
import { Patrol } from './patrol.js';
import { setUpPatrolBar } from './patrol-bar.js';
import { PatrolDialog } from './patrol-dialog.js';
import { groupAfter, groupsOf } from './groups.js';
import { SaveView } from './save.js';
import { Switcher } from './switcher.js';

const find = (selector) => document.querySelector(selector);

export class Views {
  #page;
  #grid;
  #arrangement;
  #saved;
  #toasts;
  #announcer;
  #patrol;
  #switcher;
  #save;
  #organise;
  #dialog;

  /**
   * @param {object} parts
   * @param {import('../page/view.js').View} parts.page  Returns and shows the query of a view.
   * @param {import('../grid/grid.js').Grid} parts.grid
   * @param {import('../grid/arrangement.js').Arrangement} parts.arrangement
   * @param {import('./saved.js').SavedViews} parts.saved
   * @param {import('../ui/toasts.js').Toasts} parts.toasts
   * @param {import('../ui/announcer.js').Announcer} parts.announcer
   */
  constructor({ page, grid, arrangement, saved, toasts, announcer }) {
    this.#page = page;
    this.#grid = grid;
    this.#arrangement = arrangement;
    this.#saved = saved;
    this.#toasts = toasts;
    this.#announcer = announcer;
    const query = () => page.query();
    this.#patrol = new Patrol(grid, saved, (view) => this.#show(view, true));
    this.#switcher = new Switcher({ button: find('[data-switcher]'), menu: find('[data-switcher-menu]') }, grid, arrangement, saved, query);
    this.#save = new SaveView(find('[data-save-view]'), saved);
    this.#organise = new Organise(find('[data-organise]'), saved, { query, titleOf: (name) => this.#titleOf(name) });
    this.#dialog = new PatrolDialog(find('[data-patrol-dialog]'), grid, saved);
    setUpPatrolBar(find('[data-patrol]'), this.#patrol);
    this.#listen();
    if (page.opened) this.#switcher.active = saved.default;
    this.#followAddress();
  }

  /** @param {{action: string}} act @returns {boolean} whether there was something to do */
  perform({ action }) {
    switch (action) {
      case 'views':
        return this.#switcher.toggle();
      case 'group':
        return this.#turnToNextGroup();
      case 'patrol':
        this.#togglePatrol();
        return true;
      case 'end-patrol':
        return this.#endPatrol();
      default:
        return false;
    }
  }

  #listen() {
    this.#switcher.addEventListener('group', ({ detail }) => this.#showGroup(detail.group));
    for (const source of [this.#switcher, this.#organise]) {
      source.addEventListener('view', ({ detail }) => detail.view && this.#show(detail.view));
    }
    this.#switcher.addEventListener('act', ({ detail }) => this.#perform(detail.action));
    this.#save.addEventListener('saved', ({ detail }) => {
      this.#switcher.active = detail.view;
      this.#toasts.show(`${detail.view?.name ?? 'The view'} was saved.`);
    });
    this.#dialog.addEventListener('start', ({ detail }) => this.#patrol.start(detail.everyS, detail.round));
    this.#page.addEventListener('patrol', () => this.#followAddress());
    let was = false;
    this.#patrol.addEventListener('change', () => {
      const { running, everyS, round } = this.#patrol;
      if (running === was) return;
      was = running;
      find('[data-patrol-act]').textContent = running ? 'Stop the patrol' : 'Patrol';
      this.#page.setPatrol(running ? everyS : 0, round);
      this.#announcer.announce('Patrol', running ? `every ${everyS} seconds` : 'stopped');
    });
  }

  #perform(action) {
    const name = this.#arrangement.group;
    const titleOf = (camera) => this.#titleOf(camera);
    if (action === 'save') this.#save.open(this.#page.query(), this.#saved.all.some((one) => one.name === name) ? '' : name, titleOf);
    if (action === 'organise') this.#organise.open();
    if (action === 'update') this.#update();
    if (action === 'patrol') this.#togglePatrol(true);
  }

  async #update() {
    const { active } = this.#switcher;
    if (active === null) return;
    const before = active.query;
    const wrong = await this.#saved.change(active, { query: this.#page.query() });
    if (wrong) {
      this.#toasts.show(`${active.name} was not updated: ${wrong}`, 'error');
      return;
    }
    const act = () => this.#saved.change(active, { query: before });
    this.#toasts.show(`${active.name} was updated.`, 'info', { action: { word: 'Undo', act } });
  }

  #show(view, byPatrol = false) {
    this.#page.show(view.query, !byPatrol);
    this.#switcher.active = view;
    if (!byPatrol) this.#announcer.announce('View', view.name);
  }

  #showGroup(group) {
    if (this.#grid.focused !== null) this.#grid.focus(null);
    const all = group === '' ? { text: '', state: 'all' } : {};
    this.#arrangement.show({ group, page: 1, ...all });
    this.#switcher.active = null;
    this.#announcer.announce('Shown', group || 'all cameras');
  }

  #turnToNextGroup() {
    const groups = groupsOf(this.#grid.tiles.values()).map(({ name }) => name);
    if (groups.length === 0) return false;
    this.#showGroup(groupAfter(groups, this.#arrangement.group));
    return true;
  }

  // The key starts the last patrol again; the menu entry opens the dialog.
  #togglePatrol(asks = false) {
    if (this.#endPatrol()) return;
    const { last } = this.#dialog;
    if (asks || last === null) this.#dialog.open();
    else this.#patrol.start(last.everyS, last.round);
  }

  #endPatrol() {
    const { running } = this.#patrol;
    this.#patrol.stop();
    return running;
  }

  #followAddress() {
    const { everyS, round } = this.#page.patrol;
    if (everyS > 0) this.#patrol.start(everyS, round);
    else this.#patrol.stop();
  }

  #titleOf(name) {
    return this.#grid.tiles.get(name)?.title ?? name;
  }
}
