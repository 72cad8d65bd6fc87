/**
 * Announces state changes to screen readers, at most once every few seconds: the newest state of every changed camera,
 * together.
 */
const PAUSE_MS = 1500;

export class Announcer {
  #element;
  #waiting = new Map();
  #timer = 0;

  /** @param {HTMLElement} element  An aria-live region. */
  constructor(element) {
    this.#element = element;
  }

  /** @param {string} subject @param {string} [word]  Its new state. */
  announce(subject, word = '') {
    this.#waiting.set(subject, word);
    this.#timer ||= setTimeout(() => this.#speak(), PAUSE_MS);
  }

  #speak() {
    this.#timer = 0;
    const sentences = [...this.#waiting].map(([subject, word]) => (word ? `${subject}: ${word}` : subject));
    this.#element.textContent = sentences.join('. ');
    this.#waiting.clear();
  }
}
