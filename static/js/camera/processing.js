/** The state of a camera's frame processors: a line on its tile while something is wrong, a list in the panel. */
import { UNKNOWN, plural } from '../ui/format.js';
import { make, setText, setTitle } from '../ui/dom.js';

/**
 * @typedef {object} Processing  An entry of STATE's `process`.
 * @property {string} name
 * @property {'ok' | 'slow' | 'failing' | 'skipped' | 'stuck'} state
 * @property {string} message
 * @property {number | null} ms
 * @property {number} [errors]
 */

const WORDS = { ok: 'Working', slow: 'Slow', failing: 'Failing', skipped: 'Skipped', stuck: 'Stuck' };

/** The status dot of each, in the colours of the cameras' states. */
const STATUSES = { ok: 'live', slow: 'stalled', failing: 'retrying', skipped: 'retrying', stuck: 'gone' };

const WORST_FIRST = ['stuck', 'skipped', 'failing', 'slow'];

/** @param {Processing} processing */
function describe({ name, state, message }) {
  return `${name}: ${message || WORDS[state]}`;
}

/** The line on a tile, shown only while something is wrong. */
export class ProcessingTrouble {
  #viewport;
  #line = null;

  /** @param {HTMLElement} viewport  Contains the picture. */
  constructor(viewport) {
    this.#viewport = viewport;
  }

  /** @param {Processing[] | undefined} list */
  show(list) {
    const wrong = (list ?? []).filter(({ state }) => WORST_FIRST.includes(state));
    wrong.sort((one, other) => WORST_FIRST.indexOf(one.state) - WORST_FIRST.indexOf(other.state));
    if (wrong.length === 0) {
      this.#line?.remove();
      this.#line = null;
      return;
    }
    this.#line ??= this.#add();
    const more = wrong.length > 1 ? ` (and ${wrong.length - 1} more)` : '';
    setText(this.#line.querySelector('.processing-text'), describe(wrong[0]) + more);
    this.#line.dataset.processing = wrong[0].state;
    setTitle(this.#line, wrong.map(describe).join('\n'));
  }

  #add() {
    const line = make('p', 'processing-trouble');
    const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    icon.setAttribute('class', 'icon');
    icon.setAttribute('aria-hidden', 'true');
    const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
    use.setAttribute('href', '#i-warning');
    icon.append(use);
    line.append(icon, make('span', 'processing-text'));
    this.#viewport.append(line);
    return line;
  }
}

/** The list in the panel: every processor with its state and duration. */
export class ProcessingList {
  #section;
  #list;
  #rows = [];

  /** @param {HTMLElement} section */
  constructor(section) {
    this.#section = section;
    this.#list = section.querySelector('ol');
  }

  /** @param {Processing[] | undefined} list */
  show(list = []) {
    this.#section.hidden = list.length === 0;
    while (this.#rows.length > list.length) this.#rows.pop().item.remove();
    while (this.#rows.length < list.length) this.#rows.push(this.#addRow());
    list.forEach(({ name, state, message, ms, errors = 0 }, at) => {
      const row = this.#rows[at];
      row.item.dataset.status = STATUSES[state] ?? 'idle';
      setText(row.name, name);
      setText(row.word, WORDS[state] ?? state);
      setText(row.ms, `${ms === null ? UNKNOWN : ms.toFixed(ms < 10 ? 1 : 0)} ms`);
      // Past errors are still worth knowing.
      const past = errors > 0 ? `${plural(errors, 'error')} so far` : '';
      setText(row.message, message || past);
      row.message.hidden = !(message || past);
    });
  }

  #addRow() {
    const item = make('li');
    const row = { item };
    const head = make('div', 'processing-head');
    const dot = make('span', 'status-dot');
    dot.setAttribute('aria-hidden', 'true');
    head.append(dot);
    for (const part of ['name', 'word', 'ms']) {
      row[part] = make('span', `processing-${part}`);
      head.append(row[part]);
    }
    row.message = make('p', 'processing-message');
    item.append(head, row.message);
    this.#list.append(item);
    return row;
  }
}
