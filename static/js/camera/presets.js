/** The presets of the camera in focus, as chips: one touch applies, the cross deletes, a name saves. */
import { setText } from '../ui/text.js';

// How long the cross asks whether it is meant.
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

  /** Another camera is meant from here on. */
  forget() {
    this.#form.hidden = true;
    this.#create.hidden = false;
    this.#last = '';
    this.say('');
  }

  /** @param {string[]} names @param {string | null} held  The one whose values hold now. */
  show(names, held) {
    const shown = JSON.stringify([names, held]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    if (held !== null) this.#last = held;
    const focused = document.activeElement?.closest('[data-preset]')?.dataset.preset;
    this.#list.replaceChildren(...names.map((name) => this.#makeChip(name, name === held)));
    // What had the keyboard focus is a new element now.
    if (focused) this.#list.querySelector(`[data-preset="${CSS.escape(focused)}"] button`)?.focus();
  }

  /** Say what was refused; an empty text says nothing any more. @param {string} text */
  say(text) {
    setText(this.#note, text);
    this.#note.hidden = text === '';
    this.#note.setAttribute('data-refused', '');
  }

  #makeChip(name, held) {
    const chip = document.createElement('li');
    const apply = document.createElement('button');
    const remove = document.createElement('button');
    chip.className = 'preset';
    chip.dataset.preset = name;
    apply.type = remove.type = 'button';
    apply.className = 'preset-apply';
    apply.textContent = name;
    apply.setAttribute('aria-pressed', String(held));
    apply.addEventListener('click', () => {
      this.#last = name;
      this.#ask(name, 'apply');
    });
    remove.className = 'preset-delete';
    remove.textContent = '×';
    remove.ariaLabel = remove.title = `Delete preset ${name}`;
    remove.addEventListener('click', () => this.#onCross(name, remove));
    chip.append(apply, remove);
    return chip;
  }

  #onCross(name, button) {
    if (button.dataset.asked !== undefined) {
      this.#ask(name, 'delete');
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
    // Saving under a name there is replaces it: mostly it is the one that was just made better.
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
    if ((await this.#ask(name, 'save')).ok) this.#closeForm();
  }

  async #ask(name, todo) {
    const reply = await this.#send(name, todo);
    this.say(reply.ok ? '' : reply.message || `Refused: ${reply.error}`);
    return reply;
  }
}
