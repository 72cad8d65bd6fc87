/** The pill over the grid that says it shows the past, and leads back to live. In focus, the time bar does that. */
import { setText } from '../ui/dom.js';
import { formatAgo, formatWhen } from '../ui/format.js';

export class PastPill {
  #element;
  #past;
  #time;
  #ago;

  /** @param {HTMLElement} element @param {import('./past-control.js').PastControl} past */
  constructor(element, past) {
    this.#element = element;
    this.#past = past;
    this.#time = element.querySelector('[data-pill-time]');
    this.#ago = element.querySelector('[data-pill-ago]');
    element.querySelector('[data-pill-live]').addEventListener('click', () => past.live());
    past.addEventListener('change', () => this.refresh());
  }

  /** Update it. Called several times a second. */
  refresh() {
    const { at } = this.#past;
    const shown = at !== null && !this.#past.focused;
    this.#element.hidden = !shown;
    if (!shown) return;
    const { time } = formatWhen(at);
    const ago = formatAgo(this.#past.nowUnix - at, at);
    setText(this.#time, time);
    setText(this.#ago, ago === time ? '' : ago);
  }
}
