/**
 * Seeing what goes on: samples of everything, the plots of the camera in focus, the system drawer, the
 * timeline, and which notices are worth a toast.
 */
import { CAMERA_CHARTS } from './charts.js';
import { buildEntry, refreshAgo } from './entry.js';
import { closeDrawer, fitDrawers } from '../ui/drawer.js';
import { keepFold } from '../ui/folds.js';
import { isKiosk } from '../page/kiosk.js';
import { concerns, isOfState } from './notices.js';
import { Plots } from './plots.js';
import { CAMERA_S, Samples } from './samples.js';
import { System } from './system.js';
import { Timeline } from './timeline.js';

const RECENT = 3;

const find = (selector) => document.querySelector(selector);

export class Insight {
  #clock;
  #deck;
  #toasts;
  #samples;
  #plots;
  #system;
  #timeline;
  #recent = find('[data-recent]');
  #recentShown = '';
  #own;

  /**
   * @param {import('../bridge/client.js').Link} link
   * @param {import('../stream/clock.js').ClockOffset} clock
   * @param {import('../grid/grid.js').Grid} deck
   * @param {import('../ui/toasts.js').Toasts} toasts
   * @param {import('./own-actions.js').OwnActions} own
   */
  constructor(link, clock, deck, toasts, own) {
    this.#own = own;
    this.#clock = clock;
    this.#deck = deck;
    this.#toasts = toasts;
    this.#samples = new Samples(clock);
    const plots = find('[data-plots]');
    this.#plots = new Plots(plots.querySelector('[data-plot-list]'), plots.querySelector('[data-as-table]'), CAMERA_CHARTS, CAMERA_S, 'camera');
    this.#system = new System(find('[data-system]'), find('[data-open-system]'), this.#samples, clock);
    this.#timeline = new Timeline(find('[data-timeline]'), find('[data-open-timeline]'), link, clock);
    // Where there is little room, what one came for is the picture.
    keepFold(plots, 'plots', matchMedia('(min-width: 56.01rem)').matches);
    fitDrawers(find('[data-deck]'));
    this.#listen(link);
  }

  /** @param {string} name @returns {boolean} whether it is one of our panels that was asked for */
  toggle(name) {
    if (name === 'system') this.#system.toggle();
    else if (name === 'timeline') this.#timeline.toggle();
    else return false;
    return true;
  }

  #listen(link) {
    const deck = this.#deck;
    link.addEventListener('hello', ({ detail }) => {
      this.#system.setVersion(detail.server ?? '');
      // A kiosk has no place to show it.
      if (!isKiosk) this.#timeline.load();
    });
    link.addEventListener('stats', ({ detail }) => this.#onStats(detail));
    link.addEventListener('notice', ({ detail }) => this.#onNotice(detail));
    link.addEventListener('down', () => {
      this.#samples.interrupt();
      this.#system.setProcess(null);
    });
    deck.addEventListener('list', () => {
      this.#timeline.setCameras(new Map([...deck.tiles.values()].map((tile) => [tile.name, tile.title])));
    });
    deck.addEventListener('focus', () => this.#showCamera());
    this.#timeline.addEventListener('change', () => this.#showRecent());
    this.#timeline.addEventListener('open', ({ detail }) => this.#openCamera(detail.camera));
    find('[data-recent-all]').addEventListener('click', () => this.#timeline.showOnly(deck.focused.name));
  }

  #onStats(stats) {
    this.#samples.take(stats, this.#deck.tiles.values());
    this.#system.setProcess(stats.process ?? {});
    this.#showPlots();
    this.#showRecent();
  }

  #onNotice(notice) {
    const screen = { focused: this.#deck.focused?.name ?? null, inView: (camera) => this.#isInView(camera) };
    const own = this.#own.has(notice);
    const listed = this.#timeline.lists(notice);
    const inSight = concerns(notice, screen);
    if (inSight && !own && !listed && !isOfState(notice)) this.#toasts.show(notice.message, notice.level);
    this.#timeline.take(notice, own || (inSight && !listed && !document.hidden));
  }

  #isInView(camera) {
    const tile = this.#deck.tiles.get(camera)?.element.getBoundingClientRect();
    if (!tile || tile.width === 0) return false;
    const deck = find('[data-deck]').getBoundingClientRect();
    return tile.bottom > deck.top && tile.top < deck.bottom && tile.right > deck.left && tile.left < deck.right;
  }

  #openCamera(name) {
    const tile = this.#deck.tiles.get(name);
    if (!tile) return;
    // Where the drawer lies over the cameras it would hide what was asked for.
    if (matchMedia('(max-width: 63.99rem)').matches) closeDrawer();
    this.#deck.focus(tile);
  }

  #showCamera() {
    this.#showPlots();
    this.#recentShown = '';
    this.#showRecent();
  }

  #showPlots() {
    const { focused } = this.#deck;
    if (focused !== null) this.#plots.show(this.#samples.camera(focused.name)?.rows() ?? []);
  }

  #showRecent() {
    const { focused } = this.#deck;
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
