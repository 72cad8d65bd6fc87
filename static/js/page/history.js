/**
 * Keeps the address in step with what the page shows, and the page with the address when people go back.
 * Focusing a camera makes a history entry, which Back undoes; everything else only changes the address.
 */
import { readLink, writeLink } from './deeplink.js';

const FOCUS = 'focus';
// Browsers allow only a few hundred changes of the address in half a minute.
const PAUSE_MS = 250;

export class History {
  #read;
  #apply;
  #timer = 0;
  #goingBack = false;

  /**
   * @param {object} page
   * @param {() => Partial<import('./deeplink.js').Shown>} page.read    What is shown.
   * @param {(shown: import('./deeplink.js').Shown) => void} page.apply  Show this instead.
   */
  constructor({ read, apply }) {
    this.#read = read;
    this.#apply = apply;
    window.addEventListener('popstate', () => this.#onPop());
  }

  /** Call it when something else is shown. */
  update() {
    const inFocus = Boolean(this.#read().camera);
    const stepped = history.state?.porthole === FOCUS;
    if (this.#goingBack) return;
    if (inFocus && !stepped && !readLink(location.search).camera) {
      this.#flush();
      history.pushState({ porthole: FOCUS }, '', this.#address());
    } else if (!inFocus && stepped) {
      this.#goingBack = true;
      history.back();
    } else {
      this.#timer ||= setTimeout(() => this.#write(), PAUSE_MS);
    }
  }

  // Write pending changes first: Back must return to what was shown.
  #flush() {
    this.#write({ camera: null });
  }

  #write(changes = {}) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const address = this.#address(changes);
    if (address !== location.pathname + location.search + location.hash) {
      history.replaceState(history.state, '', address);
    }
  }

  // Without a fragment: when going back to one, browsers move the keyboard focus to its target.
  #address(changes = {}) {
    return location.pathname + writeLink({ ...this.#read(), ...changes }, location.search);
  }

  #onPop() {
    if (this.#goingBack) {
      // Our own step back has arrived; more may have changed meanwhile.
      this.#goingBack = false;
      if (this.#read().camera) this.update();
      else this.#write();
      return;
    }
    this.#apply(readLink(location.search));
  }
}
