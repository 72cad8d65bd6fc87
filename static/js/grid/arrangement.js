/**
 * Holds which cameras are shown, in which order, and how many at a time. Uses no DOM.
 *
 * @typedef {{name: string, title: string, group: string, condition: import('../camera/condition.js').Condition}} Named
 *   `group` is empty for none.
 * @typedef {'auto' | '1' | '2x2' | '3x3'} Layout
 * @typedef {'all' | 'running' | 'trouble' | 'stopped'} State
 */
import { TROUBLE } from '../camera/condition.js';
import { byGroup, inOrder, keepAbsent, moveBefore } from './order.js';
import { recall, remember } from '../ui/preferences.js';

export const LAYOUTS = /** @type {const} */ (['auto', '1', '2x2', '3x3']);
export const LAYOUT_NAMES = { auto: 'Automatic', 1: 'One at a time', '2x2': 'Two by two', '3x3': 'Three by three' };
export const STATES = /** @type {const} */ (['all', 'running', 'trouble', 'stopped']);

const MAX_NAMES = 1000;
const STOPPED = new Set(['stopped', 'ended']);

/** Event: `change` after any change. */
export class Arrangement extends EventTarget {
  #layout = recall('layout', (value) => (LAYOUTS.includes(value) ? value : null), 'auto');
  #order = recall('order', checkNames, []);
  // What this browser remembers; the address may override it.
  #ownLayout = this.#layout;
  #ownOrder = this.#order;
  #only = null;
  #page = 1;
  #text = '';
  #state = 'all';
  // Empty for all.
  #group = '';
  #grouped = recall('grouped', (value) => (value === true ? true : null), false);
  #ownGrouped = this.#grouped;

  /** @returns {Layout} */
  get layout() {
    return this.#layout;
  }

  /** Columns of a page, which has as many rows; 0 if tiles are packed by their aspect ratios. */
  get columns() {
    return { auto: 0, 1: 1, '2x2': 2, '3x3': 3 }[this.#layout];
  }

  get perPage() {
    return this.columns ** 2 || Infinity;
  }

  /** Counts from 1; may be past the last page. */
  get page() {
    return this.#page;
  }

  get text() {
    return this.#text;
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** The only group shown; empty for all. */
  get group() {
    return this.#group;
  }

  /** Whether cameras are sorted by group. */
  get grouped() {
    return this.#grouped;
  }

  get filtered() {
    return this.#text !== '' || this.#state !== 'all' || this.#group !== '';
  }

  /** Whether cameras were moved. */
  get ordered() {
    return this.#order.length > 0;
  }

  /** Names in order, all others after them; empty if no camera was moved. @returns {readonly string[]} */
  get order() {
    return this.#order;
  }

  /** What differs from what this browser remembers, for the address; null where nothing does. */
  get foreign() {
    const layout = this.#layout === 'auto' && this.#ownLayout === 'auto' ? null : this.#layout;
    const order = String(this.#order) === String(this.#ownOrder) ? null : this.#order;
    return { layout, order, grouped: this.#grouped === this.#ownGrouped ? null : this.#grouped };
  }

  /** The names a kiosk is limited to; null for all. @returns {string[] | null} */
  get only() {
    return this.#only;
  }

  /** @param {Layout} layout */
  chooseLayout(layout) {
    this.#ownLayout = layout;
    remember('layout', layout === 'auto' ? null : layout);
    this.show({ layout, page: 1 });
  }

  /** @param {boolean} grouped */
  chooseGrouped(grouped) {
    this.#ownGrouped = grouped;
    remember('grouped', grouped || null);
    this.show({ grouped });
  }

  /**
   * Apply what the address says, without remembering it.
   *
   * @param {{layout?: Layout | null, page?: number, text?: string, state?: State, group?: string,
   *   grouped?: boolean | null, order?: string[] | null}} shown
   */
  show({ layout, page, text, state, group, grouped, order }) {
    const before = this.#all;
    if (LAYOUTS.includes(layout)) this.#layout = layout;
    if (STATES.includes(state)) this.#state = state;
    this.#group = group ?? this.#group;
    this.#grouped = grouped ?? this.#grouped;
    if (order) this.#order = order.slice(0, MAX_NAMES);
    this.#text = text ?? this.#text;
    this.#page = Math.max(1, page ?? this.#page);
    if (this.#all !== before) this.#emitChange();
  }

  /** Show only these cameras (empty: all) in this order, ignoring what is remembered. @param {string[]} names */
  limit(names) {
    this.#only = names.length > 0 ? names : null;
    this.#order = this.#ownOrder = names;
    this.#layout = this.#ownLayout = 'auto';
    this.#emitChange();
  }

  /** @param {Named[]} cameras  All of them. @param {string} name @param {string | null} before */
  move(cameras, name, before) {
    const names = inOrder(this.#order, cameras.map((camera) => camera.name));
    this.#order = keepAbsent(this.#order, moveBefore(names, name, before)).slice(0, MAX_NAMES);
    this.#ownOrder = this.#order;
    remember('order', this.#order);
    this.#emitChange();
  }

  /** Return to the server's order. */
  resetOrder() {
    this.#order = this.#ownOrder = [];
    remember('order', null);
    this.#emitChange();
  }

  /**
   * Return the shown cameras of all pages, in order.
   *
   * @template {Named} T
   * @param {T[]} cameras
   * @returns {T[]}
   */
  pick(cameras) {
    const byName = new Map(cameras.map((camera) => [camera.name, camera]));
    const ordered = inOrder(this.#order, [...byName.keys()]).map((name) => byName.get(name));
    return (this.#grouped ? byGroup(ordered) : ordered).filter((camera) => this.#passes(camera));
  }

  /** @param {Named} camera @returns {State} other than `all` */
  static stateOf({ condition }) {
    if (TROUBLE.has(condition)) return 'trouble';
    return STOPPED.has(condition) ? 'stopped' : 'running';
  }

  get #all() {
    return [this.#layout, this.#page, this.#text, this.#state, this.#group, this.#grouped, this.#order].join('\n');
  }

  #passes(camera) {
    if (this.#only !== null && !this.#only.includes(camera.name)) return false;
    if (this.#state !== 'all' && Arrangement.stateOf(camera) !== this.#state) return false;
    if (this.#group !== '' && camera.group !== this.#group) return false;
    const words = this.#text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const searched = `${camera.title}\n${camera.name}\n${camera.group}`.toLocaleLowerCase();
    return words.every((word) => searched.includes(word));
  }

  #emitChange() {
    this.dispatchEvent(new CustomEvent('change'));
  }
}

function checkNames(value) {
  const valid = Array.isArray(value) && value.every((name) => typeof name === 'string');
  return valid ? value.slice(0, MAX_NAMES) : null;
}
