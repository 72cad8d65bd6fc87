/**
 * All tiles: keeps them equal to the server's list, lays them out, and knows which one is in focus.
 */
import { neighbour, packCells, packRows } from './layout.js';
import { Tile } from './tile.js';
import { Visibility } from './visibility.js';

// Lower pictures than this would rather be scrolled to.
const MIN_PICTURE_REM = 8.5;

/**
 * Events: `focus` ({tile, lost}; `tile` may be null, `lost` names the one in focus that went from the server, or is
 * null), `condition` ({tile, condition}) when a tile's state changed,
 * `list` when tiles came or went, `arranged` when another selection, order or page of them is shown.
 */
export class Grid extends EventTarget {
  #element;
  #list;
  #template;
  #link;
  #clock;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  #visibility = new Visibility();
  #arrangement;
  #focused = null;
  // Those that pass the filter, in order, and of these the ones on this page, with where they lie.
  #shown = [];
  #visible = [];
  #boxes = [];
  #pages = 1;

  /**
   * @param {HTMLElement} element
   * @param {HTMLTemplateElement} template
   * @param {import('../bridge/client.js').Link} link
   * @param {import('../stream/clock.js').ClockOffset} clock
   * @param {import('./arrangement.js').Arrangement} arrangement
   */
  constructor(element, template, link, clock, arrangement) {
    super();
    this.#element = element;
    this.#list = element.querySelector('[data-tiles]');
    this.#template = template;
    this.#link = link;
    this.#clock = clock;
    this.#arrangement = arrangement;
    this.#list.addEventListener('click', (event) => this.#onClick(event));
    arrangement.addEventListener('change', () => this.#arrange());
    new ResizeObserver(() => this.#layOut()).observe(element);
  }

  /** @returns {ReadonlyMap<string, Tile>} */
  get tiles() {
    return this.#tiles;
  }

  /** @returns {Tile | null} the tile shown large */
  get focused() {
    return this.#focused;
  }

  /** @returns {Tile | null} the tile under the keyboard focus */
  get active() {
    const element = document.activeElement?.closest('.tile[data-camera]');
    return this.#tiles.get(element?.dataset.camera) ?? null;
  }

  /** The tile a key means: the one shown large, else the one under the keyboard focus, else the only one. */
  get target() {
    return this.#focused ?? this.active ?? (this.#visible.length === 1 ? this.#visible[0] : null);
  }

  /** The tiles that pass the filter, in their order. @returns {readonly Tile[]} */
  get shown() {
    return this.#shown;
  }

  /** The tiles in the grid now. @returns {readonly Tile[]} */
  get visible() {
    return this.#visible;
  }

  /** Where the visible tiles lie in their list, in the same order. @returns {readonly import('./layout.js').Box[]} */
  get boxes() {
    return this.#boxes;
  }

  get pages() {
    return this.#pages;
  }

  /** The page that is shown, counting from 1. */
  get page() {
    return Math.min(this.#pages, this.#arrangement.page);
  }

  /** Make the tiles equal to the list of cameras. @param {import('./tile.js').CameraState[]} states */
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

  /** Take the newest STATE of one camera. @param {import('./tile.js').CameraState} state */
  update(state) {
    const tile = this.#tiles.get(state.name);
    if (tile) {
      const { ratio } = tile;
      tile.update(state);
      if (tile.ratio !== ratio) this.#layOut();
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
    // All are measured before any is written to: in turns, the page would be laid out once for each.
    for (const tile of this.#tiles.values()) tile.viewer.refresh();
    for (const tile of this.#tiles.values()) tile.refresh();
  }

  /** Show one tile large, or with null all alike. @param {Tile | null} tile */
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
    this.#rove(tile ?? before);
    (tile ?? before)?.openButton.focus({ preventScroll: tile !== null });
    this.dispatchEvent(new CustomEvent('focus', { detail: { tile, lost } }));
  }

  /** @param {number} index  Among those shown. */
  focusAt(index) {
    const tile = this.#shown[index];
    if (tile) this.focus(tile);
    return Boolean(tile);
  }

  /** Go to the next camera in focus, or the next page; false where there is none. @param {-1 | 1} by */
  step(by) {
    const count = this.#focused ? this.#shown.length : this.#pages;
    if (count < 2) return false;
    if (this.#focused) {
      const index = this.#shown.indexOf(this.#focused);
      this.focusAt((index + by + count) % count);
    } else {
      const inside = this.active !== null;
      this.#arrangement.show({ page: ((this.page - 1 + by + count) % count) + 1 });
      // What had the keyboard focus is on the page that was left.
      if (inside) this.#visible[0]?.openButton.focus();
    }
    return true;
  }

  /**
   * Move the keyboard focus to a neighbour, or from outside the grid to the first tile of it.
   *
   * @param {'left' | 'right' | 'up' | 'down'} by
   * @returns {boolean} whether the key meant a tile, if only one that has no neighbour
   */
  move(by) {
    const active = this.active;
    const tile = active || this.#focused ? this.#neighbourOf(active, by) : this.#visible[0];
    if (!tile) return active !== null;
    if (!this.#focused) this.#turnTo(tile);
    this.#rove(tile);
    tile.openButton.focus();
    return true;
  }

  /**
   * Give a tile another place.
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
   * Move the tile under the keyboard focus to where its neighbour is.
   *
   * @param {'left' | 'right' | 'up' | 'down'} by
   * @returns {Tile | null} what was moved
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

  /** Turn to the page that a tile is on, and give it the keyboard focus. @param {Tile} tile */
  reveal(tile) {
    this.#turnTo(tile);
    this.#rove(tile);
    tile.openButton.focus();
  }

  /** Have a tile watched even while it cannot be seen. @param {Tile} tile @param {boolean} kept */
  keepWatched(tile, kept) {
    this.#visibility.keep(tile.element, kept);
  }

  // In focus the others are a strip; in the grid, what is past the edge of a page is on the next one.
  #neighbourOf(tile, by) {
    const index = this.#visible.indexOf(tile);
    if (tile === null || (index < 0 && !this.#focused)) return null;
    const step = { left: -1, right: 1 }[by] ?? 0;
    if (this.#focused || step !== 0) return this.#shown[this.#shown.indexOf(tile) + (step || (by === 'up' ? -1 : 1))] ?? null;
    return this.#visible[neighbour(this.#boxes, index, by)];
  }

  // To the page a tile is on.
  #turnTo(tile) {
    const index = this.#shown.indexOf(tile);
    const { perPage } = this.#arrangement;
    if (index >= 0) this.#arrangement.show({ page: Number.isFinite(perPage) ? Math.floor(index / perPage) + 1 : 1 });
  }

  #create(state) {
    const tile = new Tile(this.#template, state, this.#link, this.#clock);
    tile.addEventListener('condition', ({ detail: condition }) => {
      this.dispatchEvent(new CustomEvent('condition', { detail: { tile, condition } }));
      if (this.#arrangement.group !== 'all') this.#arrange();
    });
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
    this.#rove(there.has(this.active) ? this.active : (this.#focused ?? this.#visible[0]));
    this.#layOut();
    this.dispatchEvent(new CustomEvent('arranged'));
  }

  // One tile is in the order of the Tab key; the arrow keys lead to the others.
  #rove(target) {
    for (const tile of this.#tiles.values()) tile.openButton.tabIndex = tile === target ? 0 : -1;
  }

  #onClick(event) {
    const element = event.target.closest('.tile[data-camera]');
    const tile = this.#tiles.get(element?.dataset.camera);
    if (tile) this.focus(tile);
  }

  #layOut() {
    // Of the stage, where the page scrolls.
    this.#element.style.setProperty('--ratio', (this.#focused?.ratio ?? 16 / 9).toFixed(4));
    if (this.#visible.length === 0) return;
    const style = getComputedStyle(this.#element);
    const listStyle = getComputedStyle(this.#list);
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    // Fewer than a page holds, as a search leaves them, are larger for it.
    const columns = Math.min(this.#arrangement.columns, Math.ceil(Math.sqrt(this.#shown.length)));
    const room = {
      ratios: this.#visible.map((tile) => tile.ratio),
      width: this.#element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight),
      height: this.#element.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom),
      gap: parseFloat(listStyle.rowGap),
      // In rem, as tile.css and kiosk.css write it.
      caption: parseFloat(listStyle.getPropertyValue('--caption-height')) * rem,
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
