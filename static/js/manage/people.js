/** The people tab: the lists, the form beside them, and the outcome of each change. */
import { ask } from '../bridge/api.js';
import { PeopleList } from './people-list.js';
import { PersonForm } from './person-form.js';
import { Secret } from './secret.js';
import { Toasts } from '../ui/toasts.js';

const PATH = 'api/admin/people';
const REFRESH_MS = 5000;

const NO_USERS = 'There are no users yet: everybody on the server’s machine may do everything. ' +
  'The first user is an admin, and everybody has to log in from then on.';

export class ManagePeople {
  #element;
  #list;
  #form;
  #secret;
  #toasts;
  #data = null;
  #timer = 0;

  /**
   * @param {import('./manage.js').Manage} manage
   * @param {HTMLElement} element
   * @param {HTMLDialogElement} confirm  Confirms a removal.
   * @param {HTMLElement} toasts  Shows the outcome of a change.
   * @param {HTMLTemplateElement} template  For a toast.
   */
  constructor(manage, element, confirm, toasts, template) {
    this.#element = element;
    this.#toasts = new Toasts(toasts, template);
    this.#list = new PeopleList(element);
    this.#form = new PersonForm(element.querySelector('[data-person-form]'));
    this.#secret = new Secret(element.querySelector('[data-secret]'));
    manage.addEventListener('show', ({ detail }) => this.#setShown(detail.tab === 'people'));
    manage.addEventListener('close', () => this.#setShown(false));
    for (const button of element.querySelectorAll('[data-add]')) {
      button.addEventListener('click', () => this.#open(button.dataset.add, null));
    }
    element.querySelector('[data-people-retry]').addEventListener('click', () => this.#load());
    this.#list.addEventListener('open', ({ detail }) => this.#open(detail.kind, detail.account));
    this.#list.addEventListener('remove', ({ detail }) => this.#confirm(confirm, 'token', detail.account));
    this.#form.addEventListener('remove', ({ detail }) => this.#confirm(confirm, detail.kind, detail.account));
    this.#form.addEventListener('cancel', () => this.#show('list'));
    this.#form.addEventListener('busy', ({ detail }) => this.#hold(detail.busy));
    this.#form.addEventListener('saved', ({ detail }) => this.#onSaved(detail));
    this.#secret.addEventListener('done', () => this.#show('list'));
  }

  #setShown(shown) {
    clearInterval(this.#timer);
    this.#timer = 0;
    if (!shown) return;
    this.#load();
    // Connections change by themselves.
    this.#timer = setInterval(() => document.hidden || this.#load(), REFRESH_MS);
  }

  async #load() {
    const { ok, data, message } = await ask('GET', PATH);
    this.#element.querySelector('[data-people-retry]').hidden = ok;
    this.#note(ok ? (data.open ? NO_USERS : '') : message);
    if (!ok) return;
    this.#data = data;
    this.#element.querySelector('[data-add="token"]').disabled = data.open;
    this.#list.show(data);
    this.#form.showNow(data.connections);
  }

  #note(text) {
    const note = this.#element.querySelector('[data-people-note]');
    note.hidden = text === '';
    if (note.textContent !== text) note.textContent = text;
  }

  async #open(kind, account) {
    const { ok, data, message } = await ask('GET', 'api/cameras');
    if (!ok || this.#data === null) {
      this.#toasts.show(message || 'The list of people has not loaded yet.', 'error');
      return;
    }
    const { connections: now, you, open: isFirst } = this.#data;
    this.#show('form');
    this.#form.open(kind, account, { cameras: data, now, you, isFirst });
  }

  /** @param {'list' | 'form' | 'secret'} view */
  #show(view) {
    const { name } = this.#form;
    this.#element.dataset.view = view === 'list' ? 'list' : 'form';
    this.#form.close();
    this.#secret.hide();
    if (view === 'list') this.#list.focus(name);
  }

  /** While the form's change is being sent, keep other forms from opening: the answer would close them. */
  #hold(held) {
    this.#element.querySelector('.managed-list').inert = held;
  }

  async #reload() {
    this.#hold(true);
    await this.#load();
    this.#hold(false);
  }

  async #onSaved({ kind, account, secret, message, isFirst }) {
    if (isFirst) {
      // This browser is logged in now, but the page was rendered for everybody.
      location.reload();
      return;
    }
    await this.#reload();
    if (secret) {
      this.#show('secret');
      this.#secret.show(kind, account, secret, message);
    } else {
      this.#show('list');
      this.#toasts.show(message);
    }
  }

  #confirm(dialog, kind, account) {
    const { name, embed } = account;
    const what = kind === 'user' ? name : `${embed ? 'the embed link' : 'the token'} ${name}`;
    dialog.querySelector('[data-title]').textContent = `Remove ${what}?`;
    dialog.querySelector('[data-text]').textContent = kind === 'user'
      ? 'They are logged out everywhere and cannot log in again. Changes they made to cameras stay.'
      : 'Whatever uses it is disconnected, and cannot connect again.';
    // Esc leaves the last return value, which must not count as a confirmation.
    dialog.returnValue = '';
    dialog.addEventListener('close', () => dialog.returnValue === 'remove' && this.#remove(kind, name), { once: true });
    dialog.showModal();
  }

  async #remove(kind, name) {
    this.#hold(true);
    const { ok, message } = await ask('DELETE', `${PATH}/${kind}s/${encodeURIComponent(name)}`);
    this.#hold(false);
    if (!ok) {
      this.#toasts.show(`${name} was not removed: ${message}`, 'error');
      return;
    }
    await this.#reload();
    // A token may be removed from the list beside an open form, which must stay.
    if (kind === 'user' || this.#element.dataset.view === 'list') this.#show('list');
    this.#toasts.show(`${name} was removed.`);
  }
}
