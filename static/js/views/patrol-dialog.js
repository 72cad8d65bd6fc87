/** The dialog to choose the stops of a patrol, and its pace. */
import { make, setText } from '../ui/dom.js';
import { plural } from '../ui/format.js';
import { recall, remember } from '../ui/preferences.js';
import { MAX_TURN_S, MIN_TURN_S, readRound, readSeconds, writeRound } from './round.js';

const USUAL_S = 20;

/** Event: `start` ({everyS, round}). */
export class PatrolDialog extends EventTarget {
  #dialog;
  #form;
  #grid;
  #saved;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {import('../grid/grid.js').Grid} grid
   * @param {import('./saved.js').SavedViews} saved
   */
  constructor(dialog, grid, saved) {
    super();
    this.#dialog = dialog;
    this.#form = dialog.querySelector('form');
    this.#grid = grid;
    this.#saved = saved;
    dialog.querySelector('[data-close]').addEventListener('click', () => dialog.close());
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
    this.#form.addEventListener('change', ({ target }) => target.name === 'kind' && this.#buildNames([]));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#start();
    });
  }

  /** The last choice; null if there is none. @returns {{everyS: number, round: import('./round.js').Round} | null} */
  get last() {
    return recall('patrol', check, null);
  }

  open() {
    const { everyS, round } = this.last ?? { everyS: USUAL_S, round: { kind: null, names: [] } };
    const counts = { pages: this.#grid.pages, cameras: this.#grid.shown.length, views: this.#saved.all.length };
    const about = {
      pages: counts.pages > 1 ? plural(counts.pages, 'page') : 'all are on one page',
      cameras: plural(counts.cameras, 'camera'),
      views: counts.views > 1 ? plural(counts.views, 'view') : 'save at least two',
    };
    for (const input of this.#form.elements.kind) {
      input.disabled = counts[input.value] < 2;
      setText(this.#form.querySelector(`small[data-about="${input.value}"]`), about[input.value]);
    }
    const wanted = round.kind ?? 'pages';
    const kind = counts[wanted] > 1 ? wanted : (['pages', 'cameras', 'views'].find((one) => counts[one] > 1) ?? 'cameras');
    this.#form.elements.kind.value = kind;
    this.#form.elements.every.value = String(everyS);
    this.#tell('');
    this.#buildNames(kind === round.kind ? round.names : []);
    this.#dialog.showModal();
    this.#form.querySelector('[name="kind"]:checked')?.focus();
  }

  #buildNames(chosen) {
    const kind = this.#form.elements.kind.value;
    const entries = {
      cameras: this.#grid.shown.map((tile) => [tile.name, tile.title]),
      views: this.#saved.all.map((view) => [view.id, view.name]),
    }[kind] ?? [];
    const list = this.#form.querySelector('[data-names]');
    const legend = list.firstElementChild;
    setText(legend, kind === 'views' ? 'Which views' : 'Which cameras');
    list.hidden = entries.length === 0;
    list.replaceChildren(legend, ...entries.map(([name, title]) => {
      const label = make('label');
      const input = /** @type {HTMLInputElement} */ (make('input'));
      Object.assign(input, { type: 'checkbox', name: 'name', value: name });
      input.checked = chosen.length === 0 || chosen.includes(name);
      label.append(input, make('span', '', title));
      return label;
    }));
  }

  #start() {
    const { kind, every } = this.#form.elements;
    const boxes = [...this.#form.querySelectorAll('[name="name"]')];
    const names = boxes.filter(({ checked }) => checked).map(({ value }) => value);
    const seconds = Number(every.value.trim().replace(',', '.'));
    const isOut = !(seconds >= MIN_TURN_S && seconds <= MAX_TURN_S);
    every.setAttribute('aria-invalid', String(isOut));
    if (isOut) {
      this.#tell(`Choose ${MIN_TURN_S} to ${MAX_TURN_S} seconds.`);
      every.focus();
    } else if (boxes.length > 0 && names.length < 2) this.#tell('Choose at least two.');
    else {
      // If all are chosen, do not list them, so that new ones are included.
      const round = { kind: kind.value, names: names.length === boxes.length ? [] : names };
      remember('patrol', { everyS: seconds, through: writeRound(round) });
      this.#dialog.close();
      this.dispatchEvent(new CustomEvent('start', { detail: { everyS: seconds, round } }));
    }
  }

  #tell(wrong) {
    setText(this.#form.querySelector('[data-wrong]'), wrong);
  }
}

function check(value) {
  const everyS = readSeconds(value?.everyS);
  return everyS > 0 && typeof value.through === 'string' ? { everyS, round: readRound(value.through) } : null;
}
