/** The cameras tab: the list, the form beside it, and the outcome of each change. */
import { ask } from '../bridge/api.js';
import { CameraForm } from './camera-form.js';
import { CameraList } from './camera-list.js';
import { Toasts } from '../ui/toasts.js';

const PATH = 'api/admin/cameras';

export class ManageCameras {
  #element;
  #list;
  #form;
  #toasts;
  #own;
  /** @type {import('./camera-list.js').Entry[]} */
  #entries = [];
  #shown = false;

  /**
   * @param {import('./manage.js').Manage} manage
   * @param {HTMLElement} element
   * @param {HTMLElement} toasts  Shows the outcome of a change.
   * @param {HTMLTemplateElement} template  For a toast.
   * @param {import('../insight/own-actions.js').OwnActions} own
   */
  constructor(manage, element, toasts, template, own) {
    this.#element = element;
    this.#own = own;
    this.#list = new CameraList(element.querySelector('[data-rows]'), element.querySelector('[data-moved]'));
    this.#form = new CameraForm(element.querySelector('[data-form]'), (...what) => this.#change(...what));
    this.#toasts = new Toasts(toasts, template);
    manage.addEventListener('show', ({ detail }) => {
      this.#shown = detail.tab === 'cameras';
      if (this.#shown) this.#load();
    });
    manage.addEventListener('close', () => {
      this.#shown = false;
    });
    element.querySelector('[data-add]').addEventListener('click', () => this.#openForm(null));
    element.querySelector('[data-list-retry]').addEventListener('click', () => this.#load());
    this.#list.addEventListener('open', ({ detail }) => this.#openForm(detail.entry));
    this.#list.addEventListener('order', ({ detail }) => this.#order(detail.names));
    this.#form.addEventListener('cancel', () => this.#closeForm());
    this.#form.addEventListener('busy', ({ detail }) => this.#hold(detail.busy));
    this.#form.addEventListener('saved', ({ detail }) => this.#onSaved(detail));
    this.#form.addEventListener('remove', ({ detail }) => this.#remove(detail.entry));
  }

  /** Reload: the server has other cameras or another order. */
  refresh() {
    if (this.#shown && !this.#list.isMoving) this.#load();
  }

  /** @param {Map<string, string>} states  The tiles' states, by camera name. */
  setStates(states) {
    if (this.#shown) this.#list.setStates(states);
  }

  async #load() {
    this.#form.prepare(); // Now, so that it opens without delay.
    const { ok, data, message } = await ask('GET', PATH);
    this.#element.querySelector('[data-list-retry]').hidden = ok;
    if (!ok) {
      this.#note(message);
      return;
    }
    this.#entries = data.cameras;
    this.#element.querySelector('[data-add]').disabled = !data.available;
    this.#note(
      data.available
        ? data.cameras.length === 0 ? 'There is no camera yet.' : ''
        : 'This server shows the cameras of other nodes. Add cameras there.',
    );
    if (!this.#list.isMoving) this.#list.show(data.cameras);
    // An empty list has nothing else to offer.
    if (data.available && data.cameras.length === 0 && this.#element.dataset.view === 'list') this.#openForm(null);
  }

  #note(text) {
    const note = this.#element.querySelector('[data-list-note]');
    note.hidden = text === '';
    note.textContent = text;
  }

  async #openForm(entry) {
    const wrong = await this.#form.prepare();
    if (wrong) {
      this.#toasts.show(wrong, 'error');
      return;
    }
    this.#element.dataset.view = 'form';
    this.#form.open(entry, this.#entries);
  }

  #closeForm(name = '') {
    this.#element.dataset.view = 'list';
    this.#form.close();
    if (this.#entries.length > 0) this.#list.focus(name);
    else this.#element.querySelector('[data-add]').focus();
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

  async #onSaved({ entry, added }) {
    const title = entry.settings.title || entry.name;
    await this.#reload();
    this.#closeForm(entry.name);
    this.#toasts.show(added ? `${title} was added.` : `${title} was saved.`);
  }

  async #remove(entry) {
    this.#hold(true);
    const { ok, data, message } = await this.#change('DELETE', `${PATH}/${entry.name}`, { match: entry.revision }, entry.name);
    this.#hold(false);
    const title = entry.settings.title || entry.name;
    if (!ok) {
      this.#toasts.show(`${title} was not removed: ${message}`, 'error');
      await this.#load();
      return;
    }
    this.#element.dataset.view = 'list';
    await this.#reload();
    if (this.#element.dataset.view === 'list') this.#closeForm();
    const act = () => this.#undo(data.undo, entry.name, title);
    this.#toasts.show(`${title} was removed.`, 'info', { stays: true, action: { word: 'Undo', act } });
  }

  async #undo(undo, name, title) {
    const { ok, data, message } = await this.#change('POST', `${PATH}/undo`, { body: { undo } }, name);
    if (!ok) {
      const action = { word: 'Try again', act: () => this.#undo(undo, name, title) };
      this.#toasts.show(`${title} was not brought back: ${message}`, 'error', { stays: true, action });
      return;
    }
    await this.#load();
    // Not if the form of another camera is open by now.
    if (this.#element.dataset.view === 'list') this.#list.focus(data.name);
    this.#toasts.show(`${title} is back.`);
  }

  async #order(names) {
    const { ok, message } = await this.#change('POST', `${PATH}/order`, { body: { names } });
    if (ok) return;
    this.#toasts.show(`The order was not saved: ${message}`, 'error');
    this.#load();
  }

  #change(method, path, options, camera) {
    return this.#own.run(camera, () => ask(method, path, options));
  }
}
