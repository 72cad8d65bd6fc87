/** The search field and the state chips; shown if there are more cameras than number keys. */
import { Arrangement } from './arrangement.js';
import { setText } from '../ui/dom.js';

const MIN_CAMERAS = 10;

export class Filter {
  #element;
  #grid;
  #arrangement;
  #announcer;
  #field;
  #chips;
  #count;
  #nothing;

  /**
   * @param {HTMLElement} element
   * @param {HTMLElement} nothing  Shown if no camera matches.
   * @param {import('./grid.js').Grid} grid
   * @param {Arrangement} arrangement
   * @param {import('../ui/announcer.js').Announcer} announcer
   */
  constructor(element, nothing, grid, arrangement, announcer) {
    this.#element = element;
    this.#nothing = nothing;
    this.#grid = grid;
    this.#arrangement = arrangement;
    this.#announcer = announcer;
    this.#field = element.querySelector('input');
    this.#count = element.querySelector('[data-filter-count]');
    this.#chips = [...element.querySelectorAll('[data-state-chip]')];
    this.#field.addEventListener('input', () => this.#change({ text: this.#field.value.trim() }));
    this.#field.addEventListener('keydown', (event) => this.#onKey(event));
    element.addEventListener('submit', (event) => event.preventDefault());
    element.addEventListener('click', (event) => {
      const state = event.target.closest('[data-state-chip]')?.dataset.stateChip;
      if (state) this.#change({ state });
    });
    nothing.querySelector('button').addEventListener('click', () => {
      this.#change({ text: '', state: 'all', group: '' });
      if (!this.open()) this.#grid.visible[0]?.openButton.focus();
    });
    for (const event of ['arranged', 'condition']) grid.addEventListener(event, () => this.refresh());
  }

  /** Focus the search field; false if it is hidden. */
  open() {
    if (this.#element.hidden) return false;
    this.#field.focus();
    this.#field.select();
    return true;
  }

  refresh() {
    const all = [...this.#grid.tiles.values()];
    const { text, state, group, filtered, only } = this.#arrangement;
    // A filter that came with the address must be removable, even with few cameras.
    const needed = only === null && (all.length >= MIN_CAMERAS || text !== '' || state !== 'all');
    const counted = all.filter((tile) => group === '' || tile.group === group);
    this.#element.hidden = !needed || this.#grid.focused !== null;
    if (document.activeElement !== this.#field) this.#field.value = text;
    for (const chip of this.#chips) {
      const own = chip.dataset.stateChip;
      const count = own === 'all' ? counted.length : counted.filter((tile) => Arrangement.stateOf(tile) === own).length;
      setText(chip.querySelector('[data-count]'), String(count));
      chip.setAttribute('aria-pressed', String(own === state));
      chip.toggleAttribute('data-none', count === 0);
    }
    const shown = this.#grid.shown.length;
    setText(this.#count, filtered ? `${shown} of ${all.length}` : '');
    this.#nothing.hidden = !filtered || shown > 0 || all.length === 0 || this.#grid.focused !== null;
  }

  #change(change) {
    this.#arrangement.show({ ...change, page: 1 });
    const { length } = this.#grid.shown;
    const found = length === 0 ? 'no matching cameras' : `${length} of ${this.#grid.tiles.size}`;
    this.#announcer.announce('Shown', found);
  }

  // The first Esc clears the field, the next one leaves it; Enter and the arrow go to the first match.
  #onKey(event) {
    if (event.key === 'Escape') {
      event.stopPropagation();
      if (this.#field.value === '') this.#field.blur();
      this.#field.value = '';
      this.#change({ text: '' });
    } else if (event.key === 'Enter' || event.key === 'ArrowDown') {
      event.preventDefault();
      this.#grid.visible[0]?.openButton.focus();
    }
  }
}
