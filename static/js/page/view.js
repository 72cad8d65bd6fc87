/** Wires everything that changes how the cameras are shown: layout, filter, pages, zoom, address. */
import { ClipboardError, copyPicture } from '../camera/clipboard.js';
import { readLink, hasViewParameters, writeLink } from './deeplink.js';
import { Departed, describeGone, describeMissing } from '../grid/departed.js';
import { Filter } from '../grid/filter.js';
import { isKiosk, setUpKiosk } from './kiosk.js';
import { ZoomGestures } from '../camera/zoom-gestures.js';
import { Pager } from '../grid/pager.js';
import { Popout, canPopOut } from '../camera/popout.js';
import { Reorder } from '../grid/reorder.js';
import { TileMenu } from '../grid/tile-menu.js';
import { chosenSize } from '../camera/sizechoice.js';
import { History } from './history.js';
import { setUpStatistics } from './statistics.js';
import { ViewMenu } from './viewmenu.js';
import { inSentence } from '../ui/format.js';
import { closeMenu } from '../ui/menu.js';

const find = (selector) => document.querySelector(selector);

/**
 * Events: `act` ({action, tile}) when an entry of a tile's menu is chosen; `patrol` when a shown view or address brings
 * another patrol.
 */
export class View extends EventTarget {
  #grid;
  #arrangement;
  #toasts;
  #announcer;
  #zoom;
  #filter;
  #menu;
  #tileMenu;
  #switchStatistics;
  #popout;
  #history;
  #departed;
  // A camera named in the address, or last in focus, that the server has not announced yet.
  #awaited = null;
  // Its resolution from the address.
  #size = null;
  #large = null;
  #patrol = { everyS: 0, round: { kind: null, names: [] } };
  #opened = false;

