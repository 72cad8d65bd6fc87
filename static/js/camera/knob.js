/**
 * A slider and a number that set one value of a camera.
 *
 * The server's value is the truth. It is shown whenever nobody is changing the value; while someone is,
 * it waits, so that the thumb is never pulled out of a hand.
 */
import { LatestSender } from './latest.js';
import { NumberField, showFault } from '../ui/number.js';

// The arrow keys have no pointer that is down; a person counts as changing for this long after a step.
const EDITING_MS = 600;

export class Knob {
  #slider;
  #number;
  #fault;
  #send;
  #sender;
  #truth = null;
  #pointerDown = false;
  #editedMs = -Infinity;

  /**
   * @param {HTMLElement} element  Holds a slider, a field for a number, and a note for what was wrong with it.
   * @param {(value: number) => Promise<unknown>} send  Must not reject.
   * @param {object} [options]
   * @param {AbortSignal} [options.signal]  Ends it, where the page outlives it.
   * @param {(fault: string) => void} [options.onFault]  Shows what was wrong, in place of the note.
   */
  constructor(element, send, { signal, onFault } = {}) {
    const note = element.querySelector('[data-note]');
    this.#fault = onFault ?? ((fault) => showFault(note, fault));
    this.#slider = element.querySelector('input[type="range"]');
    const input = element.querySelector('.number');
    this.#number = new NumberField(input, (value) => this.#enter(value), this.#fault);
    // What was entered is shown until the answer is here.
    input.addEventListener('blur', () => this.#settle());
    this.#send = send;
    this.#sender = this.#newSender();
    this.#listen(signal);
  }

  /**
   * Take the server's value.
   *
   * @param {number | null} value  Null when the server does not know it either.
   * @param {number} [max]  Practical end of the slider; the number may go beyond it.
   */
  show(value, max) {
    this.#truth = value;
    if (max !== undefined && !this.#pointerDown && this.#slider.max !== String(max)) {
      this.#slider.max = String(max);
    }
    this.#settle();
  }

  /** Another camera is meant from here on. @param {(value: number) => Promise<unknown>} send */
  retarget(send) {
    // What was typed and not yet entered is entered by leaving: for the camera it was typed for.
    this.#number.leave();
    this.#fault('');
    this.#send = send;
    this.#sender = this.#newSender();
    this.#pointerDown = false;
    this.#editedMs = -Infinity;
  }

  get #changing() {
    return this.#pointerDown || this.#sender.busy || performance.now() - this.#editedMs < EDITING_MS;
  }

  #newSender() {
    const send = this.#send;
    return new LatestSender(send, { onIdle: () => this.#settle() });
  }

  #listen(signal) {
    const slider = this.#slider;
    slider.addEventListener('pointerdown', () => {
      this.#pointerDown = true;
    });
    for (const end of ['pointerup', 'pointercancel']) {
      // On the window: the pointer may be let go anywhere.
      window.addEventListener(end, () => {
        if (!this.#pointerDown) return;
        this.#pointerDown = false;
        this.#settle();
      }, { signal });
    }
    slider.addEventListener('input', () => {
      this.#touch();
      this.#fault('');
      this.#number.write(slider.valueAsNumber);
      this.#paintTrack();
      this.#sender.push(slider.valueAsNumber);
    });
  }

  #enter(value) {
    this.#touch();
    this.#slider.value = String(value);
    this.#paintTrack();
    this.#sender.push(value);
  }

  #touch() {
    this.#editedMs = performance.now();
    setTimeout(() => this.#settle(), EDITING_MS);
  }

  #settle() {
    if (this.#changing) return;
    // Not known before the source has been opened once: then the number is empty, the thumb at the end.
    this.#slider.value = String(this.#truth ?? this.#slider.max);
    this.#number.show(this.#truth);
    this.#paintTrack();
  }

  #paintTrack() {
    const { min, max, valueAsNumber } = this.#slider;
    const share = (valueAsNumber - Number(min)) / (Number(max) - Number(min) || 1);
    this.#slider.style.setProperty('--share', String(Math.min(1, Math.max(0, share))));
  }
}
