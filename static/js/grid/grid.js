/**
 * Holds all tiles: keeps them in step with the server's list, lays them out, and knows which one is in focus.
 */
import { neighbour, packCells, packRows } from './layout.js';
import { Tile } from './tile.js';
import { Visibility } from './visibility.js';

// The page scrolls before pictures get lower than this.
const MIN_PICTURE_REM = 8.5;

/**
 * Events: `focus` ({tile, before, lost}: `tile`, and the one in focus `before`, may be null; `lost` names the camera in
 * focus if it disappeared from the server, else null), `past` ({tile}) when it shows another moment, `condition` ({tile,
 * condition}) when a tile's state changed, `list` when tiles were added or removed, `arranged` when another selection,
 * order or page is shown, `act` ({action, tile}) when a button on a tile is pressed.
 */
export class Grid extends EventTarget {
  #element;
  #list;
  #template;
  #backend;
  #clock;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  #visibility = new Visibility();
  #arrangement;
  #discreet;
  #focused = null;
  // Tiles that pass the filter, in order; those of them on this page, and their boxes.
  #shown = [];
  #visible = [];
  #boxes = [];
  #pages = 1;

  /**
   * @param {HTMLElement} element
   * @param {HTMLTemplateElement} template
   * @param {import('../bridge/client.js').BackendClient} backend
   * @param {import('../stream/clock.js').ClockOffset} clock
   * @param {import('./arrangement.js').Arrangement} arrangement
   * @param {boolean} discreet  Hide reasons, which may contain addresses.
   */
  constructor(element, template, backend, clock, arrangement, discreet = false) {
    super();
    this.#element = element;
    this.#list = element.querySelector('[data-tiles]');
    this.#template = template;
    this.#backend = backend;
    this.#clock = clock;
    this.#arrangement = arrangement;
    this.#discreet = discreet;
    this.#list.addEventListener('click', (event) => this.#onClick(event));
    // However a tile got the keyboard focus, Tab leads on to its buttons.
    this.#list.addEventListener('focusin', (event) => this.#setTabStop(this.tileOf(event.target)));
    arrangement.addEventListener('change', () => this.#arrange());
    new ResizeObserver(() => this.#layOut()).observe(element);
  }

  /** @returns {ReadonlyMap<string, Tile>} */
  get tiles() {
    return this.#tiles;
  }

  /** @returns {Tile | null} the tile in focus */
  get focused() {
    return this.#focused;
  }

  /** @returns {Tile | null} the tile with the keyboard focus */
  get active() {
    return this.tileOf(document.activeElement);
  }

  /** @param {Element | null} element @returns {Tile | null} the tile that contains it */
  tileOf(element) {
    return this.#tiles.get(element?.closest('.tile[data-camera]')?.dataset.camera) ?? null;
  }

  /** The tile that keys act on: the one in focus, else the one with the keyboard focus, else the only one. */
  get target() {
    return this.#focused ?? this.active ?? (this.#visible.length === 1 ? this.#visible[0] : null);
  }

  /** The tiles that pass the filter, in their order. @returns {readonly Tile[]} */
  get shown() {
    return this.#shown;
  }

  /** The tiles on the current page. @returns {readonly Tile[]} */
  get visible() {
    return this.#visible;
  }

  /** Boxes of the visible tiles, in the same order. @returns {readonly import('./layout.js').Box[]} */
  get boxes() {
    return this.#boxes;
  }

  get pages() {
    return this.#pages;
  }

  /** The current page, counting from 1. */
  get page() {
    return Math.min(this.#pages, this.#arrangement.page);
  }

  /** Add and remove tiles to match the list of cameras. @param {import('./tile.js').CameraState[]} states */
  sync(states) {
    const names = new Set(states.map((state) => state.name));
    for (const tile of [...this.#tiles.values()]) {
      if (!names.has(tile.name)) this.#remove(tile);
    }
    const before = this.#tiles;
    this.#tiles = new Map();
    for (const state of states) {
      const tile = before.get(state.name) ?? this.#create(state);
      tile.update(state);
      this.#tiles.set(state.name, tile);
    }
    this.#arrange();
    this.dispatchEvent(new CustomEvent('list'));
  }

  /** Show the newest STATE of one camera. @param {import('./tile.js').CameraState} state */
  update(state) {
    const tile = this.#tiles.get(state.name);
    if (tile) {
      const { ratio, group } = tile;
      tile.update(state);
      if (tile.group !== group) this.#arrange();
      else if (tile.ratio !== ratio) this.#layOut();
    } else {
      this.#tiles.set(state.name, this.#create(state));
      this.#arrange();
      this.dispatchEvent(new CustomEvent('list'));
    }
  }

  /** @param {boolean} connected */
  setConnected(connected) {
    for (const tile of this.#tiles.values()) tile.setConnected(connected);
  }

  refresh() {
    // Measure all tiles before writing to any: alternating would force a layout for each.
    for (const tile of this.#tiles.values()) tile.viewer.refresh();
    for (const tile of this.#tiles.values()) tile.refresh();
  }

  /** Put a tile in focus; null returns to the grid. @param {Tile | null} tile */
  focus(tile) {
    this.#focus(tile, null);
  }

  #focus(tile, lost) {
    if (tile === this.#focused) return;
    const before = this.#focused;
    before?.element.removeAttribute('data-focused');
    tile?.element.setAttribute('data-focused', '');
    this.#focused = tile;
    this.#visibility.follow(tile?.element ?? null);
    this.#element.dataset.view = tile ? 'focus' : 'grid';
    if (!tile && before) this.#turnTo(before);
    this.#arrange();
    this.#setTabStop(tile ?? before);
    (tile ?? before)?.openButton.focus({ preventScroll: tile !== null });
    this.dispatchEvent(new CustomEvent('focus', { detail: { tile, before, lost } }));
  }

  /** @param {number} index  Among the shown tiles. */
  focusAt(index) {
    const tile = this.#shown[index];
    if (tile) this.focus(tile);
    return Boolean(tile);
  }

  /** Focus the next camera, or in the grid turn to the next page; false if there is none. @param {-1 | 1} by */
  step(by) {
    const count = this.#focused ? this.#shown.length : this.#pages;
    if (count < 2) return false;
    if (this.#focused) {
      const index = this.#shown.indexOf(this.#focused);
      this.focusAt((index + by + count) % count);
    } else {
      const inside = this.active !== null;
      this.#arrangement.show({ page: ((this.page - 1 + by + count) % count) + 1 });
      // The tile that had the keyboard focus is on another page now.
      if (inside) this.#visible[0]?.openButton.focus();
    }
    return true;
  }

  /**
   * Move the keyboard focus to a neighbour, or from outside the grid to its first tile.
   *
   * @param {'left' | 'right' | 'up' | 'down'} by
   * @returns {boolean} whether a tile had or got the keyboard focus
   */
  move(by) {
    const active = this.active;
    const tile = active || this.#focused ? this.#neighbourOf(active, by) : this.#visible[0];
    if (!tile) return active !== null;
    if (!this.#focused) this.#turnTo(tile);
    this.#setTabStop(tile);
    tile.openButton.focus();
    return true;
  }

  /**
   * Move a tile to another position.
   *
   * @param {Tile} tile
   * @param {Tile | null} before  Null for the end.
   */
  place(tile, before) {
    const focused = this.active === tile;
    this.#arrangement.move([...this.#tiles.values()], tile.name, before?.name ?? null);
    this.#turnTo(tile);
    // Moving an element in the document takes the keyboard focus from it.
    if (focused) tile.openButton.focus();
  }

  /**
   * Move the tile with the keyboard focus to the position of its neighbour.
   *
   * @param {'left' | 'right' | 'up' | 'down'} by
   * @returns {Tile | null} the tile that was moved
   */
  shift(by) {
    const tile = this.#focused ? null : this.active;
    const other = this.#neighbourOf(tile, by);
    if (!tile || !other || tile === other) return null;
    const to = this.#shown.indexOf(other);
    const after = to > this.#shown.indexOf(tile);
    this.place(tile, after ? (this.#shown[to + 1] ?? null) : other);
    return tile;
  }

  /** Turn to a tile's page and give it the keyboard focus. @param {Tile} tile */
  reveal(tile) {
    this.#turnTo(tile);
    this.#setTabStop(tile);
    tile.openButton.focus();
  }

  /** Keep watching a tile even while it is out of sight. @param {Tile} tile @param {boolean} kept */
  keepWatched(tile, kept) {
    this.#visibility.keep(tile.element, kept);
  }

  // In the focus view the other tiles form a strip; in the grid, the next tile may be on the next page.
  #neighbourOf(tile, by) {
    const index = this.#visible.indexOf(tile);
    if (tile === null || (index < 0 && !this.#focused)) return null;
    const step = { left: -1, right: 1 }[by] ?? 0;
    if (this.#focused || step !== 0) {
      const next = step || (by === 'up' ? -1 : 1);
      return this.#shown[this.#shown.indexOf(tile) + next] ?? null;
    }
    return this.#visible[neighbour(this.#boxes, index, by)];
  }

  #turnTo(tile) {
    const index = this.#shown.indexOf(tile);
    const { perPage } = this.#arrangement;
    if (index >= 0) this.#arrangement.show({ page: Number.isFinite(perPage) ? Math.floor(index / perPage) + 1 : 1 });
  }

  #create(state) {
    const tile = new Tile(this.#template, state, this.#backend, this.#clock, this.#discreet);
    tile.addEventListener('condition', ({ detail: condition }) => {
      this.dispatchEvent(new CustomEvent('condition', { detail: { tile, condition } }));
      if (this.#arrangement.state !== 'all') this.#arrange();
    });
    tile.viewer.addEventListener('past', () => this.dispatchEvent(new CustomEvent('past', { detail: { tile } })));
    this.#visibility.observe(tile.element, (visible) => tile.viewer.want(visible));
    return tile;
  }

  #remove(tile) {
    if (tile === this.#focused) this.#focus(null, tile.name);
    this.#visibility.unobserve(tile.element);
    tile.viewer.close();
    tile.element.remove();
    this.#tiles.delete(tile.name);
  }

  #arrange() {
    this.#shown = this.#arrangement.pick([...this.#tiles.values()]);
    const { perPage } = this.#arrangement;
    this.#pages = Math.max(1, Math.ceil(this.#shown.length / perPage));
    const first = Number.isFinite(perPage) ? (this.page - 1) * perPage : 0;
    this.#visible = this.#shown.slice(first, first + perPage);
    const there = new Set(this.#focused ? [...this.#shown, this.#focused] : this.#visible);
    for (const tile of this.#tiles.values()) {
      tile.element.hidden = !there.has(tile);
      const index = this.#shown.indexOf(tile);
      tile.setKey(index < 9 ? index + 1 : 0);
    }
    [...new Set([...this.#shown, ...this.#tiles.values()])].forEach(({ element }, index) => {
      const now = this.#list.children[index];
      if (now !== element) this.#list.insertBefore(element, now ?? null);
    });
    this.#setTabStop(there.has(this.active) ? this.active : (this.#focused ?? this.#visible[0]));
    this.#layOut();
    this.dispatchEvent(new CustomEvent('arranged'));
  }

  // The Tab key reaches one tile; the arrow keys lead to the others.
  #setTabStop(target) {
    for (const tile of this.#tiles.values()) tile.setTabStop(tile === target);
  }

  #onClick(event) {
    const tile = this.tileOf(event.target);
    const action = event.target.closest('[data-tile-action]')?.dataset.tileAction;
    if (tile && action) this.dispatchEvent(new CustomEvent('act', { detail: { action, tile } }));
    else if (tile) this.focus(tile);
  }

  #layOut() {
    // Sets the height of the stage where the page scrolls.
    this.#element.style.setProperty('--ratio', (this.#focused?.ratio ?? 16 / 9).toFixed(4));
    if (this.#visible.length === 0) return;
    const style = getComputedStyle(this.#element);
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    // If a search leaves fewer tiles than a page holds, they are larger.
    const columns = Math.min(this.#arrangement.columns, Math.ceil(Math.sqrt(this.#shown.length)));
    const room = {
      ratios: this.#visible.map((tile) => tile.ratio),
      width: this.#element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight),
      height: this.#element.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom),
      gap: parseFloat(getComputedStyle(this.#list).rowGap),
    };
    const minHeight = MIN_PICTURE_REM * rem;
    const rows = Math.min(columns, Math.ceil(this.#shown.length / columns));
    const { boxes, height } = columns > 0 ? packCells({ ...room, columns, rows }) : packRows({ ...room, minHeight });
    this.#boxes = boxes;
    this.#list.style.setProperty('--height', `${height}px`);
    this.#visible.forEach((tile, index) => {
      for (const [name, value] of Object.entries(boxes[index])) {
        tile.element.style.setProperty(`--${name}`, `${value}px`);
      }
    });
  }
}
