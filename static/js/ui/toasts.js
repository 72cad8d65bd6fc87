/** Short messages that disappear by themselves. */
import { withoutNumbers } from './format.js';

const MAX_TOASTS = 4;
const SHOWN_MS = { info: 4000, warning: 8000, error: 10000 };
const ACTION_MS = 10000;

export class Toasts {
  #element;
  #template;
  /** Ends the wait for the next action, see `#leave`. @type {AbortController | null} */
  #held = null;

  /**
   * @param {HTMLElement} element  A live region: screen readers announce what is added.
   * @param {HTMLTemplateElement} template
   */
  constructor(element, template) {
    this.#element = element;
    this.#template = template;
  }

  /**
   * @param {string} message
   * @param {'info' | 'warning' | 'error'} level
   * @param {{stays?: boolean, action?: {word: string, act: () => void}}} options  `stays` keeps it until it is
   *   dismissed; `action` can be used once.
   * @returns {() => void} dismisses it
   */
  show(message, level = 'info', { stays = false, action } = {}) {
    // A message that differs only in its numbers, as while a slider is dragged, replaces the old one, so that a flood
    // fills only one toast.
    const kind = withoutNumbers(message);
    for (const other of [...this.#element.children]) {
      if (other.dataset.kind === kind) other.remove();
    }
    this.#release();
    while (this.#element.children.length >= MAX_TOASTS) this.#element.firstElementChild.remove();
    const known = level in SHOWN_MS ? level : 'info';
    const toast = this.#build(message, known, action);
    if (!stays) this.#expire(toast, action ? ACTION_MS : SHOWN_MS[known]);
    this.#element.append(toast);
    return () => toast.remove();
  }

  #build(message, level, action) {
    const toast = this.#template.content.firstElementChild.cloneNode(true);
    toast.dataset.level = level;
    toast.dataset.kind = withoutNumbers(message);
    toast.querySelector('.toast-text').textContent = message;
    const button = toast.querySelector('.toast-action');
    button.hidden = !action;
    button.textContent = action?.word ?? '';
    button.addEventListener('click', () => {
      toast.remove();
      action.act();
    });
    toast.querySelector('.toast-close').addEventListener('click', () => toast.remove());
    return toast;
  }

  #expire(toast, shownMs) {
    let timer = setTimeout(() => this.#leave(toast), shownMs);
    // Keep it under the pointer: somebody is reading it, or about to close it.
    toast.addEventListener('pointerenter', () => clearTimeout(timer));
    toast.addEventListener('pointerleave', () => {
      timer = setTimeout(() => this.#leave(toast), shownMs / 2);
    });
  }

  // Where toasts have a row of their own, its end would move the button that somebody is about to press. Keep its height
  // until the next action.
  #leave(toast) {
    const { height } = this.#element.getBoundingClientRect();
    this.#release();
    toast.remove();
    this.#element.style.minHeight = `${height}px`;
    this.#held = new AbortController();
    const options = { capture: true, once: true, signal: this.#held.signal };
    for (const action of ['click', 'keydown', 'wheel', 'touchmove']) {
      document.addEventListener(action, () => this.#release(), options);
    }
  }

  #release() {
    this.#held?.abort();
    this.#held = null;
    this.#element.style.minHeight = '';
  }
}
