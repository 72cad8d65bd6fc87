/**
 * Shows what happens: collects samples, and wires the plots of the camera in focus, the system and activity drawers, and
 * the toasts for notices.
 */
import { CAMERA_CHARTS } from './charts.js';
import { buildEntry, refreshAgo } from './entry.js';
import { closeDrawer, fitDrawers } from '../ui/drawer.js';
import { loadEvents, noticeOf } from './camera-events.js';
import { RecentToasts, concerns, repeatsState } from './notices.js';
import { Plots } from './plots.js';
import { CAMERA_S, Samples } from './samples.js';
import { System } from './system.js';
import { Timeline } from './timeline.js';

const RECENT = 8;

const find = (selector) => document.querySelector(selector);

export class Insight {
  #clock;
  #grid;
  #toasts;
  #samples;
  #plots;
  #system;
  #timeline;
  #recent = find('[data-recent]');
  #recentShown = '';
  #own;
  #showEvent;
  #told = new RecentToasts();
  // Dismisses the toast of the last event.
  #dismiss = () => {};

  /**
   * @param {object} page
   * @param {import('../bridge/client.js').BackendClient} page.backend
   * @param {import('../stream/clock.js').ClockOffset} page.clock
   * @param {import('../grid/grid.js').Grid} page.grid
   * @param {import('../ui/toasts.js').Toasts} page.toasts
   * @param {import('./own-actions.js').OwnActions} page.own
   * @param {boolean} page.isKiosk  Whether there is no place for past activity.
   * @param {(event: object) => void} page.showEvent  Shows an event in the library.
   */
  constructor({ backend, clock, grid, toasts, own, isKiosk, showEvent }) {
    this.#own = own;
    this.#showEvent = showEvent;
    this.#clock = clock;
    this.#grid = grid;
    this.#toasts = toasts;
    this.#samples = new Samples(clock);
    const plots = find('[data-plots]');
    const list = plots.querySelector('[data-plot-list]');
    this.#plots = new Plots(list, plots.querySelector('[data-as-table]'), CAMERA_CHARTS, CAMERA_S, 'camera');
    this.#system = new System(find('[data-system]'), find('[data-open-system]'), this.#samples, clock);
    this.#timeline = new Timeline(find('[data-timeline]'), find('[data-open-timeline]'), backend, clock);
    fitDrawers(find('[data-grid]'));
    this.#listen(backend, isKiosk);
  }

  /** @param {string} name @returns {boolean} whether there is such a drawer */
  toggle(name) {
    if (name === 'system') this.#system.toggle();
    else if (name === 'timeline') this.#timeline.toggle();
    else return false;
    return true;
  }

  #listen(backend, isKiosk) {
    const grid = this.#grid;
    backend.addEventListener('hello', ({ detail }) => {
      this.#system.setVersion(detail.server ?? '');
      if (!isKiosk) this.#load();
    });
    backend.addEventListener('stats', ({ detail }) => this.#onStats(detail));
    backend.addEventListener('notice', ({ detail }) => this.#onNotice(detail));
    backend.addEventListener('event', ({ detail }) => this.#onEvent(detail));
    backend.addEventListener('down', () => {
      this.#samples.interrupt();
      this.#system.setProcess(null);
    });
    grid.addEventListener('list', () => {
      this.#timeline.setCameras(new Map([...grid.tiles.values()].map((tile) => [tile.name, tile.title])));
    });
    grid.addEventListener('focus', () => this.#showCamera());
    this.#timeline.addEventListener('change', () => this.#showRecent());
    this.#timeline.addEventListener('open', ({ detail }) => {
      if (detail.event) this.#showEvent(detail.event);
      else this.#openCamera(detail.camera);
    });
    this.#recent.addEventListener('click', ({ target }) => {
      const event = this.#timeline.eventOf(target.closest('[data-event]')?.dataset.event);
      if (event) this.#showEvent(event);
    });
    find('[data-recent-all]').addEventListener('click', () => this.#timeline.showOnly(grid.focused.name));
  }

  #onStats(stats) {
    this.#samples.take(stats, this.#grid.tiles.values());
    this.#system.setProcess(stats.process ?? {});
    this.#showPlots();
    this.#showRecent();
  }

  async #load() {
    await this.#timeline.load();
    const events = await loadEvents(this.#clock.known ? this.#clock.serverUnix : Date.now() / 1000);
    this.#timeline.add(events.map((event) => this.#noticeOf(event)).filter(Boolean));
  }

  #noticeOf(event) {
    return noticeOf(event, this.#grid.tiles.get(event.camera)?.title ?? event.camera);
  }

  // Events in view need no toast. Of the others, only the newest has one; the activity lists them all.
  #onEvent(event) {
    const notice = this.#noticeOf(event);
    if (notice === null) return;
    const isInSight = concerns(notice, this.#screen) && !document.hidden;
    const isListed = this.#timeline.lists(notice);
    const isNew = this.#timeline.take(notice, isInSight && !isListed);
    if (!isNew || isInSight || isListed || document.querySelector('dialog[open]')) return;
    if (!this.#told.isNews(notice)) return;
    this.#dismiss();
    const action = { word: 'Show', act: () => this.#showEvent(event) };
    this.#dismiss = this.#toasts.show(notice.message, 'info', { action });
  }

  get #screen() {
    return { focused: this.#grid.focused?.name ?? null, inView: (camera) => this.#isInView(camera) };
  }

  #onNotice(notice) {
    const screen = this.#screen;
    const own = this.#own.has(notice);
    const isListed = this.#timeline.lists(notice);
    const isInSight = concerns(notice, screen);
    if (isInSight && !own && !isListed && !repeatsState(notice)) this.#toasts.show(notice.message, notice.level);
    this.#timeline.take(notice, own || (isInSight && !isListed && !document.hidden));
  }

  #isInView(camera) {
    const tile = this.#grid.tiles.get(camera)?.element.getBoundingClientRect();
    if (!tile || tile.width === 0) return false;
    const grid = find('[data-grid]').getBoundingClientRect();
    return tile.bottom > grid.top && tile.top < grid.bottom && tile.right > grid.left && tile.left < grid.right;
  }

  #openCamera(name) {
    const tile = this.#grid.tiles.get(name);
    if (!tile) return;
    // On a narrow page the drawer would cover this camera.
    if (matchMedia('(max-width: 63.99rem)').matches) closeDrawer();
    this.#grid.focus(tile);
  }

  #showCamera() {
    this.#showPlots();
    this.#recentShown = '';
    this.#showRecent();
  }

  #showPlots() {
    const { focused } = this.#grid;
    if (focused !== null) this.#plots.show(this.#samples.camera(focused.name)?.rows() ?? []);
  }

  #showRecent() {
    const { focused } = this.#grid;
    if (focused === null) return;
    const notices = this.#timeline.newestOf(focused.name, RECENT);
    const key = notices.map(({ at }) => at).join();
    if (key !== this.#recentShown || key === '') {
      this.#recent.replaceChildren(...notices.map((notice) => buildEntry(notice, null)));
      find('[data-recent-none]').hidden = notices.length > 0;
    }
    this.#recentShown = key;
    refreshAgo(this.#recent, this.#clock.serverUnix);
  }
}
