/** The pages of the grid: where one is, and the ways to the others. */
import { setText } from '../ui/text.js';
import { swipeOf } from '../camera/zoom.js';

// More dots than this are no longer counted at a glance.
const MAX_DOTS = 8;

export class Pager {
  #element;
  #deck;
  #dots;
  #count;

  /**
   * @param {HTMLElement} element
   * @param {import('./grid.js').Grid} deck
   * @param {HTMLElement} surface  Where fingers swipe.
   */
  constructor(element, deck, surface) {
    this.#element = element;
    this.#deck = deck;
    this.#dots = element.querySelector('[data-pager-dots]');
    this.#count = element.querySelector('[data-pager-count]');
    element.addEventListener('click', (event) => {
      const by = Number(event.target.closest('[data-step]')?.dataset.step);
      if (by) deck.step(by);
    });
    this.#hearSwipes(surface);
    deck.addEventListener('arranged', () => this.refresh());
  }

  refresh() {
    const { page, pages, focused } = this.#deck;
    this.#element.hidden = pages < 2 || focused !== null;
    setText(this.#count, `${page} / ${pages}`);
    this.#count.setAttribute('aria-label', `Page ${page} of ${pages}`);
    const dots = pages > MAX_DOTS ? 0 : pages;
    while (this.#dots.childElementCount > dots) this.#dots.lastElementChild.remove();
    while (this.#dots.childElementCount < dots) this.#dots.append(document.createElement('span'));
    [...this.#dots.children].forEach((dot, index) => dot.toggleAttribute('data-here', index + 1 === page));
  }

  #hearSwipes(surface) {
    let start = null;
    surface.addEventListener('pointerdown', (event) => {
      const one = event.pointerType === 'touch' && event.isPrimary && this.#deck.focused === null;
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
      if (by !== 0) this.#deck.step(by);
    });
  }
}
