/** The presets of the camera in focus, as chips: a click applies one, the cross deletes it. */
import { make } from '../ui/dom.js';
import { formatRejection } from '../ui/format.js';
import { showFault } from '../ui/number.js';

// How long the cross asks for confirmation.
const CONFIRM_MS = 4000;

export class Presets {
  #list;
  #create;
  #form;
  #name;
  #note;
  #send;
  #shown = '';
  #last = '';

  /**
   * @param {HTMLElement} element
   * @param {(preset: string, todo: 'save' | 'apply' | 'delete') => Promise<import('../stream/connection.js').Reply>} send
   */
  constructor(element, send) {
    const find = (name) => element.querySelector(`[data-preset-${name}]`);
    this.#list = find('list');
    this.#create = find('new');
    this.#form = find('form');
    this.#name = find('name');
    this.#note = find('note');
    this.#send = send;
    this.#create.addEventListener('click', () => this.#openForm());
    find('cancel').addEventListener('click', () => this.#closeForm());
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#save();
    });
    this.#form.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      this.#closeForm();
    });
  }

  /** Switch to another camera. */
  reset() {
    this.#form.hidden = true;
    this.#create.hidden = false;
    this.#last = '';
    this.showRejection('');
  }

  /** @param {string[]} names @param {string | null} held  The preset in effect. */
  show(names, held) {
    const shown = JSON.stringify([names, held]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    if (held !== null) this.#last = held;
    const focused = document.activeElement?.closest('[data-preset]')?.dataset.preset;
    this.#list.replaceChildren(...names.map((name) => this.#makeChip(name, name === held)));
    // The element that had the keyboard focus was replaced.
    if (focused) this.#list.querySelector(`[data-preset="${CSS.escape(focused)}"] button`)?.focus();
  }

  /** Show why a request was rejected; empty hides the note. @param {string} text */
  showRejection(text) {
    showFault(this.#note, text);
  }

  #makeChip(name, held) {
    const chip = make('li', 'preset');
    const apply = make('button', 'preset-apply', name);
    const remove = make('button', 'preset-delete', '×');
    chip.dataset.preset = name;
    apply.type = remove.type = 'button';
    apply.setAttribute('aria-pressed', String(held));
    apply.addEventListener('click', () => {
      this.#last = name;
      this.#request(name, 'apply');
    });
    remove.ariaLabel = remove.title = `Delete preset ${name}`;
    remove.addEventListener('click', () => this.#onCross(name, remove));
    chip.append(apply, remove);
    return chip;
  }

  #onCross(name, button) {
    if (button.dataset.asked !== undefined) {
      this.#request(name, 'delete');
      return;
    }
    button.dataset.asked = '';
    button.textContent = 'Delete?';
    setTimeout(() => {
      delete button.dataset.asked;
      button.textContent = '×';
    }, CONFIRM_MS);
  }

  #openForm() {
    this.#form.hidden = false;
    this.#create.hidden = true;
    // Suggest the last preset: people usually save over the one they just improved.
    this.#name.value = this.#last;
    this.#name.focus();
    this.#name.select();
  }

  #closeForm() {
    this.#form.hidden = true;
    this.#create.hidden = false;
    this.#create.focus();
  }

  async #save() {
    const name = this.#name.value.trim();
    if (name === '') return;
    if ((await this.#request(name, 'save')).ok) this.#closeForm();
  }

  async #request(name, todo) {
    const reply = await this.#send(name, todo);
    this.showRejection(reply.ok ? '' : formatRejection(reply));
    return reply;
  }
}
