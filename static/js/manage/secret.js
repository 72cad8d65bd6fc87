/** Shows a generated password, token or embed link, once, with a button to copy it. */
import { copyText } from '../ui/copy.js';
import { make } from '../ui/dom.js';

/** Event: `done` when it can be hidden. */
export class Secret extends EventTarget {
  #element;

  /** @param {HTMLElement} element */
  constructor(element) {
    super();
    this.#element = element;
    this.#find('[data-done]').addEventListener('click', () => this.dispatchEvent(new CustomEvent('done')));
  }

  /**
   * @param {'user' | 'token'} kind
   * @param {import('./people-list.js').Account} account
   * @param {string} secret
   * @param {string} message  Says what was done.
   */
  show(kind, { name, embed, cameras }, secret, message) {
    this.#find('[data-title]').textContent = name;
    this.#find('[data-words]').textContent = `${message} ${words(kind, embed)}`;
    const values = embed ? linksOf(cameras[0], secret) : [[kind === 'user' ? 'Password' : 'Token', secret]];
    this.#find('[data-values]').replaceChildren(...values.map(([label, value], index) => this.#build(label, value, index)));
    this.#element.hidden = false;
    this.#find('[data-title]').focus();
  }

  hide() {
    this.#element.hidden = true;
    this.#find('[data-values]').replaceChildren();
    this.#find('[data-copied]').textContent = '';
  }

  #build(label, value, index) {
    const field = make('div', 'managed-field');
    const words = make('label', '', label);
    const text = /** @type {HTMLTextAreaElement} */ (make('textarea', 'managed-input secret-value'));
    text.id = `secret-${index}`;
    text.value = value;
    text.readOnly = true;
    text.rows = value.length > 70 ? 3 : 1;
    text.addEventListener('focus', () => text.select());
    words.htmlFor = text.id;
    const copy = make('button', 'button', `Copy ${label.toLowerCase()}`);
    copy.type = 'button';
    copy.addEventListener('click', () => this.#copy(copy, text, label));
    field.append(words, text, copy);
    return field;
  }

  async #copy(button, text, label) {
    const copied = await copyText(text.value);
    // If copying fails, select the text, for Ctrl+C or the phone's menu.
    if (!copied) text.focus();
    const told = copied ? `${label} copied.` : 'This browser cannot copy. The text is selected: copy it yourself.';
    this.#find('[data-copied]').textContent = told;
    if (copied) button.textContent = 'Copied';
    else button.after(make('p', 'managed-wrong', told));
  }

  #find(selector) {
    return this.#element.querySelector(selector);
  }
}

function words(kind, embed) {
  if (kind === 'user') return 'This password is shown only now. Pass it on; they can change it under their name in the menu.';
  if (!embed) return 'This token is shown only now. Programs send it as “Authorization: Bearer …”.';
  return 'These addresses are shown only now. Whoever has one sees the camera, until the link is removed. ' +
    'For the frame, the other page’s origin must be in the setting frame_ancestors.';
}

function linksOf(camera, token) {
  const link = (path) => {
    const url = new URL(path, document.baseURI);
    url.search = `token=${token}`;
    return url.href;
  };
  const frame = `<iframe src="${link('./')}" title="${camera}" width="640" height="360" allow="fullscreen"></iframe>`;
  return [['Link', link('./')], ['Frame', frame], ['Picture', `<img src="${link(`video_feed/${camera}`)}" alt="${camera}">`]];
}
