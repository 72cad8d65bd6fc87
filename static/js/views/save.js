/** The dialog to save what is shown under a name. */
import { describeView } from './describe.js';

/** Event: `saved` ({view}). */
export class SaveView extends EventTarget {
  #dialog;
  #form;
  #saved;
  #query = '';

  /** @param {HTMLDialogElement} dialog @param {import('./saved.js').SavedViews} saved */
  constructor(dialog, saved) {
    super();
    this.#dialog = dialog;
    this.#form = dialog.querySelector('form');
    this.#saved = saved;
    dialog.querySelector('[data-close]').addEventListener('click', () => dialog.close());
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#save();
    });
  }

  /** @param {string} query  For what is shown. @param {string} name  A suggestion. @param {(name: string) => string} titleOf */
  open(query, name, titleOf) {
    this.#query = query;
    this.#form.reset();
    this.#tell('');
    this.#form.elements.name.value = name;
    this.#dialog.querySelector('[data-what]').textContent = `${describeView(query, titleOf)}.`;
    this.#dialog.querySelector('[data-for]').hidden = !this.#saved.mayShare;
    this.#dialog.querySelector('[data-for-own]').textContent = this.#saved.isKeptHere ? 'This browser' : 'Me';
    this.#dialog.showModal();
    this.#form.elements.name.select();
  }

  async #save() {
    const { elements } = this.#form;
    const button = this.#form.querySelector('[data-save]');
    const name = elements.name.value.trim();
    const before = new Set(this.#saved.all.map(({ id }) => id));
    button.disabled = true;
    const shared = this.#saved.mayShare && elements.for.value === 'shared';
    const wrong = await this.#saved.add({ name, query: this.#query, shared });
    button.disabled = false;
    this.#tell(wrong);
    if (wrong) return;
    const view = this.#saved.all.find(({ id }) => !before.has(id)) ?? null;
    if (elements.default.checked) await this.#saved.chooseDefault(view);
    this.#dialog.close();
    this.dispatchEvent(new CustomEvent('saved', { detail: { view } }));
  }

  #tell(wrong) {
    const { name } = this.#form.elements;
    this.#dialog.querySelector('[data-wrong]').textContent = wrong;
    if (wrong) name.setAttribute('aria-invalid', 'true');
    else name.removeAttribute('aria-invalid');
    if (wrong) name.focus();
  }
}
