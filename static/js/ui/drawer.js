/**
 * A drawer at the side of the page. The rest of the page stays usable; on a phone the drawer covers all of it.
 * Only one is open at a time. Events: `open` and `close`.
 */

/** @type {Drawer | null} */
let opened = null;

// Where it covers the page, make everything behind it inert. insight.css has the same width.
const sheet = matchMedia('(max-width: 44rem)');
const setInert = () => {
  for (const element of document.querySelectorAll('body > :is(header, main, footer, .skip-link)')) {
    element.inert = opened !== null && sheet.matches;
  }
};
sheet.addEventListener('change', setInert);

export class Drawer extends EventTarget {
  #element;
  #button;
  #back = null;

  /** @param {HTMLElement} element @param {HTMLButtonElement} button  Opens and closes it. */
  constructor(element, button) {
    super();
    this.#element = element;
    this.#button = button;
    button.addEventListener('click', () => this.toggle());
    element.querySelector('[data-close]').addEventListener('click', () => this.close());
    element.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      this.close();
    });
  }

  get open() {
    return opened === this;
  }

  toggle() {
    if (this.open) this.close();
    else this.show();
  }

  show() {
    if (this.open) return;
    // Remember the element with the keyboard focus, even if one drawer replaces the other.
    this.#back = opened?.takeBack() ?? document.activeElement;
    opened = this;
    this.#element.hidden = false;
    this.#button.setAttribute('aria-expanded', 'true');
    document.body.dataset.drawer = 'open';
    setInert();
    this.#element.querySelector('h2').focus({ preventScroll: true });
    this.dispatchEvent(new CustomEvent('open'));
  }

  close() {
    if (!this.open) return;
    const inside = this.#element.contains(document.activeElement);
    const back = this.takeBack();
    delete document.body.dataset.drawer;
    setInert();
    if (inside) (back?.isConnected && back !== document.body ? back : this.#button).focus({ preventScroll: true });
  }

  /** Close without moving the keyboard focus, and return what had it before. */
  takeBack() {
    opened = null;
    this.#element.hidden = true;
    this.#button.setAttribute('aria-expanded', 'false');
    this.dispatchEvent(new CustomEvent('close'));
    return this.#back;
  }
}

/** @returns {boolean} whether there was one to close */
export function closeDrawer() {
  const was = opened;
  was?.close();
  return was !== null;
}

/** Keep the drawers and toasts between the bars. @param {HTMLElement} between  The element between the bars. */
export function fitDrawers(between) {
  // Not on the body, from which the whole page would inherit and be restyled.
  const fitted = document.querySelectorAll('.drawer, .toasts');
  const fit = () => {
    const { top, bottom } = between.getBoundingClientRect();
    const below = document.documentElement.clientHeight - bottom;
    for (const { style } of fitted) {
      style.setProperty('--drawer-top', `${top}px`);
      style.setProperty('--drawer-bottom', `${below}px`);
    }
  };
  new ResizeObserver(fit).observe(between);
  addEventListener('resize', fit);
}
