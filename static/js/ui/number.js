/**
 * A field for a number, with a decimal comma or point. Not an input of type number: browsers drop the comma if the
 * page's language has no decimal comma, so 7,5 becomes 75.
 */
import { setText } from './dom.js';

const FORM = /^[+\-−]?(\d+([.,]\d*)?|[.,]\d+)$/;
// 1,000 means a thousand to some people and one to others.
const AMBIGUOUS = /^[+\-−]?[1-9]\d{0,2}[.,]\d{3}$/;

export class NumberField {
  #input;
  #limits;
  #shown = null;

  /**
   * @param {HTMLInputElement} input  A text field with the role `spinbutton`; its limits are
   *   `aria-valuemin`, `aria-valuemax` and `data-step`.
   * @param {(value: number) => void} onNumber  Called for a valid number.
   * @param {(fault: string) => void} onFault  Called with what is wrong with the input; empty if nothing is.
   */
  constructor(input, onNumber, onFault) {
    this.#input = input;
    this.#limits = { min: Number(input.ariaValueMin), max: Number(input.ariaValueMax), step: Number(input.dataset.step) };
    input.addEventListener('input', () => this.#mark(''));
    input.addEventListener('change', () => {
      const { value, fault } = readNumber(input.value, this.#limits);
      this.#mark(fault);
      onFault(fault);
      if (fault === '') onNumber(value);
    });
    input.addEventListener('blur', () => {
      if (input.ariaInvalid === 'true') this.write(this.#shown);
    });
    input.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#cancel(event, onFault);
      else if (!event.ctrlKey && !event.altKey && !event.metaKey) this.#step(event);
    });
  }

  get editing() {
    return this.#input === document.activeElement;
  }

  /** Show the current value, unless somebody is typing. @param {number | null} value  Null while unknown. */
  show(value) {
    this.#shown = value;
    if (!this.editing) this.write(value);
  }

  /** Show a value, even if somebody is typing. @param {number | null} value */
  write(value) {
    const text = value === null ? '' : String(Math.round(value * 100) / 100);
    if (this.#input.value !== text) this.#input.value = text;
    this.#input.ariaValueNow = text || null;
    this.#mark('');
  }

  leave() {
    if (this.editing) this.#input.blur();
  }

  #mark(fault) {
    this.#input.setCustomValidity(fault);
    this.#input.ariaInvalid = fault === '' ? null : 'true';
  }

  // Esc leaves the field with the old value; the page must not see that key.
  #cancel(event, onFault) {
    event.stopPropagation();
    this.write(this.#shown);
    onFault('');
    this.#input.blur();
  }

  #step(event) {
    const by = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const { min, max, step } = this.#limits;
    const { value, fault } = readNumber(this.#input.value, this.#limits);
    if (fault !== '') return;
    this.#input.value = String(Math.round(Math.min(max, Math.max(min, value + by * (step || 1))) * 100) / 100);
    this.#input.dispatchEvent(new Event('change'));
  }
}

/**
 * @param {string} text
 * @param {{min: number, max: number, step: number}} limits  `step` is NaN if any number is accepted.
 * @returns {{value: number, fault: string}} the fault names the input and what is accepted
 */
export function readNumber(text, { min, max, step }) {
  const entered = text.trim();
  const value = FORM.test(entered) && !AMBIGUOUS.test(entered) ? Number(entered.replace(',', '.').replace('−', '-')) : NaN;
  const steps = (value - min) / step;
  const fits = value >= min && value <= max && !(Math.abs(steps - Math.round(steps)) > 1e-6);
  if (fits) return { value, fault: '' };
  const kind = step === 1 ? 'a whole number' : 'a number';
  const pace = step > 0 && step !== 1 ? ` in steps of ${step}` : '';
  return { value, fault: `“${entered}” cannot be used; accepted: ${kind} from ${min} to ${max}${pace}` };
}

/** Show a fault, or hide the note if there is none. @param {HTMLElement} note @param {string} fault */
export function showFault(note, fault) {
  setText(note, fault);
  note.hidden = fault === '';
  note.toggleAttribute('data-refused', fault !== '');
}
