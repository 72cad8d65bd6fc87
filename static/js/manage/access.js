/** The tab where admins choose how others reach the server, beginning with creating the first admin. */
import { ask } from '../bridge/api.js';
import { showFieldErrors } from './fields.js';
import { make } from '../ui/dom.js';
import { recall, remember } from '../ui/preferences.js';

const PATH = 'api/admin/access';
const NETWORK = '0.0.0.0';
const LOOPBACK = '127.0.0.1';
const DISMISSED = 'offer-dismissed';

/**
 * Offer the set-up on a server without users, until somebody dismisses the offer.
 *
 * @param {HTMLElement} element
 */
export function setUpOffer(element) {
  element.hidden = recall(DISMISSED, (value) => value === true, false);
  element.querySelector('[data-dismiss]').addEventListener('click', () => {
    element.hidden = true;
    remember(DISMISSED, true);
  });
}

export class ManageAccess {
  #element;
  #where;
  #known = null;

  /** @param {import('./manage.js').Manage} manage @param {HTMLElement} element */
  constructor(manage, element) {
    this.#element = element;
    this.#where = element.querySelector('[data-where-form]');
    manage.addEventListener('show', ({ detail }) => detail.tab === 'access' && this.#load());
    const first = element.querySelector('[data-first-form]');
    first.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#createAdmin(first);
    });
    this.#where.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#apply();
    });
    this.#where.addEventListener('change', () => this.#showPlaces());
  }

  async #load() {
    const { ok, data, message } = await ask('GET', PATH);
    this.#note(ok ? '' : message);
    if (!ok) return;
    this.#known = data;
    this.#find('[data-first]').hidden = data.users;
    this.#find('[data-number]').hidden = data.users;
    this.#find('[data-where]').hidden = false;
    this.#find('[data-failed]').hidden = !data.failed;
    this.#find('[data-failed]').textContent = data.failed ? `The last change was undone: ${data.failed}` : '';
    const { host, tls } = this.#where.elements;
    for (const input of host) {
      input.disabled = 'host' in data.fixed || (input.value === NETWORK && !data.users);
      input.checked = input.value === data.host;
    }
    this.#find('[data-fixed-host]').textContent = 'host' in data.fixed ? `${data.host} is set ${data.fixed.host}; change it there.` : '';
    this.#find('[data-tls-choice]').hidden = !('tls' in data);
    tls.checked = data.tls === 'auto';
    tls.disabled = 'tls' in data.fixed;
    this.#find('[data-fixed-tls]').textContent = 'tls' in data.fixed ? `Encryption is set ${data.fixed.tls}; change it there.` : '';
    this.#find('[data-apply]').disabled = !data.users || ('host' in data.fixed && (!('tls' in data) || 'tls' in data.fixed));
    this.#showPlaces();
  }

  /** The choice in the form. */
  get #choice() {
    const { host, tls } = this.#where.elements;
    const values = {};
    if (!('host' in this.#known.fixed)) values.host = host.value || LOOPBACK;
    if ('tls' in this.#known && !('tls' in this.#known.fixed)) values.tls = tls.checked ? 'auto' : 'off';
    return values;
  }

  #showPlaces() {
    const { addresses, port, fixed, host, tls } = this.#known;
    const chosen = { host, tls, ...this.#choice };
    const isOpen = chosen.host === NETWORK;
    const scheme = chosen.tls === 'auto' ? 'https' : 'http';
    const hosts = isOpen ? addresses.filter((one) => !one.includes(':')) : ['localhost'];
    this.#find('[data-places-section]').hidden = 'host' in fixed;
    this.#find('[data-places-note]').textContent = isOpen
      ? hosts.length > 0 ? 'From another device, open one of these.' : 'This machine is not connected to a network.'
      : 'Only this machine can open it.';
    this.#find('[data-places]').replaceChildren(...hosts.map((one) => {
      const item = make('li');
      const link = /** @type {HTMLAnchorElement} */ (make('a', '', `${scheme}://${one}:${port || location.port}/`));
      link.href = link.textContent;
      item.append(link);
      return item;
    }));
  }

  async #createAdmin(form) {
    const [name, password] = [form.elements.name.value.trim(), form.elements.password.value];
    if (!password) {
      showFieldErrors(form, { password: 'Choose a password to log in with.' });
      return;
    }
    const body = { name, role: 'admin', cameras: null, password };
    const { ok, data, message } = await ask('POST', 'api/admin/people/users', { body });
    // This browser is logged in now, but the page was rendered for everybody.
    if (ok) location.reload();
    else showFieldErrors(form, data?.fields ?? {}, message);
  }

  async #apply() {
    const button = this.#find('[data-apply]');
    button.disabled = true;
    const { ok, data, message } = await ask('POST', PATH, { body: this.#choice });
    button.disabled = false;
    showFieldErrors(this.#where, {}, ok ? '' : message);
    if (!ok) return;
    this.#note(data.restarts ? 'The server is restarting. Open it at one of the addresses below.' : 'Nothing has changed.');
    this.#find('[data-where]').hidden = data.restarts;
    this.#find('#access-places').focus();
  }

  #note(text) {
    this.#find('[data-note]').hidden = text === '';
    this.#find('[data-note]').textContent = text;
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }
}