  /**
   * @param {object} page
   * @param {import('../grid/grid.js').Grid} page.grid
   * @param {import('../grid/arrangement.js').Arrangement} page.arrangement
   * @param {import('../bridge/client.js').BackendClient} page.backend
   * @param {import('../ui/toasts.js').Toasts} page.toasts
   * @param {import('../ui/announcer.js').Announcer} page.announcer
   * @param {import('../stream/clock.js').ClockOffset} page.clock
   * @param {string | null} page.start  The query to show if the address says nothing.
   */
  constructor({ grid, arrangement, backend, toasts, announcer, clock, start }) {
    super();
    this.#grid = grid;
    this.#arrangement = arrangement;
    this.#toasts = toasts;
    this.#announcer = announcer;
    const list = find('[data-tiles]');
    this.#zoom = new ZoomGestures(list, (by) => {
      // Not while zones are being drawn.
      if (grid.focused?.element.hasAttribute('data-zoning') !== true) grid.step(by);
    });
    const parts = { menu: find('[data-view-menu]'), bar: find('[data-layouts]') };
    const handlers = { address: () => this.#address(), onAct: (act) => this.perform(act) };
    this.#menu = new ViewMenu({ ...parts, ...handlers }, grid, arrangement, toasts, announcer);
    this.#filter = new Filter(find('[data-filter]'), find('[data-nothing]'), grid, arrangement, announcer);
    this.#popout = new Popout(grid, backend);
    this.#departed = new Departed(grid);
    this.#history = new History({ read: () => this.#read(), apply: (shown) => this.#apply(shown) });
    new Pager(find('[data-pager]'), grid, find('[data-grid]'));
    const kiosk = { note: find('[data-kiosk-note]'), time: find('[data-kiosk-clock]') };
    if (isKiosk) setUpKiosk(kiosk, grid, arrangement, this.#departed, clock);
    else this.#setUpTiles(list);
    this.#switchStatistics = setUpStatistics(find('[data-view-act="statistics"]'));
    this.#listen();
    this.#opened = start !== null && !hasViewParameters(location.search);
    this.#apply(readLink(this.#opened ? `?${start}` : location.search));
  }

  /** Whether the page began with `start`. */
  get opened() {
    return this.#opened;
  }

  /** The patrol; `everyS` is 0 for none. */
  get patrol() {
    return this.#patrol;
  }

  /** Set the patrol after it started or ended (0). @param {number} everyS @param {import('../views/round.js').Round} round */
  setPatrol(everyS, round) {
    this.#patrol = { everyS, round };
    this.#history.update();
  }

  /** The query of the whole view, without question mark, as {@link show} takes it. */
  query() {
    const { everyS, round } = this.#patrol;
    // A saved view that patrols through views would come round to itself.
    const patrol = round.kind === 'views' ? 0 : everyS;
    return writeLink({ ...this.#whole, kiosk: false, patrol }).slice(1);
  }

  /** @param {string} query  For a whole view. @param {boolean} patrols  Whether its patrol replaces the current one. */
  show(query, patrols = true) {
    const shown = readLink(`?${query}`);
    const { everyS: patrol, round } = this.#patrol;
    this.#apply(patrols ? shown : { ...shown, patrol, round });
    this.#history.update();
  }

  /** @param {import('./keymap.js').KeyAction} act @returns {boolean} whether there was something to do */
  perform(act) {
    const tile = act.tile ?? this.#grid.target;
    switch (act.action) {
      case 'close':
        return closeMenu();
      case 'layout':
        this.#menu.cycle();
        return true;
      case 'statistics':
        this.#announcer.announce('Statistics', this.#switchStatistics() ? 'shown' : 'hidden');
        return true;
      case 'step':
        return this.#grid.step(act.by);
      case 'pan':
        return this.#zoom.pan(act.by);
      case 'zoom':
        return this.#zoom.zoom(act.by);
      case 'filter':
        return this.#filter.open();
      case 'shift':
        return this.#announcePosition(this.#grid.shift(act.by));
      case 'copy':
        if (tile?.hasPicture) this.#copy(tile);
        return tile?.hasPicture === true;
      case 'popout':
        if (!this.#canPopOut(tile)) return false;
        this.#popout.toggle(tile).catch((error) => this.#toasts.show(error.message, 'warning'));
        return true;
      default:
        return false;
    }
  }

  #setUpTiles(list) {
    new Reorder(list, this.#grid, {
      onMoved: (tile) => this.#announcePosition(tile),
      onHeld: (tile, point) => this.#tileMenu.open(tile, point),
    });
    // After Reorder, which must first suppress the menu while a finger drags.
    this.#tileMenu = new TileMenu(find('[data-tile-menu]'), list, this.#grid);
    this.#tileMenu.addEventListener('act', ({ detail }) => this.dispatchEvent(new CustomEvent('act', { detail })));
  }

  #listen() {
    const grid = this.#grid;
    grid.addEventListener('arranged', () => this.#history.update());
    grid.addEventListener('focus', ({ detail: { tile, lost } }) => {
      this.#zoom.changed(this.#large);
      this.#large = tile?.element ?? null;
      this.#awaited = lost;
      this.#showPopout();
      this.#history.update();
    });
    grid.addEventListener('list', () => this.#focusAwaited());
    this.#departed.addEventListener('gone', ({ detail }) => this.#onGone(detail));
    this.#popout.addEventListener('change', () => this.#showPopout());
    document.addEventListener('fullscreenchange', ({ target }) => {
      // A tile that has just left full screen.
      if (!document.fullscreenElement && target.matches?.('.tile') && target !== this.#large) this.#zoom.changed(target);
    });
    this.#showPopout();
  }

  #read() {
    const { text, state, group, foreign } = this.#arrangement;
    const { kiosk, cameras, rotate, names, clock } = readLink(location.search);
    const { everyS, round } = this.#patrol;
    const patrol = rotate > 0 ? 0 : everyS;
    const { focused, page } = this.#grid;
    const camera = focused?.name ?? this.#awaited;
    const choice = focused?.viewer.choice;
    const size = focused ? (choice === chosenSize(camera) ? null : choice) : this.#size;
    return { kiosk, cameras, rotate, names, clock, camera, size, ...foreign, page, text, state, group, patrol, round };
  }

  // Includes what this browser remembers, because another one remembers something else.
  get #whole() {
    const { layout, order, grouped } = this.#arrangement;
    const size = this.#grid.focused?.viewer.choice ?? null;
    const hasGroups = [...this.#grid.tiles.values()].some((tile) => tile.group !== '');
    return { ...this.#read(), layout, order, size, grouped: hasGroups ? grouped : null };
  }

  #address() {
    return location.origin + location.pathname + writeLink(this.#whole, location.search);
  }

  #apply({ kiosk, camera, size, layout, order, page, text, state, group, grouped, rotate, patrol, round }) {
    // A page is valid only once its cameras are known; until then it would be past the last one.
    this.#awaited = isKiosk ? null : camera;
    this.#size = size;
    this.#arrangement.show({ layout, order: kiosk ? null : order, page, text, state, group, grouped });
    // In a kiosk, a patrol of cameras turns pages with one camera each.
    const turned = kiosk && round.kind !== 'views' ? { kind: 'pages', names: [] } : round;
    this.#applyPatrol(kiosk && rotate > 0 ? rotate : patrol, turned);
    if (this.#grid.tiles.size === 0) return;
    if (this.#awaited === null) this.#grid.focus(null);
    else this.#focusAwaited();
  }

  #applyPatrol(everyS, round) {
    const before = JSON.stringify(this.#patrol);
    this.#patrol = { everyS, round };
    if (JSON.stringify(this.#patrol) !== before) this.dispatchEvent(new CustomEvent('patrol'));
  }

  #focusAwaited() {
    const name = this.#awaited;
    if (name === null) return;
    const tile = this.#grid.tiles.get(name);
    if (tile) {
      if (this.#size !== null) tile.viewer.choice = this.#size;
      this.#grid.focus(tile);
    } else this.#departed.expect(name);
  }

  // The toasts stay until dismissed, because the address no longer names the camera.
  #onGone({ were, never }) {
    if (were.length > 0) this.#toasts.show(describeGone(were.map((name) => this.#departed.titleOf(name))), 'warning', { stays: true });
    if (never.length > 0) this.#toasts.show(describeMissing(never), 'warning', { stays: true });
    if (![...were, ...never].includes(this.#awaited)) return;
    this.#awaited = null;
    this.#history.update();
  }

  async #copy(tile) {
    try {
      await copyPicture(tile);
      this.#toasts.show(`Copied the picture of ${inSentence(tile.title)}`);
    } catch (error) {
      if (!(error instanceof ClipboardError)) throw error;
      this.#toasts.show(error.message, 'warning');
    }
  }

  // A popped-out camera can always be brought back.
  #canPopOut(tile) {
    return canPopOut && tile !== null && (tile.viewer.hasPicture || tile === this.#popout.tile);
  }

  #showPopout() {
    document.documentElement.toggleAttribute('data-no-popout', !canPopOut);
    const here = this.#popout.tile !== null && this.#popout.tile === this.#grid.focused;
    find('[data-action="popout"]').setAttribute('aria-pressed', String(here));
  }

  #announcePosition(tile) {
    if (tile === null) return false;
    const position = this.#grid.shown.indexOf(tile) + 1;
    this.#announcer.announce(tile.title, `position ${position} of ${this.#grid.shown.length}`);
    return true;
  }
}
