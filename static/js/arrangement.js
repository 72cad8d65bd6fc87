/**
 * Which cameras are shown, in which order, and how many at a time. Knows no document.
 *
 * @typedef {{name: string, title: string, condition: import('./condition.js').Condition}} Named
 */
import { TROUBLE } from './condition.js';
import { GROUPS, LAYOUTS } from './deeplink.js';
import { inOrder, keepAbsent, moveBefore } from './order.js';
import { recall, remember } from './preferences.js';

const MOST_NAMES = 1000;
const STOPPED = new Set(['stopped', 'ended']);

/** Event: `change` when anything of it did. */
export class Arrangement extends EventTarget {
  #layout = recall('layout', (value) => (LAYOUTS.includes(value) ? value : null), 'auto');
  #order = recall('order', checkNames, []);
  #only = null;
  #page = 1;
  #text = '';
  #group = 'all';

  /** @returns {import('./deeplink.js').Layout} */
  get layout() {
    return this.#layout;
  }

  /** Columns, and rows, of a page; 0 where tiles are packed by their pictures. */
  get columns() {
    return { auto: 0, 1: 1, '2x2': 2, '3x3': 3 }[this.#layout];
  }

  get perPage() {
    return this.columns ** 2 || Infinity;
  }

  /** Counts from 1; may be past the last one. */
  get page() {
    return this.#page;
  }

  get text() {
    return this.#text;
  }

  /** @returns {import('./deeplink.js').Group} */
  get group() {
    return this.#group;
  }

  get filtered() {
    return this.#text !== '' || this.#group !== 'all';
  }

  /** Somebody moved a camera. */
  get ordered() {
    return this.#order.length > 0;
  }

  /** The names a kiosk is limited to; null for all. @returns {string[] | null} */
  get only() {
    return this.#only;
  }

  /** @param {import('./deeplink.js').Layout} layout */
  chooseLayout(layout) {
    remember('layout', layout === 'auto' ? null : layout);
    this.show({ layout, page: 1 });
  }

  /**
   * Take what an address says, without remembering it.
   *
   * @param {{layout?: import('./deeplink.js').Layout | null, page?: number, text?: string,
   *   group?: import('./deeplink.js').Group}} shown
   */
  show({ layout, page, text, group }) {
    const before = [this.#layout, this.#page, this.#text, this.#group].join('\n');
    if (LAYOUTS.includes(layout)) this.#layout = layout;
    if (GROUPS.includes(group)) this.#group = group;
    this.#text = text ?? this.#text;
    this.#page = Math.max(1, page ?? this.#page);
    if ([this.#layout, this.#page, this.#text, this.#group].join('\n') !== before) this.#tell();
  }

  /** Show these cameras and no others (none: all), in this order, whatever is remembered. @param {string[]} names */
  limit(names) {
    this.#only = names.length > 0 ? names : null;
    this.#order = names;
    this.#layout = 'auto';
    this.#tell();
  }

  /** @param {Named[]} cameras  All there are. @param {string} name @param {string | null} before */
  move(cameras, name, before) {
    const names = inOrder(this.#order, cameras.map((camera) => camera.name));
    this.#order = keepAbsent(this.#order, moveBefore(names, name, before)).slice(0, MOST_NAMES);
    remember('order', this.#order);
    this.#tell();
  }

  /** Back to the order in which the server tells them. */
  resetOrder() {
    this.#order = [];
    remember('order', null);
    this.#tell();
  }

  /**
   * Those that are shown, in their order, over all pages.
   *
   * @template {Named} T
   * @param {T[]} cameras
   * @returns {T[]}
   */
  pick(cameras) {
    const byName = new Map(cameras.map((camera) => [camera.name, camera]));
    return inOrder(this.#order, [...byName.keys()])
      .map((name) => byName.get(name))
      .filter((camera) => this.#admits(camera));
  }

  /** @param {Named} camera @returns {import('./deeplink.js').Group} other than `all` */
  static groupOf({ condition }) {
    if (TROUBLE.has(condition)) return 'trouble';
    return STOPPED.has(condition) ? 'stopped' : 'running';
  }

  #admits(camera) {
    if (this.#only !== null && !this.#only.includes(camera.name)) return false;
    if (this.#group !== 'all' && Arrangement.groupOf(camera) !== this.#group) return false;
    const words = this.#text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const called = `${camera.title}\n${camera.name}`.toLocaleLowerCase();
    return words.every((word) => called.includes(word));
  }

  #tell() {
    this.dispatchEvent(new CustomEvent('change'));
  }
}

function checkNames(value) {
  const valid = Array.isArray(value) && value.every((name) => typeof name === 'string');
  return valid ? value.slice(0, MOST_NAMES) : null;
}
