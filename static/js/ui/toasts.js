/** Short messages that disappear by themselves. */
import { make } from './dom.js';
import { withoutNumbers } from './format.js';

const MAX_TOASTS = 4;
const SHOWN_MS = { info: 4000, warning: 8000, error: 10000 };

export class Toasts {
  #element;
  #template;

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
   * @param {object} [options]
   * @param {boolean} [options.stays]  Keep it until it is dismissed.
   * @param {{label: string, run: () => void}} [options.action]  A button, which dismisses it too.
   */
  show(message, level = 'info', { stays = false, action } = {}) {
    // A message that differs only in its numbers, as while a slider is dragged, replaces the old one: a flood
    // is one toast, not a wall of them.
    const kind = withoutNumbers(message);
    for (const other of [...this.#element.children]) {
      if (other.dataset.kind === kind) other.remove();
    }
    while (this.#element.children.length >= MAX_TOASTS) this.#element.firstElementChild.remove();
    const known = level in SHOWN_MS ? level : 'info';
    const toast = this.#build(message, known, action);
    if (!stays) this.#expire(toast, SHOWN_MS[known]);
    this.#element.append(toast);
  }

  #build(message, level, action) {
    const toast = this.#template.content.firstElementChild.cloneNode(true);
    toast.dataset.level = level;
    toast.dataset.kind = withoutNumbers(message);
    toast.querySelector('.toast-text').textContent = message;
    toast.querySelector('.toast-close').addEventListener('click', () => toast.remove());
    if (action) {
      const button = make('button', 'text-button toast-action', action.label);
      button.type = 'button';
      button.addEventListener('click', () => {
        toast.remove();
        action.run();
      });
      toast.querySelector('.toast-close').before(button);
    }
    return toast;
  }

  #expire(toast, shownMs) {
    let timer = setTimeout(() => toast.remove(), shownMs);
    // Somebody is reading it, or about to close it.
    toast.addEventListener('pointerenter', () => clearTimeout(timer));
    toast.addEventListener('pointerleave', () => {
      timer = setTimeout(() => toast.remove(), shownMs / 2);
    });
  }
}
