/**
 * Tells which elements can be seen: on screen, in a tab that is shown.
 *
 * Appearing is told at once. Leaving the screen is told after a pause, so that scrolling past does not
 * make the server open and close cameras; hiding the tab is told at once, because nothing is painted then.
 */
const LEAVE_DELAY_MS = 600;
const MARGIN = '120px';

export class Visibility {
  #watched = new Map();
  #followed = null;
  // Both margins: the tiles scroll inside an element, which only scrollMargin reaches into.
  #observer = new IntersectionObserver((entries) => this.#onEntries(entries), {
    rootMargin: MARGIN,
    scrollMargin: MARGIN,
  });

  constructor() {
    document.addEventListener('visibilitychange', () => {
      for (const item of this.#watched.values()) this.#tell(item);
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
   * Take one element for visible wherever it is scrolled to: on a phone the plots of the camera in focus are
   * far below its picture, and would show that nobody watches it.
   *
   * @param {Element | null} element
   */
  follow(element) {
    const before = this.#watched.get(this.#followed);
    this.#followed = element;
    const item = this.#watched.get(element);
    if (item) this.#tell(item);
    if (!before || before === item) return;
    clearTimeout(before.timer);
    before.timer = setTimeout(() => this.#tell(before), LEAVE_DELAY_MS);
  }

  /**
   * Let an element count as seen wherever it is: its picture is shown elsewhere too.
   *
   * @param {Element} element
   * @param {boolean} kept
   */
  keep(element, kept) {
    const item = this.#watched.get(element);
    if (!item) return;
    item.kept = kept;
    this.#tell(item);
  }

  #onEntries(entries) {
    for (const { target, isIntersecting } of entries) {
      const item = this.#watched.get(target);
      if (!item) continue;
      clearTimeout(item.timer);
      item.onScreen = isIntersecting;
      if (isIntersecting) this.#tell(item);
      else item.timer = setTimeout(() => this.#tell(item), LEAVE_DELAY_MS);
    }
  }

  #tell(item) {
    const shown = item.onScreen || item === this.#watched.get(this.#followed);
    const visible = item.kept || (shown && document.visibilityState === 'visible');
    if (visible === item.visible) return;
    item.visible = visible;
    item.onChange(visible);
  }
}
