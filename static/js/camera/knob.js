/**
 * A slider and a number field that set one value of a camera.
 *
 * They show the server's value, except while somebody changes it, so that the thumb never jumps.
 */
import { LatestSender } from '../ui/latest.js';
import { NumberField, showFault } from '../ui/number.js';

// After a step by key, the value counts as being changed for this long.
const EDITING_MS = 600;

export class Knob {
  #slider;
  #number;
  #showFault;
  #sender;
  #value = null;
  #pointerDown = false;
  #editedMs = -Infinity;

  /**
   * @param {HTMLElement} element  Contains a slider, a number field, and a note for faults.
   * @param {(value: number) => Promise<unknown>} send  Must not reject.
   * @param {object} [options]
   * @param {AbortSignal} [options.signal]  Removes its listeners from the window.
   * @param {(fault: string) => void} [options.onFault]  Shows faults instead of the note.
   */
  constructor(element, send, { signal, onFault } = {}) {
    const note = element.querySelector('[data-note]');
    this.#showFault = onFault ?? ((fault) => showFault(note, fault));
    this.#slider = element.querySelector('input[type="range"]');
    const input = element.querySelector('.number');
    this.#number = new NumberField(input, (value) => this.#enter(value), this.#showFault);
    // The entered value stays until the server answers.
    input.addEventListener('blur', () => this.#settle());
    this.#sender = this.#newSender(send);
    this.#listen(signal);
  }

  /**
   * Show the server's value.
   *
   * @param {number | null} value  Null while unknown.
   * @param {number} [max]  End of the slider; the number field may go higher.
   */
  show(value, max) {
    this.#value = value;
    if (max !== undefined && !this.#pointerDown && this.#slider.max !== String(max)) {
      this.#slider.max = String(max);
    }
    this.#settle();
  }

  /** Switch to another camera. @param {(value: number) => Promise<unknown>} send */
  retarget(send) {
    // Leaving the field enters what was typed, for the camera it was typed for.
    this.#number.leave();
    this.#showFault('');
    this.#sender = this.#newSender(send);
    this.#pointerDown = false;
    this.#editedMs = -Infinity;
  }

  get #changing() {
    return this.#pointerDown || this.#sender.busy || performance.now() - this.#editedMs < EDITING_MS;
  }

  #newSender(send) {
    return new LatestSender(send, { onIdle: () => this.#settle() });
  }

  #listen(signal) {
    const slider = this.#slider;
    slider.addEventListener('pointerdown', () => {
      this.#pointerDown = true;
    });
    for (const end of ['pointerup', 'pointercancel']) {
      // On the window: the pointer may be released anywhere.
      window.addEventListener(end, () => {
        if (!this.#pointerDown) return;
        this.#pointerDown = false;
        this.#settle();
      }, { signal });
    }
    slider.addEventListener('input', () => {
      this.#touch();
      this.#showFault('');
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
    // Unknown until the source has been opened once: the field is empty and the thumb at the end.
    this.#slider.value = String(this.#value ?? this.#slider.max);
    this.#number.show(this.#value);
    this.#paintTrack();
  }

  #paintTrack() {
    const { min, max, valueAsNumber } = this.#slider;
    const share = (valueAsNumber - Number(min)) / (Number(max) - Number(min) || 1);
    this.#slider.style.setProperty('--share', String(Math.min(1, Math.max(0, share))));
  }
}
