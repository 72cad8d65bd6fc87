/** One control as a row of the panel: a slider, a choice, a switch, or an area of the picture. */
import { Knob } from './knob.js';
import { NumberField } from '../ui/number.js';
import { make, setText } from '../ui/dom.js';
import { formatRejection } from '../ui/format.js';

/**
 * @typedef {import('./controls.js').ControlState} ControlState
 * @typedef {import('../stream/connection.js').Reply} Reply
 *
 * @typedef {object} Target  What a row can do with its camera.
 * @property {(value: ControlState['value']) => Promise<Reply>} set
 * @property {() => Promise<Reply>} reset
 * @property {(onChange: (area: number[] | null, done: boolean) => Promise<unknown> | void) => boolean} adjust
 *   Puts a frame over the picture, or removes it; returns whether there is one now.
 * @property {AbortSignal} signal  Aborted when the row is removed.
 */

// With more options than this, show a list.
const MAX_SEGMENTS = 4;

let lastId = 0;

/** The base of all kinds: the title, the reset button, and a note. */
export class ControlRow {
  #note;
  #reset;
  #rejection = '';
  #pending = 0;
  /** @type {ControlState} */
  control;
  element;

  /** @param {ControlState} control @param {Target} target */
  constructor(control, target) {
    this.control = control;
    this.target = target;
    const template = document.querySelector(`#control-${control.kind}-template`);
    this.element = document.importNode(template.content.firstElementChild, true);
    this.element.dataset.control = control.name;
    this.find('[data-title]').textContent = control.title;
    this.#note = this.find('[data-note]');
    this.#reset = this.find('[data-reset]');
    this.#reset.title = this.#reset.ariaLabel = `Reset ${control.title}`;
    this.#reset.addEventListener('click', () => this.#follow(target.reset()));
    lastId += 1;
    this.id = `control-${lastId}`;
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  /** Whether a change has not been answered yet. */
  get pending() {
    return this.#pending > 0;
  }

  /** Show why a value was not sent; empty clears it. @param {string} fault */
  showFault(fault) {
    this.#rejection = fault;
    this.#showNote();
  }

  /** Send a value, then show the server's answer. */
  set(value) {
    return this.#follow(this.target.set(value));
  }

  /** Show the control's current state. @param {ControlState} control */
  show(control) {
    this.control = control;
    this.#reset.hidden = isDefault(control) || !control.active;
    this.element.toggleAttribute('data-inactive', !control.active);
    for (const input of this.element.querySelectorAll('input, select, [data-adjust]')) {
      input.disabled = !control.active;
    }
    this.#showNote();
    if (!this.pending) this.showValue(control.value);
  }

  async #follow(request) {
    this.#pending += 1;
    const reply = await request;
    this.#pending -= 1;
    this.#rejection = reply.ok ? '' : formatRejection(reply);
    this.#showNote();
    if (!this.pending) this.showValue(this.control.value);
    return reply;
  }

  #showNote() {
    const text = this.#rejection || this.control.note || '';
    setText(this.#note, text);
    this.#note.hidden = text === '';
    this.#note.toggleAttribute('data-refused', this.#rejection !== '' || this.control.active);
  }
}

class RangeRow extends ControlRow {
  #knob;

  constructor(control, target) {
    super(control, target);
    const { min, max, step, unit = '', title } = control;
    const slider = this.find('input[type="range"]');
    const number = this.find('.number');
    slider.id = this.id;
    this.find('[data-title]').htmlFor = this.id;
    Object.assign(slider, { min, max, step });
    Object.assign(number, { ariaValueMin: min, ariaValueMax: max });
    number.dataset.step = step;
    number.inputMode = min < 0 ? 'text' : 'decimal'; // A phone's number pad has no minus sign.
    number.ariaLabel = `${title}, ${min} to ${max} ${unit}`.trim();
    setText(this.find('[data-unit]'), unit);
    const options = { signal: target.signal, onFault: (fault) => this.showFault(fault) };
    this.#knob = new Knob(this.element, (value) => this.set(value), options);
  }

  showValue(value) {
    this.#knob.show(value);
  }
}

class ChoiceRow extends ControlRow {
  #select;
  #radios = [];

