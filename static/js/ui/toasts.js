/** Short messages that disappear by themselves. */
import { withoutNumbers } from './format.js';

const MAX_TOASTS = 4;
const SHOWN_MS = { info: 4000, warning: 8000, error: 10000 };
const ACTION_MS = 10000;

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
    let timer = setTimeout(() => toast.remove(), shownMs);
    // Keep it under the pointer: somebody is reading it, or about to close it.
    toast.addEventListener('pointerenter', () => clearTimeout(timer));
    toast.addEventListener('pointerleave', () => {
      timer = setTimeout(() => toast.remove(), shownMs / 2);
    });
  }
}
