/** The search field and the chips by state; there once there are more cameras than keys. */
import { Arrangement } from './arrangement.js';
import { setText } from '../ui/text.js';

const FROM = 10;

export class Filter {
  #element;
  #deck;
  #arrangement;
  #announcer;
  #field;
  #chips;
  #count;
  #nothing;

  /**
   * @param {HTMLElement} element
   * @param {HTMLElement} nothing  Shown where no camera passes.
   * @param {import('./grid.js').Grid} deck
   * @param {Arrangement} arrangement
   * @param {import('../ui/announcer.js').Announcer} announcer
   */
  constructor(element, nothing, deck, arrangement, announcer) {
    this.#element = element;
    this.#nothing = nothing;
    this.#deck = deck;
    this.#arrangement = arrangement;
    this.#announcer = announcer;
    this.#field = element.querySelector('input');
    this.#count = element.querySelector('[data-filter-count]');
    this.#chips = [...element.querySelectorAll('[data-group]')];
    this.#field.addEventListener('input', () => this.#change({ text: this.#field.value.trim() }));
    this.#field.addEventListener('keydown', (event) => this.#onKey(event));
    element.addEventListener('submit', (event) => event.preventDefault());
    element.addEventListener('click', (event) => {
      const group = event.target.closest('[data-group]')?.dataset.group;
      if (group) this.#change({ group });
    });
    nothing.querySelector('button').addEventListener('click', () => {
      this.#change({ text: '', group: 'all' });
      this.#field.focus();
    });
    for (const event of ['arranged', 'condition']) deck.addEventListener(event, () => this.refresh());
  }

  /** Go to the search field; false if there is none. */
  open() {
    if (this.#element.hidden) return false;
    this.#field.focus();
    this.#field.select();
    return true;
  }

  refresh() {
    const all = [...this.#deck.tiles.values()];
    const { text, group, filtered, only } = this.#arrangement;
    // A filter that came with the address can be taken off whatever the number of cameras.
    const needed = only === null && (all.length >= FROM || filtered);
    this.#element.hidden = !needed || this.#deck.focused !== null;
    if (document.activeElement !== this.#field) this.#field.value = text;
    for (const chip of this.#chips) {
      const own = chip.dataset.group;
      const count = own === 'all' ? all.length : all.filter((tile) => Arrangement.groupOf(tile) === own).length;
      setText(chip.querySelector('[data-count]'), String(count));
      chip.setAttribute('aria-pressed', String(own === group));
      chip.toggleAttribute('data-none', count === 0);
    }
    const shown = this.#deck.shown.length;
    setText(this.#count, filtered ? `${shown} of ${all.length}` : '');
    this.#nothing.hidden = !filtered || shown > 0 || all.length === 0 || this.#deck.focused !== null;
  }

  #change(change) {
    this.#arrangement.show({ ...change, page: 1 });
    const { length } = this.#deck.shown;
    const found = length === 0 ? 'no camera' : `${length} of ${this.#deck.tiles.size}`;
    this.#announcer.say('Shown', found);
  }

  // The first Esc empties the field, the next one leaves it; Enter and the arrow go to what was found.
  #onKey(event) {
    if (event.key === 'Escape') {
      event.stopPropagation();
      if (this.#field.value === '') this.#field.blur();
      this.#field.value = '';
      this.#change({ text: '' });
    } else if (event.key === 'Enter' || event.key === 'ArrowDown') {
      event.preventDefault();
      this.#deck.visible[0]?.openButton.focus();
    }
  }
}
