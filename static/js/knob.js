/**
 * A slider and a number that set one value of a camera.
 *
 * The server's value is the truth. It is shown whenever nobody is changing the value; while someone is,
 * it waits, so that the thumb is never pulled out of a hand.
 */
import { LatestSender } from './latest.js';

// The arrow keys have no pointer that is down; a person counts as changing for this long after a step.
const EDITING_MS = 600;

export class Knob {
  #slider;
  #number;
  #send;
  #sender;
  #truth = null;
  #pointerDown = false;
  #editedMs = -Infinity;

  /**
   * @param {HTMLElement} element  Holds an input of type range and one of type number.
   * @param {(value: number) => Promise<unknown>} send  Must not reject.
   * @param {AbortSignal} [signal]  Ends it, where the page outlives it.
   */
  constructor(element, send, signal) {
    this.#slider = element.querySelector('input[type="range"]');
    this.#number = element.querySelector('input[type="number"]');
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
    this.#send = send;
    this.#sender = this.#newSender();
    this.#pointerDown = false;
    this.#editedMs = -Infinity;
    if (this.#number === document.activeElement) this.#number.blur();
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
    const number = this.#number;
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
      number.value = slider.value;
      this.#paintTrack();
      this.#sender.push(slider.valueAsNumber);
    });
    number.addEventListener('change', () => {
      // The browser's own message says what would be accepted.
      if (!number.reportValidity()) return;
      this.#touch();
      slider.value = number.value;
      this.#paintTrack();
      this.#sender.push(number.valueAsNumber);
    });
    number.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#giveUp(event);
    });
    number.addEventListener('blur', () => this.#settle());
  }

  #touch() {
    this.#editedMs = performance.now();
    setTimeout(() => this.#settle(), EDITING_MS);
  }

  // Esc leaves the field with the old value, and is not heard by the page.
  #giveUp(event) {
    event.stopPropagation();
    this.#number.value = textOf(this.#truth);
    this.#number.blur();
  }

  #settle() {
    if (this.#changing) return;
    // Not known before the source has been opened once: then the number is empty, the thumb at the end.
    this.#slider.value = String(this.#truth ?? this.#slider.max);
    if (this.#number !== document.activeElement) this.#number.value = textOf(this.#truth);
    this.#paintTrack();
  }

  #paintTrack() {
    const { min, max, valueAsNumber } = this.#slider;
    const share = (valueAsNumber - Number(min)) / (Number(max) - Number(min) || 1);
    this.#slider.style.setProperty('--share', String(Math.min(1, Math.max(0, share))));
  }
}

function textOf(value) {
  return value === null ? '' : String(Math.round(value * 100) / 100);
}
