/** Shows the state of a camera's frame processors. */
import { UNKNOWN, plural } from '../ui/format.js';
import { make, setText } from '../ui/dom.js';

/**
 * @typedef {object} Processing  An entry of STATE's `process`.
 * @property {string} name
 * @property {'ok' | 'slow' | 'failing' | 'skipped' | 'stuck'} state
 * @property {string} message
 * @property {number | null} ms
 * @property {number} [errors]
 */

const WORDS = { ok: 'Working', slow: 'Slow', failing: 'Failing', skipped: 'Skipped', stuck: 'Stuck' };

/** Each state's status dot, in the colours of the cameras' states. */
const STATUSES = { ok: 'live', slow: 'stalled', failing: 'retrying', skipped: 'retrying', stuck: 'gone' };

const WORST_FIRST = ['stuck', 'skipped', 'failing', 'slow'];

/** @param {Processing} processing */
export function describeProcessing({ name, state, message }) {
  return `${name}: ${message || WORDS[state]}`;
}

/** Processors with a problem, the worst first. @param {Processing[] | undefined} list */
export function failingProcessors(list) {
  return (list ?? [])
    .filter(({ state }) => WORST_FIRST.includes(state))
    .sort((one, other) => WORST_FIRST.indexOf(one.state) - WORST_FIRST.indexOf(other.state));
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
