/**
 * Drags a tile to another position by mouse, pen or finger. A finger must rest on it first, because one that moves
 * immediately scrolls; if it rests and is lifted again, the tile's menu opens.
 */
import { dropPlace } from './layout.js';

const START_PX = 8;
const HOLD_MS = 400;
const SETTLE_MS = 260;
const EDGE_PX = 56;
const SCROLL_PX = 12;

export class Reorder {
  #list;
  #grid;
  #onMoved;
  #onHeld;
  #mark = document.createElement('li');
  /** @type {{tile: import('./tile.js').Tile, id: number, x: number, y: number, touch: boolean} | null} */
  #held = null;
  #timer = 0;
  #dragging = false;
  #point = { x: 0, y: 0 };
  #scrolledFrom = 0;
  #request = 0;

  /**
   * @param {HTMLElement} list  Holds the tiles.
   * @param {import('./grid.js').Grid} grid
   * @param {object} handlers
   * @param {(tile: import('./tile.js').Tile) => void} handlers.onMoved
   * @param {(tile: import('./tile.js').Tile, point: {x: number, y: number}) => void} handlers.onHeld
   */
  constructor(list, grid, { onMoved, onHeld }) {
    this.#list = list;
    this.#grid = grid;
    this.#onMoved = onMoved;
    this.#onHeld = onHeld;
    this.#mark.className = 'drop-mark';
    this.#mark.setAttribute('aria-hidden', 'true');
    list.addEventListener('pointerdown', (event) => this.#onDown(event));
    list.addEventListener('pointermove', (event) => this.#onMove(event));
    list.addEventListener('pointerup', (event) => event.pointerId === this.#held?.id && this.#drop());
    list.addEventListener('pointercancel', () => this.#release());
    list.addEventListener('lostpointercapture', () => this.#release());
    // While it drags a tile, a finger must neither scroll nor open a menu.
    list.addEventListener('touchmove', (event) => this.#dragging && event.preventDefault(), { passive: false });
    list.addEventListener('contextmenu', (event) => this.#held?.touch && event.preventDefault());
    // Before the page takes Esc as leaving the focus view.
    window.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.#dragging) return;
      event.stopPropagation();
      this.#release();
    }, { capture: true });
  }

  #onDown(event) {
    this.#release();
    // A second finger is another gesture.
    if (!event.isPrimary) return;
    const tile = this.#grid.tileOf(event.target);
    const touch = event.pointerType === 'touch';
    if (!tile || event.button !== 0 || this.#grid.focused !== null) return;
    if (!touch && this.#grid.visible.length < 2) return;
    this.#held = { tile, id: event.pointerId, x: event.clientX, y: event.clientY, touch };
    this.#point = { x: event.clientX, y: event.clientY };
    if (touch) this.#timer = setTimeout(() => this.#start(), HOLD_MS);
  }

  #onMove(event) {
    if (event.pointerId !== this.#held?.id) return;
    this.#point = { x: event.clientX, y: event.clientY };
    if (this.#dragging) {
      this.#follow();
    } else if (event.buttons === 0) {
      // It was released where we got no event.
      this.#release();
    } else if (Math.hypot(event.clientX - this.#held.x, event.clientY - this.#held.y) > START_PX) {
      if (this.#held.touch) this.#release();
      else this.#start();
    }
  }

  #start() {
    const { tile, id, touch } = this.#held;
    this.#dragging = true;
    this.#list.setPointerCapture(id);
    this.#scrolledFrom = this.#list.getBoundingClientRect().top;
    this.#list.toggleAttribute('data-dragging', true);
    tile.element.toggleAttribute('data-dragged', true);
    this.#list.append(this.#mark);
    if (touch) navigator.vibrate?.(12);
    this.#follow();
    this.#request = requestAnimationFrame(() => this.#scroll());
  }

  // The tile follows the pointer, even if the page scrolled meanwhile.
  #follow() {
    const { tile, x, y } = this.#held;
    const scrolled = this.#scrolledFrom - this.#list.getBoundingClientRect().top;
    tile.element.style.setProperty('--dx', `${this.#point.x - x}px`);
    tile.element.style.setProperty('--dy', `${this.#point.y - y + scrolled}px`);
    this.#showMark();
  }

  #target() {
    const { left, top } = this.#list.getBoundingClientRect();
    const { boxes, visible } = this.#grid;
    const drop = dropPlace([...boxes], { x: this.#point.x - left, y: this.#point.y - top });
    const own = visible.indexOf(this.#held.tile);
    const index = drop.index + (drop.after ? 1 : 0);
    // Dropped next to its own place: it stays.
    return index === own || index === own + 1 ? null : { ...drop, insert: index };
  }

  #showMark() {
    const target = this.#target();
    this.#mark.hidden = target === null;
    if (target === null) return;
    const box = this.#grid.boxes[target.index];
    const gap = parseFloat(getComputedStyle(this.#list).rowGap) / 2;
    const values = target.upright
      ? { x: target.after ? box.x + box.width + gap : box.x - gap, y: box.y, width: 0, height: box.height }
      : { x: box.x, y: target.after ? box.y + box.height + gap : box.y - gap, width: box.width, height: 0 };
    for (const [name, value] of Object.entries(values)) this.#mark.style.setProperty(`--${name}`, `${value}px`);
  }

  #scroll() {
    const scroller = this.#list.parentElement;
    const { top, bottom } = scroller.getBoundingClientRect();
    const { y } = this.#point;
    const by = y < top + EDGE_PX ? -SCROLL_PX : y > bottom - EDGE_PX ? SCROLL_PX : 0;
    if (by !== 0) {
      scroller.scrollTop += by;
      this.#follow();
    }
    this.#request = requestAnimationFrame(() => this.#scroll());
  }

  #drop() {
    if (!this.#dragging) {
      this.#release();
      return;
    }
    const { tile, x, y, touch } = this.#held;
    const { shown, visible } = this.#grid;
    const rested = Math.hypot(this.#point.x - x, this.#point.y - y) <= START_PX;
    const target = rested ? null : this.#target();
    // The click at the end of a drag would open the tile.
    const swallow = (event) => {
      event.stopPropagation();
      event.preventDefault();
    };
    window.addEventListener('click', swallow, { capture: true, once: true });
    setTimeout(() => window.removeEventListener('click', swallow, { capture: true }));
    this.#release();
    // Later, because the end of this touch would close the menu.
    if (rested && touch) setTimeout(() => this.#onHeld(tile, { x, y }));
    if (target === null) return;
    const first = shown.indexOf(visible[0]);
    this.#grid.place(tile, shown[first + target.insert] ?? null);
    this.#onMoved(tile);
  }

  #release() {
    clearTimeout(this.#timer);
    const held = this.#held;
    this.#held = null;
    if (held === null || !this.#dragging) return;
    this.#dragging = false;
    cancelAnimationFrame(this.#request);
    this.#mark.remove();
    held.tile.element.removeAttribute('data-dragged');
    this.#list.removeAttribute('data-dragging');
    // While this is set, tiles glide into place.
    this.#list.toggleAttribute('data-settling', true);
    setTimeout(() => this.#list.removeAttribute('data-settling'), SETTLE_MS);
    if (this.#list.hasPointerCapture(held.id)) this.#list.releasePointerCapture(held.id);
  }
}
