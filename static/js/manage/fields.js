/**
 * The fields of a form, built from the server's JSON Schema, which has each setting's title, meaning and accepted
 * values. The server also validates the input.
 *
 * @typedef {object} Property  A property of the schema.
 * @property {string} title
 * @property {string} description
 * @property {string} accepted
 * @property {string} [unit]
 * @property {any} [default]
 */
import { make } from '../ui/dom.js';
import { capitalize } from '../ui/format.js';

const CHOICES = { auto: 'Automatic', tcp: 'TCP', udp: 'UDP' };

/** @typedef {'text' | 'number' | 'switch' | 'maybe' | 'choice' | 'numbers' | 'lines'} Kind */

/** @param {Property & Record<string, any>} property @returns {Kind} */
export function kindOf(property) {
  const options = property.anyOf ?? [property];
  const one = options.find(({ type }) => type !== 'null');
  const nullable = options.length > 1;
  if (one.enum) return 'choice';
  if (one.type === 'boolean') return nullable ? 'maybe' : 'switch';
  if (one.type === 'number' || one.type === 'integer') return 'number';
  if (one.type === 'array') return ['number', 'integer'].includes(one.items?.type) ? 'numbers' : 'lines';
  return 'text';
}

/** One setting in the form. */
export class Field {
  #kind;
  #property;
  #input;
  #wrong;

  /** @param {string} name @param {Property} property */
  constructor(name, property) {
    this.name = name;
    this.#property = property;
    this.#kind = kindOf(property);
    this.element = make('div', 'managed-field');
    const label = make('label', '', property.unit ? `${property.title}, ${property.unit}` : property.title);
    this.#input = this.#build();
    this.#input.id = `managed-${name}`;
    this.#input.name = name;
    label.htmlFor = this.#input.id;
    const help = make('p', 'managed-help', `${property.description} ${sentence(property.accepted)}`);
    help.id = `managed-${name}-help`;
    this.#wrong = make('p', 'managed-wrong');
    this.#wrong.id = `managed-${name}-wrong`;
    this.#input.setAttribute('aria-describedby', `${help.id} ${this.#wrong.id}`);
    this.element.append(label, this.#input, help, this.#wrong);
    if (this.#kind === 'switch') this.element.classList.add('managed-switch');
  }

  /** Offer suggestions; other text can still be typed. @param {Iterable<string>} texts */
  suggest(texts) {
    const list = this.element.querySelector('datalist') ?? document.createElement('datalist');
    list.id = `${this.#input.id}-list`;
    list.replaceChildren(...[...new Set(texts)].map((text) => new Option('', text)));
    this.#input.setAttribute('list', list.id);
    this.element.append(list);
  }

  get input() {
    return this.#input;
  }

  /** Null if nothing is set. An invalid number stays text, which the server rejects with a message. */
  get value() {
    if (this.#kind === 'switch') return this.#input.checked;
    const text = this.#input.value.trim();
    switch (this.#kind) {
      case 'maybe':
        return text === '' ? null : text === 'true';
      case 'number':
        return text === '' ? null : toNumber(text);
      case 'numbers':
        return text.split(/[\s,;]+/).filter(Boolean).map(toNumber);
      case 'lines':
        return text.split('\n').map((line) => line.trim()).filter(Boolean);
      default:
        return text === '' ? null : text;
    }
  }

  set value(value) {
    const shown = value ?? this.#property.default ?? null;
    if (this.#kind === 'switch') this.#input.checked = Boolean(shown);
    else if (this.#kind === 'numbers') this.#input.value = (shown ?? []).join(', ');
    else if (this.#kind === 'lines') this.#input.value = (shown ?? []).join('\n');
    else this.#input.value = shown === null ? '' : String(shown);
  }

  /** Show what is wrong with it; empty clears that. @param {string} [text] */
  setWrong(text = '') {
    this.#wrong.textContent = capitalize(text);
    if (text) this.#input.setAttribute('aria-invalid', 'true');
    else this.#input.removeAttribute('aria-invalid');
  }

  #build() {
    if (this.#kind === 'switch') {
      const input = /** @type {HTMLInputElement} */ (make('input', 'switch'));
      input.type = 'checkbox';
      input.setAttribute('role', 'switch');
      return input;
    }
    if (this.#kind === 'choice' || this.#kind === 'maybe') {
      const select = /** @type {HTMLSelectElement} */ (make('select', 'select'));
      const options = this.#kind === 'maybe'
        ? [['', 'Automatic'], ['true', 'Yes'], ['false', 'No']]
        : this.#property.enum.map((one) => [one, CHOICES[one] ?? capitalize(one)]);
      for (const [value, word] of options) select.append(new Option(word, value));
      return select;
    }
    const input = /** @type {HTMLInputElement} */ (make(this.#kind === 'lines' ? 'textarea' : 'input', 'managed-input'));
    if (this.#kind === 'lines') input.rows = 3;
    else input.type = 'text';
    if (this.#kind === 'number') input.inputMode = 'decimal';
    input.autocomplete = 'off';
    input.spellcheck = false;
    return input;
  }
}

/**
 * Show what is wrong in a form of static fields, and focus the first wrong one.
 *
 * @param {HTMLFormElement} form
 * @param {Record<string, string>} fields  Faults by field name; all other fields are valid.
 * @param {string} [message]  Shown if no field is wrong.
 */
export function showFieldErrors(form, fields, message = '') {
  for (const wrong of form.querySelectorAll('[data-wrong]')) {
    const text = fields[wrong.dataset.wrong] ?? '';
    wrong.textContent = capitalize(text);
    const field = wrong.parentElement;
    const input = field.querySelector('.managed-input') ?? field;
    if (text) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  }
  const alert = form.querySelector('[data-alert]');
  alert.hidden = message === '' || Object.keys(fields).length > 0;
  alert.textContent = alert.hidden ? '' : capitalize(message);
  const first = form.querySelector('[aria-invalid]');
  (first?.matches('fieldset') ? first.querySelector('input:checked, input') : first)?.focus();
}

function toNumber(text) {
  const number = Number(text.replace(',', '.'));
  return Number.isFinite(number) ? number : text;
}

function sentence(accepted) {
  return `Accepted: ${accepted}.`;
}
