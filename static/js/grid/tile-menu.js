/**
 * A tile's menu: opens by right click, by the menu key, and on a touch screen by a long press. Event: `act`
 * ({action, tile}).
 */
import { closeMenu } from '../ui/menu.js';
import { setText } from '../ui/dom.js';

export class TileMenu extends EventTarget {
  #menu;
  #title;
  /** @type {import('./tile.js').Tile | null} */
  #tile = null;

  /**
   * @param {HTMLElement} menu  A popover.
   * @param {HTMLElement} list  Holds the tiles.
   * @param {import('./grid.js').Grid} grid
   */
  constructor(menu, list, grid) {
    super();
    this.#menu = menu;
    this.#title = menu.querySelector('[data-tile-menu-title]');
    list.addEventListener('contextmenu', (event) => {
      const tile = grid.tileOf(event.target);
      if (tile === null || event.defaultPrevented) return;
      event.preventDefault();
      this.open(tile, { x: event.clientX, y: event.clientY });
    });
    menu.addEventListener('click', (event) => {
      const action = event.target.closest('[data-tile-action]')?.dataset.tileAction;
      if (action === undefined) return;
      closeMenu();
      this.dispatchEvent(new CustomEvent('act', { detail: { action, tile: this.#tile } }));
    });
  }

  /** @param {import('./tile.js').Tile} tile @param {{x: number, y: number}} point */
  open(tile, { x, y }) {
    this.#tile = tile;
    setText(this.#title, tile.title);
    for (const button of this.#menu.querySelectorAll('[data-tile-action]')) {
      button.disabled = button.dataset.tileAction !== 'fullscreen' && !tile.hasPicture;
    }
    this.#menu.showPopover?.();
    const { width, height } = this.#menu.getBoundingClientRect();
    this.#menu.style.setProperty('--x', `${Math.max(0, Math.min(x, innerWidth - width))}px`);
    this.#menu.style.setProperty('--y', `${Math.max(0, Math.min(y, innerHeight - height))}px`);
    this.#menu.querySelector('button:enabled').focus({ preventScroll: true });
  }
}
