/** Shows which page of the grid is current, and switches pages. */
import { setText } from '../ui/dom.js';
import { swipeOf } from '../camera/zoom.js';

// More dots than this cannot be counted at a glance.
const MAX_DOTS = 8;

export class Pager {
  #element;
  #grid;
  #dots;
  #count;

  /**
   * @param {HTMLElement} element
   * @param {import('./grid.js').Grid} grid
   * @param {HTMLElement} surface  Detects swipes.
   */
  constructor(element, grid, surface) {
    this.#element = element;
    this.#grid = grid;
    this.#dots = element.querySelector('[data-pager-dots]');
    this.#count = element.querySelector('[data-pager-count]');
    element.addEventListener('click', (event) => {
      const by = Number(event.target.closest('[data-step]')?.dataset.step);
      if (by) grid.step(by);
    });
    this.#listenForSwipes(surface);
    grid.addEventListener('arranged', () => this.refresh());
  }

  refresh() {
    const { page, pages, focused } = this.#grid;
    this.#element.hidden = pages < 2 || focused !== null;
    setText(this.#count, `${page} / ${pages}`);
    this.#count.setAttribute('aria-label', `Page ${page} of ${pages}`);
    const dots = pages > MAX_DOTS ? 0 : pages;
    while (this.#dots.childElementCount > dots) this.#dots.lastElementChild.remove();
    while (this.#dots.childElementCount < dots) this.#dots.append(document.createElement('span'));
    [...this.#dots.children].forEach((dot, index) => dot.toggleAttribute('data-here', index + 1 === page));
  }

  #listenForSwipes(surface) {
    let start = null;
    surface.addEventListener('pointerdown', (event) => {
      const one = event.pointerType === 'touch' && event.isPrimary && this.#grid.focused === null;
      start = one ? { x: event.clientX, y: event.clientY, ms: event.timeStamp } : null;
    });
    surface.addEventListener('pointercancel', () => {
      start = null;
    });
    surface.addEventListener('pointerup', (event) => {
      if (start === null || !event.isPrimary) return;
      const stroke = { dx: event.clientX - start.x, dy: event.clientY - start.y, ms: event.timeStamp - start.ms };
      start = null;
      const by = swipeOf(stroke);
      if (by !== 0) this.#grid.step(by);
    });
  }
}
