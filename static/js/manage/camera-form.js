/** The form of one camera, new or known. */
import { ask } from '../bridge/api.js';
import { Field } from './fields.js';
import { Found } from './found.js';
import { suggestName, nameFromSource } from './naming.js';
import { Trial } from './trial.js';
import { capitalize } from '../ui/format.js';

const PATH = 'api/admin/cameras';
const MAIN = ['name', 'title', 'group'];
// What can be changed for a camera from the settings file.
const EDITABLE = ['title', 'group'];

/** Events: `busy` ({busy}), `saved` ({entry, added}), `remove` ({entry}) and `cancel`. */
export class CameraForm extends EventTarget {
  #form;
  #change;
  #source;
  #sourceWrong;
  #found;
  #trial;
  /** @type {Map<string, Field>} */
  #fields = new Map();
  /** @type {import('./camera-list.js').Entry | null} */
  #entry = null;
  #taken = [];
  #groups = [];
  // Whether somebody typed a name; until then one is suggested.
  #named = false;

  /**
   * @param {HTMLFormElement} form
   * @param {(method: string, path: string, options: object, camera: string) => Promise<import('../bridge/api.js').Answer>} change
   *   Sends a change of a camera.
   */
  constructor(form, change) {
    super();
    this.#form = form;
    this.#change = change;
    this.#source = form.elements.namedItem('source');
    this.#sourceWrong = form.querySelector('[data-wrong="source"]');
    this.#found = new Found(form.querySelector('[data-found]'));
    const trial = form.querySelector('[data-trial]');
    this.#trial = new Trial(trial, trial.querySelector('img'), trial.querySelector('figcaption'));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#save();
    });
    form.querySelector('[data-try]').addEventListener('click', () => this.#try());
    form.querySelector('[data-remove]').addEventListener('click', () => this.#emit('remove', { entry: this.#entry }));
    form.querySelector('[data-take-theirs]').addEventListener('click', () => this.#fill(this.#entry));
    for (const button of form.querySelectorAll('[data-cancel]')) {
      button.addEventListener('click', () => this.#emit('cancel', {}));
    }
    this.#source.addEventListener('input', () => {
      this.#trial.clear();
      this.#suggest(nameFromSource(this.#source.value.trim()));
    });
    this.#found.addEventListener('use', ({ detail: { source, words } }) => this.#use(source, words));
  }

  /**
   * @param {import('./camera-list.js').Entry | null} entry  Null for a new camera.
   * @param {import('./camera-list.js').Entry[]} all  Every camera.
   */
  open(entry, all) {
    this.#taken = all.map(({ name }) => name);
    this.#groups = all.map(({ settings }) => settings.group).filter(Boolean);
    this.#form.hidden = false;
    this.#fill(entry);
    if (entry === null) this.#found.show();
    else this.#found.hide();
    this.#form.querySelector('[data-form-title]').focus();
  }

  close() {
    this.#trial.clear();
    this.#form.hidden = true;
  }

  /** Load the schema of the settings once, before the form opens. @returns {Promise<string>} why that failed; else empty */
  async prepare() {
    if (this.#fields.size > 0) return '';
    const { ok, data, message } = await ask('GET', `${PATH}/schema`);
    if (!ok) return message;
    if (this.#fields.size > 0) return '';
    this.#form.querySelector('#managed-source-help').textContent = `Accepted: ${data.properties.source.accepted}`;
    for (const [name, property] of Object.entries(data.properties)) {
      if (name === 'source') continue;
      const field = new Field(name, property);
      this.#fields.set(name, field);
      this.#form.querySelector(MAIN.includes(name) ? '[data-main-fields]' : '[data-more-fields]').append(field.element);
    }
    // In the order people fill them in.
    this.#form.querySelector('[data-main-fields]').append(...MAIN.map((name) => this.#fields.get(name).element));
    this.#fields.get('name').input.addEventListener('input', () => {
      this.#named = true;
    });
    return '';
  }

  #fill(entry) {
    this.#entry = entry;
    this.#named = entry !== null;
    const settings = entry?.settings ?? {};
    const ofFile = entry?.managed === 'file';
    this.#form.querySelector('[data-form-title]').textContent =
      entry === null ? 'Add a camera' : settings.title || entry.name;
    this.#source.value = settings.source ?? '';
    for (const [name, field] of this.#fields) {
      field.value = settings[name];
      field.element.hidden = ofFile && !EDITABLE.includes(name);
    }
    this.#fields.get('group').suggest(this.#groups);
    this.#form.querySelector('[data-source-field]').hidden = ofFile;
    this.#form.querySelector('[data-more]').hidden = ofFile;
    this.#form.querySelector('[data-remove]').hidden = entry === null || ofFile;
    this.#form.querySelector('[data-save]').textContent = entry === null ? 'Add' : 'Save';
    this.#trial.clear();
    this.#setWrong({});
    const where = entry?.place === 'command line' ? 'on the command line' : `in the ${entry?.place}`;
    this.#alert(ofFile ? `This camera is defined ${where}; everything else is changed there.` : '');
    this.#form.querySelector('[data-take-theirs]').hidden = true;
  }

  #use(source, words) {
    this.#source.value = source;
    this.#suggest(words);
    this.#source.focus();
    this.#try();
  }

  #suggest(words) {
    if (this.#named) return;
    this.#fields.get('name').value = words ? suggestName(words, this.#taken) : '';
  }

  async #try() {
    const button = this.#form.querySelector('[data-try]');
    const how = Object.fromEntries(['transport', 'verify'].map((name) => [name, this.#fields.get(name).value]));
    button.disabled = true;
    const camera = this.#entry?.name;
    const answer = await this.#trial.run({ source: this.#source.value.trim(), ...how, ...(camera && { camera }) });
    button.disabled = false;
    this.#setWrong({ source: answer.data?.fields?.source });
  }

  #values() {
    const values = Object.fromEntries([...this.#fields].map(([name, field]) => [name, field.value]));
    if (this.#entry?.managed === 'file') {
      return Object.fromEntries(EDITABLE.map((name) => [name, values[name]]));
    }
    return { ...values, source: this.#source.value.trim() || null };
  }

  async #save() {
    const entry = this.#entry;
    this.#setBusy(true);
    this.#alert('');
    const body = this.#values();
    const name = entry?.name ?? body.name;
    const answer = entry === null
      ? await this.#change('POST', PATH, { body }, name)
      : await this.#change('PUT', `${PATH}/${name}`, { body, match: entry.revision }, name);
    this.#setBusy(false);
    const { ok, data, message } = answer;
    if (ok) {
      this.#emit('saved', { entry: data, added: entry === null });
      return;
    }
    const fields = data?.fields ?? {};
    this.#setWrong(fields);
    if (data?.error === 'conflict') this.#conflict(data.camera, message);
    else this.#alert(Object.keys(fields).length > 0 ? 'Not saved. Check the fields below.' : capitalize(message));
  }

  #conflict(current, message) {
    // Keep what was typed; saving again would replace the other change.
    if (current) this.#entry = current;
    this.#alert(`${capitalize(message)}. ${current ? 'Save again to replace that.' : 'Copy what you need, then cancel.'}`);
    this.#form.querySelector('[data-take-theirs]').hidden = !current;
  }

  #setWrong(fields) {
    this.#sourceWrong.textContent = capitalize(fields.source ?? '');
    if (fields.source) this.#source.setAttribute('aria-invalid', 'true');
    else this.#source.removeAttribute('aria-invalid');
    for (const [name, field] of this.#fields) field.setWrong(fields[name]);
    const more = this.#form.querySelector('[data-more]');
    if (Object.keys(fields).some((name) => this.#fields.has(name) && !MAIN.includes(name))) more.open = true;
    this.#form.querySelector('[aria-invalid]')?.focus();
  }

  #alert(text) {
    this.#form.querySelector('[data-form-alert]').hidden = text === '';
    this.#form.querySelector('[data-form-message]').textContent = text;
  }

  #setBusy(busy) {
    this.#form.toggleAttribute('data-busy', busy);
    this.#form.querySelector('[data-save]').disabled = busy;
    this.#form.querySelector('[data-remove]').disabled = busy;
    this.#emit('busy', { busy });
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
