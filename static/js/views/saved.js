/** The saved views, shared and personal: kept by the server, or without a login by this browser. */
import { ask } from '../bridge/api.js';
import { capitalize } from '../ui/format.js';
import { recall, remember } from '../ui/preferences.js';
import { NONE, addView, changeView, checkKept, removeView } from './local.js';

/**
 * @typedef {object} SavedView
 * @property {string} id
 * @property {string} name
 * @property {string} query  Of the address that shows it, without the question mark.
 *
 * @typedef {object} FromServer
 * @property {SavedView[]} own
 * @property {SavedView[]} shared
 * @property {string | null} default
 * @property {boolean} keeps_own  Whether the server keeps this person's own views.
 * @property {boolean} may_share  Whether this person may change shared views.
 */

const PATH = 'api/views';
const KEY = 'views';

/** Event: `change`. */
export class SavedViews extends EventTarget {
  /** @type {FromServer} */
  #server;

  /** @param {FromServer | null} server  Null if there are none, as when embedded in another page. */
  constructor(server) {
    super();
    this.#server = server ?? { own: [], shared: [], default: null, keeps_own: true, may_share: false };
    // Another tab of this browser has changed them.
    window.addEventListener('storage', ({ key }) => key?.endsWith(`.${KEY}`) && this.#emit());
  }

  /** @returns {SavedView[]} */
  get own() {
    return this.#server.keeps_own ? this.#server.own : this.#kept.views;
  }

  /** @returns {SavedView[]} */
  get shared() {
    return this.#server.shared;
  }

  get all() {
    return [...this.own, ...this.shared];
  }

  get mayShare() {
    return this.#server.may_share;
  }

  get isKeptHere() {
    return !this.#server.keeps_own;
  }

  /** The view to show at the start. @returns {SavedView | null} */
  get default() {
    const id = this.#server.keeps_own ? this.#server.default : this.#kept.default;
    return this.find(id);
  }

  /** @param {string | null} id @returns {SavedView | null} */
  find(id) {
    return this.all.find((view) => view.id === id) ?? null;
  }

  /** @param {SavedView} view */
  isShared(view) {
    return this.shared.some(({ id }) => id === view.id);
  }

  /** Load the server's views again. */
  async refresh() {
    const { ok, data } = await ask('GET', PATH);
    if (!ok || JSON.stringify(data) === JSON.stringify(this.#server)) return;
    this.#server = data;
    this.#emit();
  }

  /**
   * @param {{name: string, query: string, shared: boolean, id?: string, at?: number}} values
   * @returns {Promise<string>} What is wrong; empty if it was added.
   */
  async add({ shared, ...values }) {
    if (shared || this.#server.keeps_own) return this.#send('POST', PATH, { ...values, shared });
    return this.#keep(addView(this.#kept, { id: crypto.getRandomValues(new Uint32Array(2)).join('-'), ...values }));
  }

  /**
   * @param {SavedView} view
   * @param {{name?: string, query?: string, at?: number}} values
   * @returns {Promise<string>} What is wrong; empty if it was changed.
   */
  async change(view, values) {
    if (this.#isOnServer(view)) return this.#send('PATCH', `${PATH}/${view.id}`, values);
    return this.#keep(changeView(this.#kept, view.id, values));
  }

  /** @param {SavedView} view @returns {Promise<string>} What is wrong; empty if it was removed. */
  async remove(view) {
    if (this.#isOnServer(view)) return this.#send('DELETE', `${PATH}/${view.id}`);
    return this.#keep({ kept: removeView(this.#kept, view.id), view });
  }

  /** @param {SavedView | null} view @returns {Promise<string>} What is wrong; empty if it is the default now. */
  async chooseDefault(view) {
    const id = view?.id ?? null;
    if (this.#server.keeps_own) return this.#send('PATCH', PATH, { default: id });
    return this.#keep({ kept: { ...this.#kept, default: id }, view });
  }

  #isOnServer(view) {
    return this.#server.keeps_own || this.isShared(view);
  }

  get #kept() {
    return recall(KEY, checkKept, NONE);
  }

  #keep(outcome) {
    if ('wrong' in outcome) return outcome.wrong;
    remember(KEY, outcome.kept);
    this.#emit();
    return '';
  }

  async #send(method, path, body) {
    const { ok, data, message } = await ask(method, path, { body });
    if (!ok) return capitalize(Object.values(data?.fields ?? {})[0] ?? message);
    await this.refresh();
    return '';
  }

  #emit() {
    this.dispatchEvent(new CustomEvent('change'));
  }
}
