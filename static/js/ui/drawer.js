/**
 * A drawer at the side of the page, which leaves the rest in use; on a phone a sheet over all of it. One at a
 * time is open. Events: `open` and `close`.
 */

/** @type {Drawer | null} */
let opened = null;

// Where it is a sheet, nothing behind it can be come to; drawers.css says the same width.
const sheet = matchMedia('(max-width: 44rem)');
const shieldBehind = () => {
  for (const element of document.querySelectorAll('body > :is(header, main, footer, .skip-link)')) {
    element.inert = opened !== null && sheet.matches;
  }
};
sheet.addEventListener('change', shieldBehind);

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
    // What it was opened from gets the keyboard focus back, also when one drawer takes the other's place.
    this.#back = opened?.takeBack() ?? document.activeElement;
    opened = this;
    this.#element.hidden = false;
    this.#button.setAttribute('aria-expanded', 'true');
    document.body.dataset.drawer = 'open';
    shieldBehind();
    this.#element.querySelector('h2').focus({ preventScroll: true });
    this.dispatchEvent(new CustomEvent('open'));
  }

  close() {
    if (!this.open) return;
    const inside = this.#element.contains(document.activeElement);
    const back = this.takeBack();
    delete document.body.dataset.drawer;
    shieldBehind();
    if (inside) (back?.isConnected && back !== document.body ? back : this.#button).focus({ preventScroll: true });
  }

  /** Close without a word to the keyboard focus, and return what had it before. */
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

/** Keep the drawers between the bars, wherever these are. @param {HTMLElement} between */
export function fitDrawers(between) {
  const fit = () => {
    const { top, bottom } = between.getBoundingClientRect();
    document.body.style.setProperty('--drawer-top', `${top}px`);
    document.body.style.setProperty('--drawer-bottom', `${document.documentElement.clientHeight - bottom}px`);
  };
  new ResizeObserver(fit).observe(between);
  addEventListener('resize', fit);
}
