/**
 * A field for a number as people write one, with a comma or a point. Not an input of type number: where the
 * page's language has no comma in numbers, browsers drop it, and 7,5 is 75.
 */
import { setText } from './text.js';

const FORM = /^[+\-−]?(\d+([.,]\d*)?|[.,]\d+)$/;

export class NumberField {
  #input;
  #limits;
  #shown = null;

  /**
   * @param {HTMLInputElement} input  A text field with the role of a spin button; its limits are
   *   `aria-valuemin`, `aria-valuemax` and `data-step`.
   * @param {(value: number) => void} onNumber  A person has entered one within the limits.
   * @param {(fault: string) => void} onFault  What was wrong with what was entered; empty once nothing is.
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
      if (event.key === 'Escape') this.#giveUp(event, onFault);
      else if (!event.ctrlKey && !event.altKey && !event.metaKey) this.#step(event);
    });
  }

  get editing() {
    return this.#input === document.activeElement;
  }

  /** Show what holds, unless somebody is typing. @param {number | null} value  Null while it is unknown. */
  show(value) {
    this.#shown = value;
    if (!this.editing) this.write(value);
  }

  /** Show a value whatever is in the field. @param {number | null} value */
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

  // Esc leaves the field with the old value, and is not heard by the page.
  #giveUp(event, onFault) {
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
 * @param {{min: number, max: number, step: number}} limits  `step` is NaN where any number will do.
 * @returns {{value: number, fault: string}} the fault names what was entered and what is accepted
 */
export function readNumber(text, { min, max, step }) {
  const entered = text.trim();
  const value = FORM.test(entered) ? Number(entered.replace(',', '.').replace('−', '-')) : NaN;
  const steps = (value - min) / step;
  const fits = value >= min && value <= max && !(Math.abs(steps - Math.round(steps)) > 1e-6);
  if (fits) return { value, fault: '' };
  const kind = step === 1 ? 'a whole number' : 'a number';
  const pace = step > 0 && step !== 1 ? ` in steps of ${step}` : '';
  return { value, fault: `“${entered}” cannot be taken; accepted: ${kind} from ${min} to ${max}${pace}` };
}

/** Show a fault, or hide that there is none. @param {HTMLElement} note @param {string} fault */
export function showFault(note, fault) {
  setText(note, fault);
  note.hidden = fault === '';
  note.toggleAttribute('data-refused', fault !== '');
}
