/** Short messages that come, can be read, and go. */

const MOST = 4;
const SHOWN_MS = { info: 4000, warning: 8000, error: 10000 };

export class Toasts {
  #element;
  #template;

  /**
   * @param {HTMLElement} element  A live region: what is added is read aloud.
   * @param {HTMLTemplateElement} template
   */
  constructor(element, template) {
    this.#element = element;
    this.#template = template;
  }

  /**
   * @param {string} message
   * @param {'info' | 'warning' | 'error'} level
   * @param {{stays?: boolean}} options  Whether it stays until it is dismissed.
   */
  show(message, level = 'info', { stays = false } = {}) {
    // A message that says the same, or the same with another number (a slider being dragged), replaces the
    // old one: a flood shows as one toast, not as a wall of them.
    const kind = kindOf(message);
    for (const other of [...this.#element.children]) {
      if (other.dataset.kind === kind) other.remove();
    }
    while (this.#element.children.length >= MOST) this.#element.firstElementChild.remove();
    const known = level in SHOWN_MS ? level : 'info';
    const toast = this.#build(message, known);
    if (!stays) this.#expire(toast, SHOWN_MS[known]);
    this.#element.append(toast);
  }

  #build(message, level) {
    const toast = this.#template.content.firstElementChild.cloneNode(true);
    toast.dataset.level = level;
    toast.dataset.kind = kindOf(message);
    toast.querySelector('.toast-text').textContent = message;
    toast.querySelector('.toast-close').addEventListener('click', () => toast.remove());
    return toast;
  }

  #expire(toast, shownMs) {
    let timer = setTimeout(() => toast.remove(), shownMs);
    // Someone is reading it or about to close it.
    toast.addEventListener('pointerenter', () => clearTimeout(timer));
    toast.addEventListener('pointerleave', () => {
      timer = setTimeout(() => toast.remove(), shownMs / 2);
    });
  }
}

function kindOf(message) {
  return message.replaceAll(/\d+(\.\d+)?/g, '#');
}
