/**
 * All tiles: keeps them equal to the server's list, lays them out, and knows which one is in focus.
 */
import { neighbour } from './keymap.js';
import { fitGrid } from './layout.js';
import { Tile } from './tile.js';
import { Visibility } from './visibility.js';

// Height of what stands below a picture; --caption-height in tile.css says the same.
const CAPTION_REM = 3.75;
const MIN_TILE_REM = 17;
const SKELETONS = 4;

/**
 * Events: `focus` ({tile} or {tile: null}), `condition` ({tile, condition}) when a tile's state changed,
 * `list` when tiles came or went.
 */
export class Deck extends EventTarget {
  #element;
  #list;
  #template;
  #link;
  #clock;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  #visibility = new Visibility();
  #focused = null;
  #columns = 1;

  /**
   * @param {HTMLElement} element
   * @param {HTMLTemplateElement} template
   * @param {import('./link.js').Link} link
   * @param {import('./clock.js').ClockOffset} clock
   */
  constructor(element, template, link, clock) {
    super();
    this.#element = element;
    this.#list = element.querySelector('[data-tiles]');
    this.#template = template;
    this.#link = link;
    this.#clock = clock;
    this.#list.addEventListener('click', (event) => this.#onClick(event));
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

  /** The tile a key means: the one shown large, else the one under the keyboard focus, else the only one. */
  get target() {
    return this.#focused ?? this.#active ?? (this.#tiles.size === 1 ? this.#at(0) : null);
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
  }

  /** Take the newest STATE of one camera. @param {import('./tile.js').CameraState} state */
  update(state) {
    const tile = this.#tiles.get(state.name);
    if (tile) {
      tile.update(state);
    } else {
      this.#tiles.set(state.name, this.#create(state));
      this.#arrange();
    }
  }

  /** @param {boolean} connected */
  setConnected(connected) {
    for (const tile of this.#tiles.values()) tile.setConnected(connected);
  }

  refresh() {
    for (const tile of this.#tiles.values()) tile.refresh();
  }

  /** Show one tile large, or with null all alike. @param {Tile | null} tile */
  focus(tile) {
    if (tile === this.#focused) return;
    const before = this.#focused;
    before?.element.removeAttribute('data-focused');
    tile?.element.setAttribute('data-focused', '');
    this.#focused = tile;
    this.#visibility.keep(tile?.element ?? null);
    this.#element.dataset.view = tile ? 'focus' : 'grid';
    this.#layOut();
    this.#rove(tile ?? before);
    (tile ?? before)?.openButton.focus({ preventScroll: tile !== null });
    this.dispatchEvent(new CustomEvent('focus', { detail: { tile } }));
  }

  /** @param {number} index */
  focusAt(index) {
    const tile = this.#at(index);
    if (tile) this.focus(tile);
    return Boolean(tile);
  }

  /** Move the keyboard focus to a neighbour. @param {'left' | 'right' | 'up' | 'down'} by */
  move(by) {
    const tiles = [...this.#tiles.values()];
    const index = tiles.indexOf(this.#active);
    if (index < 0) return;
    const columns = this.#focused ? tiles.length : this.#columns;
    const tile = tiles[neighbour(index, by, { count: tiles.length, columns })];
    this.#rove(tile);
    tile.openButton.focus();
  }

  get #active() {
    const element = document.activeElement?.closest('.tile[data-camera]');
    return this.#tiles.get(element?.dataset.camera) ?? null;
  }

  #at(index) {
    return [...this.#tiles.values()][index] ?? null;
  }

  #create(state) {
    const tile = new Tile(this.#template, state, this.#link, this.#clock);
    tile.addEventListener('condition', ({ detail: condition }) => {
      this.dispatchEvent(new CustomEvent('condition', { detail: { tile, condition } }));
    });
    this.#visibility.observe(tile.element, (visible) => tile.viewer.want(visible));
    return tile;
  }

  #remove(tile) {
    if (tile === this.#focused) this.focus(null);
    this.#visibility.unobserve(tile.element);
    tile.viewer.close();
    tile.element.remove();
    this.#tiles.delete(tile.name);
  }

  #arrange() {
    const tiles = [...this.#tiles.values()];
    tiles.forEach((tile, index) => {
      tile.setKey(index < 9 ? index + 1 : 0);
      if (this.#list.children[index] !== tile.element) {
        this.#list.insertBefore(tile.element, this.#list.children[index] ?? null);
      }
    });
    this.#rove(this.#active ?? this.#focused ?? tiles[0]);
    this.#layOut();
    this.dispatchEvent(new CustomEvent('list'));
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
    const style = getComputedStyle(this.#element);
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const { columns, tileWidth } = fitGrid({
      // Before the first list the skeletons stand in.
      count: this.#tiles.size || SKELETONS,
      width: this.#element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight),
      height: this.#element.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom),
      gap: parseFloat(style.paddingLeft),
      chrome: CAPTION_REM * rem,
      minWidth: MIN_TILE_REM * rem,
    });
    this.#columns = columns;
    this.#element.style.setProperty('--columns', String(columns));
    this.#element.style.setProperty('--tile-width', `${tileWidth}px`);
  }
}
