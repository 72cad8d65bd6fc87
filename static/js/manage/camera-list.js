/** The list of cameras in everybody's order, which is changed by dragging or the arrow keys. */
import { capitalize, plural } from '../ui/format.js';

const SAVE_AFTER_MS = 700;

/**
 * @typedef {object} Entry  A camera, as the server describes it to admins.
 * @property {string} name
 * @property {'file' | 'page'} managed
 * @property {'settings file' | 'command line' | 'page'} place  Where it is defined.
 * @property {string} revision
 * @property {string | null} problem  Why it is not in use.
 * @property {Record<string, any>} settings
 */

/** Events: `open` ({entry}); `order` ({names}) once the order has not changed for a moment. */
export class CameraList extends EventTarget {
  #rows;
  #moved;
  #template = document.querySelector('#managed-row-template');
  /** @type {Map<HTMLElement, Entry>} */
  #entries = new Map();
  #states = new Map();
  #timer = 0;
  /** @type {{row: HTMLElement, id: number, before: string[]} | null} */
  #drag = null;

  /** @param {HTMLElement} rows @param {HTMLElement} moved  A live region. */
  constructor(rows, moved) {
    super();
    this.#rows = rows;
    this.#moved = moved;
    rows.addEventListener('click', (event) => this.#onClick(event));
    rows.addEventListener('keydown', (event) => this.#onKey(event));
    rows.addEventListener('pointerdown', (event) => this.#onDown(event));
    rows.addEventListener('pointermove', (event) => this.#onMove(event));
    rows.addEventListener('pointerup', (event) => event.pointerId === this.#drag?.id && this.#drop());
    rows.addEventListener('pointercancel', () => this.#cancel());
  }

  /** Whether somebody is moving a camera, or has just moved one. */
  get isMoving() {
    return this.#drag !== null || this.#timer !== 0;
  }

  /** @param {Entry[]} entries */
  show(entries) {
    const focused = document.activeElement?.closest?.('.managed-row');
    const name = this.#entries.get(focused)?.name;
    const part = document.activeElement?.matches?.('[data-handle]') ? '[data-handle]' : '[data-open]';
    this.#entries.clear();
    this.#rows.replaceChildren(...entries.map((entry) => this.#build(entry)));
    this.#refresh();
    if (name !== undefined) this.focus(name, part);
  }

  /** @param {Map<string, string>} states  By the camera's name, as tiles have them. */
  setStates(states) {
    this.#states = states;
    this.#refresh();
  }

  /** Put the keyboard focus on a camera, or on the first. @param {string} name @param {string} [part] */
  focus(name, part = '[data-open]') {
    const rows = [...this.#rows.children];
    const row = rows.find((one) => this.#entries.get(one).name === name) ?? rows[0];
    row?.querySelector(part)?.focus();
  }

  #build(entry) {
    const row = this.#template.content.firstElementChild.cloneNode(true);
    const { title, group, source } = entry.settings;
    const shown = title || entry.name;
    row.querySelector('[data-title]').textContent = shown;
    row.querySelector('[data-about]').textContent = [group, entry.name, source].filter(Boolean).join(' · ');
    row.querySelector('[data-problem]').textContent = entry.problem ? `Not in use: ${entry.problem}` : '';
    const mark = row.querySelector('[data-mark]');
    mark.hidden = entry.managed !== 'file';
    mark.textContent = capitalize(entry.place);
    const handle = row.querySelector('[data-handle]');
    handle.setAttribute('aria-label', `Move ${shown}`);
    handle.title = 'Drag to move, or press the arrow keys';
    handle.hidden = entry.problem !== null;
    this.#entries.set(row, entry);
    return row;
  }

  #refresh() {
    for (const [row, entry] of this.#entries) {
      row.dataset.status = entry.problem ? 'gone' : (this.#states.get(entry.name) ?? 'idle');
    }
  }

  #onClick(event) {
    const row = event.target.closest('.managed-row');
    if (!event.target.closest('[data-open]') || !row) return;
    this.dispatchEvent(new CustomEvent('open', { detail: { entry: this.#entries.get(row) } }));
  }

  #onKey(event) {
    if (event.key === 'Escape' && this.#drag) {
      event.preventDefault();
      event.stopPropagation();
      this.#cancel();
      return;
    }
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!by || !event.target.closest('[data-handle]')) return;
    event.preventDefault();
    const row = event.target.closest('.managed-row');
    const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
    if (!this.#isMovable(other)) return;
    if (by < 0) other.before(row);
    else other.after(row);
    // Moving an element in the document takes the keyboard focus from it.
    row.querySelector('[data-handle]').focus();
    this.#tell(row);
    this.#saveSoon();
  }

  #onDown(event) {
    const row = event.target.closest('[data-handle]')?.closest('.managed-row');
    if (!row || event.button !== 0 || !event.isPrimary) return;
    this.#drag = { row, id: event.pointerId, before: this.#names() };
    this.#rows.setPointerCapture(event.pointerId);
    row.toggleAttribute('data-dragged', true);
  }

  #onMove(event) {
    if (event.pointerId !== this.#drag?.id) return;
    const { row } = this.#drag;
    const others = [...this.#rows.children].filter((other) => other !== row && this.#isMovable(other));
    const after = others.findLast((other) => {
      const { top, height } = other.getBoundingClientRect();
      return top + height / 2 < event.clientY;
    });
    const next = after ? after.nextElementSibling : this.#rows.firstElementChild;
    if (next !== row && row.previousElementSibling !== (after ?? null)) this.#rows.insertBefore(row, next);
    row.scrollIntoView({ block: 'nearest' });
  }

  #drop() {
    const { row, before } = this.#drag;
    this.#release();
    row.querySelector('[data-handle]').focus();
    if (String(before) === String(this.#names())) return;
    this.#tell(row);
    this.#saveSoon();
  }

  #cancel() {
    if (!this.#drag) return;
    const { before } = this.#drag;
    this.#release();
    const position = (row) => before.indexOf(this.#entries.get(row).name);
    const rows = [...this.#rows.children].filter((row) => position(row) >= 0);
    this.#rows.prepend(...rows.sort((a, b) => position(a) - position(b)));
  }

  #release() {
    const { row, id } = this.#drag;
    this.#drag = null;
    row.removeAttribute('data-dragged');
    if (this.#rows.hasPointerCapture(id)) this.#rows.releasePointerCapture(id);
  }

  #isMovable(row) {
    return row instanceof Element && this.#entries.get(row).problem === null;
  }

  #names() {
    return [...this.#rows.children].filter((row) => this.#isMovable(row)).map((row) => this.#entries.get(row).name);
  }

  #tell(row) {
    const names = this.#names();
    const { name, settings } = this.#entries.get(row);
    const place = `${names.indexOf(name) + 1} of ${plural(names.length, 'camera')}`;
    this.#moved.textContent = `${settings.title || name}: ${place}`;
  }

  #saveSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.dispatchEvent(new CustomEvent('order', { detail: { names: this.#names() } }));
    }, SAVE_AFTER_MS);
  }
}
