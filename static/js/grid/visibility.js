/**
 * Reports which elements are visible: on screen, in a visible tab.
 *
 * An element that appears is reported immediately; one that leaves the screen only after a pause, so that scrolling
 * past does not make the server open and close cameras. Hiding the tab is reported immediately, because nothing is
 * painted then.
 */
const LEAVE_DELAY_MS = 600;
const MARGIN = '120px';

export class Visibility {
  #watched = new Map();
  #followed = null;
  // Both margins: the tiles scroll inside an element, to which only scrollMargin applies.
  #observer = new IntersectionObserver((entries) => this.#onEntries(entries), {
    rootMargin: MARGIN,
    scrollMargin: MARGIN,
  });

  constructor() {
    document.addEventListener('visibilitychange', () => {
      for (const item of this.#watched.values()) this.#update(item);
    });
  }

  /**
   * @param {Element} element
   * @param {(visible: boolean) => void} onChange
   */
  observe(element, onChange) {
    this.#watched.set(element, { onChange, onScreen: false, kept: false, visible: false, timer: 0 });
    this.#observer.observe(element);
  }

  /** @param {Element} element */
  unobserve(element) {
    this.#observer.unobserve(element);
    clearTimeout(this.#watched.get(element)?.timer);
    this.#watched.delete(element);
  }

  /**
   * Count one element as visible wherever the page is scrolled: on a phone the plots of the camera in focus are far
   * below its picture, and would show that nobody is watching.
   *
   * @param {Element | null} element
   */
  follow(element) {
    const before = this.#watched.get(this.#followed);
    this.#followed = element;
    const item = this.#watched.get(element);
    if (item) this.#update(item);
    if (!before || before === item) return;
    clearTimeout(before.timer);
    before.timer = setTimeout(() => this.#update(before), LEAVE_DELAY_MS);
  }

  /**
   * Count an element as visible even off the screen, because its picture is also shown elsewhere.
   *
   * @param {Element} element
   * @param {boolean} kept
   */
  keep(element, kept) {
    const item = this.#watched.get(element);
    if (!item) return;
    item.kept = kept;
    this.#update(item);
  }

  #onEntries(entries) {
    for (const { target, isIntersecting } of entries) {
      const item = this.#watched.get(target);
      if (!item) continue;
      clearTimeout(item.timer);
      item.onScreen = isIntersecting;
      if (isIntersecting) this.#update(item);
      else item.timer = setTimeout(() => this.#update(item), LEAVE_DELAY_MS);
    }
  }

  #update(item) {
    const shown = item.onScreen || item === this.#watched.get(this.#followed);
    const visible = item.kept || (shown && document.visibilityState === 'visible');
    if (visible === item.visible) return;
    item.visible = visible;
    item.onChange(visible);
  }
}