  constructor(control, target) {
    super(control, target);
    const segments = this.find('[data-segments]');
    this.#select = this.find('[data-select]');
    if (control.options.length <= MAX_SEGMENTS && control.options.join('').length < 28) {
      this.#select.remove();
      segments.ariaLabel = control.title;
      this.#radios = control.options.map((option) => this.#makeRadio(segments, option));
    } else {
      segments.remove();
      this.#select.id = this.id;
      this.find('[data-title]').htmlFor = this.id;
      this.#select.append(...control.options.map((option) => new Option(this.#word(option), option)));
      this.#select.addEventListener('change', () => this.set(this.#select.value));
    }
  }

  showValue(value) {
    for (const radio of this.#radios) radio.checked = radio.value === value;
    this.#select.value = value;
  }

  #makeRadio(segments, option) {
    const label = make('label', 'segment');
    const radio = make('input');
    Object.assign(radio, { type: 'radio', name: this.id, value: option });
    radio.addEventListener('change', () => this.set(option));
    label.append(radio, make('span', '', this.#word(option)));
    segments.append(label);
    return radio;
  }

  #word(option) {
    const { unit = '' } = this.control;
    const text = option.replace(/^(\d+)x(\d+)$/, '$1 × $2');
    const word = text.charAt(0).toUpperCase() + text.slice(1);
    return unit === '°' ? `${word}°` : `${word} ${unit}`.trim();
  }
}

class SwitchRow extends ControlRow {
  #box;

  constructor(control, target) {
    super(control, target);
    this.#box = this.find('input');
    this.#box.id = this.id;
    this.find('[data-title]').htmlFor = this.id;
    this.#box.addEventListener('change', () => this.set(this.#box.checked));
  }

  showValue(value) {
    this.#box.checked = value;
  }
}

class AreaRow extends ControlRow {
  #fields;
  #button;

  constructor(control, target) {
    super(control, target);
    this.element.ariaLabel = control.title;
    const sides = [...this.element.querySelectorAll('[data-side]')];
    this.#fields = sides.map((side, index) => {
      return new NumberField(side, (percent) => this.#onNumber(index, percent), (fault) => this.showFault(fault));
    });
    this.#button = this.find('[data-adjust]');
    this.#button.addEventListener('click', () => {
      this.#press(target.adjust((area, done) => this.#onFrame(area, done)));
    });
    this.find('[data-title]').htmlFor = sides[0].id = this.id;
  }

  showValue(area) {
    area.forEach((share, index) => this.#fields[index].show(percentOf(share)));
  }

  /** The frame was moved to `area`, and released if `done`; null if it was removed. */
  #onFrame(area, done) {
    if (area === null) return this.#press(false);
    area.forEach((share, index) => this.#fields[index].write(percentOf(share)));
    return done ? this.set(area) : undefined;
  }

  #onNumber(index, percent) {
    const area = [...this.control.value];
    area[index] = percent / 100;
    // Shrink or move an area that would reach beyond the picture.
    const [start, extent] = index % 2 === 0 ? [0, 2] : [1, 3];
    if (area[start] + area[extent] > 1) {
      if (index === start) area[extent] = round(1 - area[start]);
      else area[start] = round(Math.max(0, 1 - area[extent]));
    }
    this.set(area);
  }

  #press(pressed) {
    this.#button.setAttribute('aria-pressed', String(pressed));
    setText(this.find('[data-adjust-word]'), pressed ? 'Done' : 'Adjust');
  }
}

const KINDS = { range: RangeRow, choice: ChoiceRow, switch: SwitchRow, area: AreaRow };

/** @param {ControlState} control @param {Target} target @returns {ControlRow} */
export function makeRow(control, target) {
  return new KINDS[control.kind](control, target);
}

/** Whether a kind can be shown; newer servers may have others. @param {string} kind */
makeRow.knows = (kind) => kind in KINDS;

/** @param {ControlState} control */
export function isDefault(control) {
  return JSON.stringify(control.value) === JSON.stringify(control.default);
}

function percentOf(share) {
  return Math.round(share * 1000) / 10;
}

function round(share) {
  return Math.round(share * 10000) / 10000;
}
