/**
 * Which moment the cameras show: the one in focus by itself, or all of them together; and back to what is live.
 *
 * Event: `change` ({tile}) when it is another moment, or another wish; of all cameras without a tile.
 */
/** How fast the past can be played, in either direction. */
export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];

// A person who was looking at the past until now presses the keys for that once more.
const LINGER_MS = 3000;

export class Past extends EventTarget {
  #grid;
  #clock;
  #together = false;
  // How fast it is played when it is.
  #pace = 1;
  #leftMs = -Infinity;
  #wasActive = false;

  /**
   * @param {import('../grid/grid.js').Grid} grid
   * @param {import('../stream/clock.js').ClockOffset} clock
   */
  constructor(grid, clock) {
    super();
    this.#grid = grid;
    this.#clock = clock;
    grid.addEventListener('focus', ({ detail: { before } }) => {
      // Whoever leaves it wants to see what happens there now; unless all show one moment.
      if (!this.#together && before?.viewer.past.wanted != null) before.viewer.seek(null);
      this.#leftMs = -Infinity;
      this.#emit();
    });
    grid.addEventListener('past', ({ detail: { tile } }) => this.#emit(tile));
  }

  /** Whether all cameras are moved together. */
  get together() {
    return this.#together;
  }

  /** Whether a camera is in focus. */
  get focused() {
    return this.#grid.focused !== null;
  }

  /** Whether any camera shows, or was asked to show, the past. */
  get active() {
    return [...this.#grid.tiles.values()].some((tile) => tile.viewer.past.wanted !== null);
  }

  /** Whether the keys are for the past: it is shown, or was just now. */
  get engaged() {
    const active = this.#grid.focused !== null && this.#grid.focused.viewer.past.wanted !== null;
    return active || performance.now() - this.#leftMs < LINGER_MS;
  }

  /** How fast it is played when it is; always positive. */
  get pace() {
    return this.#pace;
  }

  /** The tile whose moment is shown: the one in focus, or the first that shows the past. */
  get leader() {
    return this.#grid.focused ?? [...this.#grid.tiles.values()].find((tile) => tile.viewer.past.wanted !== null) ?? null;
  }

  /** The server's time now, as well as it is known. */
  get nowUnix() {
    return this.#clock.known ? this.#clock.serverUnix : Date.now() / 1000;
  }

  /** The moment that is looked at; null for live. */
  get at() {
    return this.leader?.viewer.past.wanted ?? null;
  }

  /** 0 while it stands still. */
  get speed() {
    return this.leader?.viewer.past.speed ?? 0;
  }

  /** Show a moment. @param {number} at */
  seek(at) {
    for (const tile of this.#followers) tile.viewer.seek(at);
  }

  /** Back to what is live, all of them. @returns {boolean} whether any was not */
  live() {
    const were = [...this.#grid.tiles.values()].filter((tile) => tile.viewer.past.wanted !== null);
    for (const tile of were) tile.viewer.seek(null);
    this.#emit();
    return were.length > 0;
  }

  /** Stop at what is seen now, or go on as before. */
  toggle() {
    if (this.speed !== 0) this.play(0);
    else if (this.at === null) this.seek(this.#seenUnix);
    else this.play(this.#pace);
  }

  /** @param {number} speed  0 pauses, negative plays backwards. */
  play(speed) {
    if (this.at === null && speed < 0) this.seek(this.#seenUnix);
    if (speed !== 0) this.#pace = Math.abs(speed);
    for (const tile of this.#followers) tile.viewer.play(speed);
  }

  /** Choose how fast; what is played goes on like that. @param {number} pace */
  setPace(pace) {
    this.#pace = pace;
    if (this.speed !== 0) this.play(Math.sign(this.speed) * pace);
    this.#emit();
  }

  /** Play on in a direction, or twice as fast if it is that already. @param {-1 | 1} direction */
  shuttle(direction) {
    const same = Math.sign(this.speed) === direction;
    const at = SPEEDS.indexOf(Math.abs(this.speed));
    this.play(direction * (same ? SPEEDS[Math.min(at + 1, SPEEDS.length - 1)] : 1));
  }

  /** @param {number} by  Frames. */
  step(by) {
    // What is live is stopped first: nothing newer is known.
    if (this.at === null) this.seek(this.#seenUnix);
    if (by < 0 || this.leader?.viewer.isPast) for (const tile of this.#followers) tile.viewer.step(by);
  }

  /** @param {number} by  Seconds. */
  skip(by) {
    const to = (this.at ?? this.#seenUnix) + by;
    if (to >= this.nowUnix) this.live();
    else this.seek(to);
  }

  /** Move all cameras to the moment of the one in focus, and on with it; or that one alone again. */
  toggleTogether() {
    this.#together = !this.#together;
    const { leader, at, speed } = this;
    for (const tile of this.#grid.tiles.values()) {
      if (tile === leader || at === null) continue;
      tile.viewer.seek(this.#together ? leader.viewer.atUnix : null);
      if (this.#together && speed !== 0) tile.viewer.play(speed);
    }
    this.#emit();
  }

  get #followers() {
    if (this.#together) return [...this.#grid.tiles.values()];
    return this.leader === null ? [] : [this.leader];
  }

  get #seenUnix() {
    const at = this.leader?.viewer.atUnix;
    return Number.isFinite(at) ? at : this.nowUnix;
  }

  #emit(tile = null) {
    const active = this.active;
    if (this.#wasActive && !active) this.#leftMs = performance.now();
    if (!active) this.#together = this.#together && this.#grid.focused !== null;
    this.#wasActive = active;
    this.dispatchEvent(new CustomEvent('change', { detail: { tile } }));
  }
}
