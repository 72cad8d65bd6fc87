/**
 * Zooms and pans the picture in focus, and detects swipes over it.
 *
 * Two fingers or the wheel zoom, a double tap or double click zooms in and out again, dragging moves a zoomed picture,
 * and swiping over an unzoomed one leads to the next camera.
 */
import { WHOLE, clampLook, moveLook, scaleAbout, swipeOf } from './zoom.js';

const LARGE = '.tile:fullscreen, .tile[data-full-page], .tile[data-focused]';
const TAP_SCALE = 2;
const STEP = 1.25;
const PAN_SHARE = 0.15;
const TAP_MS = 320;
const TAP_PX = 24;
const WHEEL_LINE_PX = 16;

export class ZoomGestures {
  #list;
  #onSwipe;
  /** @type {WeakMap<Element, import('./zoom.js').Look>} */
  #looks = new WeakMap();
  /** @type {Map<number, {x: number, y: number}>} */
  #pointers = new Map();
  #stroke = null;
  #lastTap = null;
  #badge = document.createElement('button');

  /**
   * @param {HTMLElement} list  Holds the tiles.
   * @param {(by: -1 | 1) => void} onSwipe
   */
  constructor(list, onSwipe) {
    this.#list = list;
    this.#onSwipe = onSwipe;
    this.#badge.type = 'button';
    this.#badge.className = 'zoom-badge';
    this.#badge.addEventListener('click', () => this.reset());
    list.addEventListener('pointerdown', (event) => this.#onDown(event));
    list.addEventListener('pointermove', (event) => this.#onMove(event));
    list.addEventListener('pointerup', (event) => this.#onUp(event, true));
    list.addEventListener('pointercancel', (event) => this.#onUp(event, false));
    list.addEventListener('dblclick', (event) => this.#onDoubleClick(event));
    list.addEventListener('wheel', (event) => this.#onWheel(event), { passive: false });
    // Two fingers zoom, whichever way they move first; one may still scroll the page.
    list.addEventListener('touchstart', (event) => {
      if (event.touches.length > 1 && this.#viewportOf(event)) event.preventDefault();
    }, { passive: false });
    for (const event of ['resize', 'fullscreenchange']) window.addEventListener(event, () => this.#fit());
  }

  /** Whether the picture in focus is zoomed. */
  get zoomed() {
    return this.#look !== WHOLE;
  }

  /** Zoom in or out; 0 shows the whole picture. @param {-1 | 0 | 1} by @returns {boolean} */
  zoom(by) {
    if (this.#tile === null) return false;
    if (by === 0) this.#show(WHOLE, true);
    else this.#show(scaleAbout(this.#look, this.#look.scale * STEP ** by, { x: 0, y: 0 }, this.#frame), true);
    return true;
  }

  /** @param {'left' | 'right' | 'up' | 'down'} by  Direction. @returns {boolean} */
  pan(by) {
    if (!this.zoomed) return false;
    const { width, height } = this.#frame;
    const dx = { left: 1, right: -1 }[by] ?? 0;
    const dy = { up: 1, down: -1 }[by] ?? 0;
    this.#show(moveLook(this.#look, dx * width * PAN_SHARE, dy * height * PAN_SHARE, this.#frame), true);
    return true;
  }

  /** Show the whole picture. */
  reset() {
    this.#show(WHOLE, true);
  }

  /** Follow the focus to another tile, or none. @param {Element | null} before  The previous one. */
  changed(before) {
    if (before !== null) this.#paint(before, WHOLE, false);
    this.#badge.remove();
    this.#pointers.clear();
    this.#stroke = null;
  }

  get #tile() {
    const large = [...this.#list.querySelectorAll(LARGE)];
    return large.find((tile) => tile.matches(':fullscreen, [data-full-page]')) ?? large[0] ?? null;
  }

  get #look() {
    return this.#looks.get(this.#tile) ?? WHOLE;
  }

  get #frame() {
    const viewport = this.#tile.querySelector('.viewport');
    const { width, height } = viewport.querySelector('canvas').getBoundingClientRect();
    return { width: viewport.clientWidth, height: viewport.clientHeight, ratio: width / height || 16 / 9 };
  }

  #viewportOf(event) {
    const viewport = event.target.closest?.('.viewport') ?? null;
    return viewport !== null && viewport.closest('.tile') === this.#tile ? viewport : null;
  }

  // Relative to the middle of the viewport, like every look.
  #pointOf(event) {
    const { left, top, width, height } = this.#tile.querySelector('.viewport').getBoundingClientRect();
    return { x: event.clientX - left - width / 2, y: event.clientY - top - height / 2 };
  }

  #onDown(event) {
    const viewport = this.#viewportOf(event);
    if (viewport === null || event.button !== 0 || event.target.closest('button')) return;
    if (this.#pointers.size > 1) return;
    this.#pointers.set(event.pointerId, this.#pointOf(event));
    viewport.setPointerCapture(event.pointerId);
    const alone = this.#pointers.size === 1;
    this.#stroke = alone ? { x: event.clientX, y: event.clientY, ms: event.timeStamp, whole: !this.zoomed } : null;
  }

  #onMove(event) {
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined || this.#tile === null) return;
    const now = this.#pointOf(event);
    this.#pointers.set(event.pointerId, now);
    if (this.#pointers.size === 1) {
      if (this.zoomed) this.#show(moveLook(this.#look, now.x - before.x, now.y - before.y, this.#frame), false);
      return;
    }
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)[1];
    const by = distance(now, other) / Math.max(1, distance(before, other));
    const from = { x: (before.x + other.x) / 2, y: (before.y + other.y) / 2 };
    const to = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
    const moved = { ...this.#look, x: this.#look.x + to.x - from.x, y: this.#look.y + to.y - from.y };
    this.#show(scaleAbout(moved, this.#look.scale * by, to, this.#frame), false);
  }

  #onUp(event, ended) {
    if (!this.#pointers.delete(event.pointerId)) return;
    const stroke = this.#stroke;
    this.#stroke = null;
    if (stroke === null || !ended || event.pointerType !== 'touch' || this.#tile === null) return;
    const made = { dx: event.clientX - stroke.x, dy: event.clientY - stroke.y, ms: event.timeStamp - stroke.ms };
    const by = stroke.whole ? swipeOf(made) : 0;
    if (by !== 0) this.#onSwipe(by);
    else if (Math.hypot(made.dx, made.dy) < TAP_PX && made.ms < TAP_MS) this.#onTap(event);
  }

  // Not every browser turns two taps into a double click.
  #onTap(event) {
    const last = this.#lastTap;
    const near = last && Math.hypot(event.clientX - last.x, event.clientY - last.y) < 2 * TAP_PX;
    const twice = near && event.timeStamp - last.ms < TAP_MS;
    this.#lastTap = { x: event.clientX, y: event.clientY, ms: twice ? -Infinity : event.timeStamp };
    if (twice) this.#toggle(event);
  }

  #onDoubleClick(event) {
    const tapped = this.#lastTap !== null && event.timeStamp - this.#lastTap.ms < 2 * TAP_MS;
    const ours = this.#viewportOf(event) !== null && !event.target.closest('button');
    if (ours && !tapped && event.sourceCapabilities?.firesTouchEvents !== true) this.#toggle(event);
  }

  #toggle(event) {
    // While zones are drawn, two clicks add two corners.
    if (this.#tile.hasAttribute('data-zoning')) return;
    if (this.zoomed) this.#show(WHOLE, true);
    else this.#show(scaleAbout(this.#look, TAP_SCALE, this.#pointOf(event), this.#frame), true);
  }

  #onWheel(event) {
    if (this.#viewportOf(event) === null) return;
    const scroller = this.#list.parentElement;
    // If the page scrolls, the wheel over a whole picture scrolls it; with Ctrl, or a pinch, it zooms.
    const scrolls = scroller.scrollHeight > scroller.clientHeight + 1 && !document.fullscreenElement;
    if (scrolls && !event.ctrlKey && !event.metaKey && !this.zoomed) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? WHEEL_LINE_PX : 1);
    // A pinch on a touchpad arrives as a wheel with Ctrl and small steps.
    const by = Math.exp(-Math.max(-200, Math.min(200, pixels)) * (event.ctrlKey ? 0.01 : 0.002));
    this.#show(scaleAbout(this.#look, this.#look.scale * by, this.#pointOf(event), this.#frame), false);
  }

  // The frame was resized.
  #fit() {
    if (this.#tile !== null) this.#show(clampLook(this.#look, this.#frame), false);
  }

  #show(look, eased) {
    const tile = this.#tile;
    if (tile !== null) this.#paint(tile, look, eased);
  }

  #paint(tile, look, eased) {
    const zoomed = look !== WHOLE;
    const layer = tile.querySelector('.zoom-layer');
    this.#looks.set(tile, look);
    layer.toggleAttribute('data-eased', eased);
    layer.style.transform = zoomed ? `translate(${look.x}px, ${look.y}px) scale(${look.scale})` : '';
    tile.toggleAttribute('data-zoomed', zoomed);
    if (!zoomed) {
      // Removing it would lose the keyboard focus.
      if (this.#badge === document.activeElement) tile.querySelector('.tile-open').focus();
      this.#badge.remove();
      return;
    }
    const text = `${look.scale.toFixed(1)}×`;
    if (this.#badge.textContent !== text) {
      this.#badge.textContent = text;
      this.#badge.setAttribute('aria-label', `Zoomed ${look.scale.toFixed(1)} times. Show the whole picture`);
      this.#badge.title = 'Show the whole picture  0';
    }
    const viewport = tile.querySelector('.viewport');
    if (this.#badge.parentElement !== viewport) viewport.append(this.#badge);
  }
}

function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
