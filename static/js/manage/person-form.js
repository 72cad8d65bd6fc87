/** The form of one user or token, new or known. */
import { ask } from '../bridge/api.js';
import { showFieldErrors } from './fields.js';
import { describeConnection } from './people-list.js';
import { make } from '../ui/dom.js';

const PATH = 'api/admin/people';
const MADE = 'Leave empty to generate one; it is shown once.';

/** Events: `busy` ({busy}), `saved` ({kind, account, secret, message, isFirst}), `remove` ({kind, account}) and `cancel`. */
export class PersonForm extends EventTarget {
  #form;
  /** @type {'user' | 'token'} */
  #kind = 'user';
  /** @type {import('./people-list.js').Account | null} */
  #account = null;
  #isFirst = false;

  /** @param {HTMLFormElement} form */
  constructor(form) {
    super();
    this.#form = form;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#save();
    });
    form.addEventListener('change', () => this.#refresh());
    for (const button of form.querySelectorAll('[data-cancel]')) {
      button.addEventListener('click', () => this.#emit('cancel', {}));
    }
    this.#on('[data-remove]', () => this.#emit('remove', { kind: this.#kind, account: this.#account }));
    this.#on('[data-set-password]', () => this.#setPassword());
    this.#on('[data-sign-out]', () => this.#signOut());
  }

  /** Name of the account that is or was last in the form. */
  get name() {
    return this.#account?.name ?? '';
  }

  /**
   * @param {'user' | 'token'} kind
   * @param {import('./people-list.js').Account | null} account  Null for a new one.
   * @param {object} about
   * @param {{name: string, title: string}[]} about.cameras  All cameras.
   * @param {import('./people-list.js').Connection[]} about.now  All connections.
   * @param {string | null} about.you  The admin's name.
   * @param {boolean} about.isFirst  Whether there are no users yet.
   */
  open(kind, account, { cameras, now, you, isFirst }) {
    this.#kind = kind;
    this.#account = account;
    this.#isFirst = isFirst;
    this.#form.reset();
    this.#form.hidden = false;
    showFieldErrors(this.#form, {});
    const isNew = account === null;
    const isYou = !isNew && account.name === you;
    this.#find('[data-title]').textContent = isNew ? (kind === 'user' ? 'Add a user' : 'Add a token') : account.name;
    this.#find('[data-role-legend]').textContent = kind === 'user' ? 'Role' : 'What it may do';
    this.#find('[data-part="name"]').hidden = !isNew && kind === 'user';
    this.#form.elements.name.value = account?.name ?? '';
    this.#find('[data-part="password"]').hidden = kind === 'token' || isYou;
    this.#find('[data-password-label]').textContent = isNew ? 'Password' : 'New password';
    this.#find('[data-password-help]').textContent = isFirst ? 'At least 8 characters.' : `At least 8 characters. ${MADE}`;
    this.#find('[data-set-password]').hidden = isNew;
    // The admin's own password is hidden; one for somebody else has to be read.
    this.#form.elements.password.type = isFirst ? 'password' : 'text';
    this.#form.elements.password.autocomplete = isFirst ? 'new-password' : 'off';
    this.#find('[data-part="sign-out"]').hidden = isNew || kind === 'token';
    this.showNow(now);
    this.#find('[data-remove]').hidden = isNew;
    this.#find('[data-save]').textContent = isNew ? 'Add' : 'Save';
    const isEmbed = account?.embed === true;
    this.#find('[data-role="embed"]').hidden = kind === 'user' || !(isNew || isEmbed);
    for (const role of ['viewer', 'operator']) this.#find(`[data-role="${role}"]`).hidden = isFirst || isEmbed;
    this.#find('[data-role="admin"]').hidden = isEmbed;
    const usual = kind === 'token' ? 'embed' : 'viewer';
    this.#form.elements.role.value = isFirst ? 'admin' : isEmbed ? 'embed' : (account?.role ?? usual);
    this.#buildCameras(cameras, account?.cameras ?? []);
    this.#form.elements.all.checked = !account?.cameras;
    this.#form.elements.clips.checked = account?.clips === true;
    this.#refresh();
    this.#find('[data-title]').focus();
  }

  /** Show where this account is connected from. @param {import('./people-list.js').Connection[]} connections  All. */
  showNow(connections) {
    const own = connections.filter(({ name }) => name === this.#account?.name);
    const words = own.length > 0 ? `Connected: ${own.map(describeConnection).join('; ')}.` : 'Not connected.';
    const told = this.#find('[data-on-now]');
    if (told.textContent !== words) told.textContent = words;
  }

  close() {
    this.#form.hidden = true;
    this.#form.reset();
  }

  #buildCameras(cameras, chosen) {
    const titles = new Map(cameras.map(({ name, title }) => [name, title]));
    // Keep a chosen camera that is missing now: it may come back.
    for (const name of chosen) if (!titles.has(name)) titles.set(name, `${name}, not there now`);
    const options = [...titles].map(([name, title]) => {
      const option = make('label', 'person-option');
      const input = /** @type {HTMLInputElement} */ (make('input'));
      Object.assign(input, { type: 'checkbox', name: 'camera', value: name, checked: chosen.includes(name) });
      option.append(input, make('span', '', title));
      if (!title.startsWith(name)) option.append(make('small', '', name));
      return option;
    });
    this.#find('[data-cameras]').replaceChildren(...options);
  }

  get #role() {
    return this.#form.elements.role.value;
  }

  /** Adapt the choice of cameras to the role: admins see all, an embed link shows one. */
  #refresh() {
    const isEmbed = this.#role === 'embed';
    const all = this.#form.elements.all.checked && !isEmbed;
    this.#find('[data-part="cameras"]').hidden = this.#role === 'admin';
    this.#find('[data-all]').hidden = isEmbed;
    // The rights of an existing link cannot be changed.
    this.#find('[data-clips]').hidden = !isEmbed || this.#account !== null;
    this.#find('[data-cameras]').hidden = all;
    for (const input of this.#find('[data-cameras]').querySelectorAll('input')) {
      input.type = isEmbed ? 'radio' : 'checkbox';
    }
  }

  get #rights() {
    const isEmbed = this.#role === 'embed';
    const chosen = [...this.#find('[data-cameras]').querySelectorAll('input:checked')].map(({ value }) => value);
    const all = this.#role === 'admin' || (this.#form.elements.all.checked && !isEmbed);
    return { role: isEmbed ? 'viewer' : this.#role, cameras: all ? null : chosen };
  }

  async #save() {
    const name = this.#form.elements.name.value.trim();
    if (this.#rights.cameras?.length === 0) {
      showFieldErrors(this.#form, { cameras: 'Choose a camera.' });
      return;
    }
    if (this.#account !== null && this.#kind === 'token') {
      await this.#send('PUT', this.#path, { name, ...this.#rights }, (account) => `${account.name} was saved.`);
    } else if (this.#account !== null) {
      await this.#send('PUT', this.#path, this.#rights, (account) => `${account.name} was saved.`);
    } else if (this.#kind === 'token') {
      const embed = this.#role === 'embed';
      const body = { name, ...this.#rights, embed, clips: embed && this.#form.elements.clips.checked };
      await this.#send('POST', `${PATH}/tokens`, body, () => `${name} was added.`);
    } else {
      const password = this.#form.elements.password.value || null;
      if (this.#isFirst && password === null) {
        showFieldErrors(this.#form, { password: 'Choose a password to log in with.' });
        return;
      }
      await this.#send('POST', `${PATH}/users`, { name, ...this.#rights, password }, () => `${name} was added.`);
    }
  }

  #setPassword() {
    const password = this.#form.elements.password.value || null;
    return this.#send('POST', `${this.#path}/password`, { password }, ({ name }) => `${name} has a new password.`);
  }

  #signOut() {
    return this.#send('POST', `${this.#path}/sign-out`, {}, ({ name }) => `${name} is logged out everywhere.`);
  }

  get #path() {
    return `${PATH}/${this.#kind}s/${encodeURIComponent(this.#account.name)}`;
  }

  async #send(method, path, body, tell) {
    this.#setBusy(true);
    showFieldErrors(this.#form, {});
    const { ok, data, message } = await ask(method, path, { body });
    this.#setBusy(false);
    if (ok) {
      const secret = data.token ?? data.password ?? null;
      const detail = { kind: this.#kind, account: data, secret, message: tell(data), isFirst: this.#isFirst };
      this.#account = data;
      this.#emit('saved', detail);
      return;
    }
    showFieldErrors(this.#form, data?.fields ?? {}, message);
  }

  #setBusy(busy) {
    this.#form.toggleAttribute('data-busy', busy);
    for (const button of this.#form.querySelectorAll('button')) button.disabled = busy;
    this.#emit('busy', { busy });
  }

  #find(selector) {
    return this.#form.querySelector(selector);
  }

  #on(selector, run) {
    this.#find(selector).addEventListener('click', run);
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
