/**
 * Turns to the next stop at an interval, for a patrol and a kiosk's rotation. It waits while somebody uses the page, and
 * until the current stop has its pictures, so that two pages never load at the same time.
 */
const TICK_MS = 250;
// Longest wait for a camera's picture.
const MAX_LATE_MS = 10_000;
const USES = ['pointermove', 'wheel', 'keydown'];

export class Turner {
  #turn;
  #isHeld;
  #isReady;
  #onTick;
  #everyMs = 0;
  #dueMs = 0;
  #timer = 0;
  #pressed = false;

  /**
   * @param {object} page
   * @param {() => void} page.turn
   * @param {() => boolean} page.isHeld   Whether to wait, and then to start the interval again.
   * @param {() => boolean} page.isReady  Whether all pictures are there.
   * @param {() => void} page.onTick      Called several times a second while it runs.
   */
  constructor({ turn, isHeld, isReady, onTick }) {
    this.#turn = turn;
    this.#isHeld = isHeld;
    this.#isReady = isReady;
    this.#onTick = onTick;
    const listen = (name, act) => window.addEventListener(name, act, { passive: true, capture: true });
    const press = (down) => () => {
      this.#pressed = down;
      this.#wait();
    };
    listen('pointerdown', press(true));
    for (const name of ['pointerup', 'pointercancel']) listen(name, press(false));
    for (const name of USES) listen(name, () => this.#wait());
  }

  get running() {
    return this.#timer !== 0;
  }

  /** Seconds until the next turn, at the earliest. */
  get leftS() {
    return Math.max(0, (this.#dueMs - performance.now()) / 1000);
  }

  /** The remaining share of the interval, 0 to 1. */
  get left() {
    return Math.min(1, (this.leftS * 1000) / Math.max(1, this.#everyMs));
  }

  /** @param {number} everyS */
  start(everyS) {
    this.stop();
    this.#everyMs = everyS * 1000;
    this.#wait();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  #wait() {
    this.#dueMs = performance.now() + this.#everyMs;
  }

  #tick() {
    if (this.#pressed || this.#isHeld()) this.#wait();
    const late = performance.now() - this.#dueMs;
    if (late >= 0 && (this.#isReady() || late > MAX_LATE_MS)) {
      this.#turn();
      this.#wait();
    }
    this.#onTick();
  }
}
