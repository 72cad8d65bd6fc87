/**
 * Controls which moment the cameras show, the one in focus alone or all of them together, and returns them to live.
 *
 * Event: `change` ({tile}) when another moment is shown or requested; without a tile it concerns all cameras.
 */
/** Playback speeds, in either direction. */
export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];

// For this long after the return to live, keys still act on the past: somebody may press one more.
const LINGER_MS = 3000;

export class PastControl extends EventTarget {
  #grid;
  #clock;
  #together = false;
  // Speed of playback, once playing.
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
      // A camera that loses the focus returns to live, unless all show the same moment.
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

  /** Whether keys act on the past: it is shown, or was until just now. */
  get engaged() {
    const active = this.#grid.focused !== null && this.#grid.focused.viewer.past.wanted !== null;
    return active || performance.now() - this.#leftMs < LINGER_MS;
  }

  /** Speed of playback, once playing; always positive. */
  get pace() {
    return this.#pace;
  }

  /** The tile whose moment counts: the one in focus, or the first that shows the past. */
  get leader() {
    return this.#grid.focused ?? [...this.#grid.tiles.values()].find((tile) => tile.viewer.past.wanted !== null) ?? null;
  }

  /** The server's time now, or this browser's while that is unknown. */
  get nowUnix() {
    return this.#clock.known ? this.#clock.serverUnix : Date.now() / 1000;
  }

  /** The moment shown or requested; null for live. */
  get at() {
    return this.leader?.viewer.past.wanted ?? null;
  }

  /** 0 while paused. */
  get speed() {
    return this.leader?.viewer.past.speed ?? 0;
  }

  /** Show a moment. @param {number} at */
  seek(at) {
    for (const tile of this.#followers) tile.viewer.seek(at);
  }

  /** Return all cameras to live. @returns {boolean} whether any was in the past */
  live() {
    const were = [...this.#grid.tiles.values()].filter((tile) => tile.viewer.past.wanted !== null);
    for (const tile of were) tile.viewer.seek(null);
    this.#emit();
    return were.length > 0;
  }

  /** Pause or resume. */
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

  /** Set the speed, also of a running playback. @param {number} pace */
  setPace(pace) {
    this.#pace = pace;
    if (this.speed !== 0) this.play(Math.sign(this.speed) * pace);
    this.#emit();
  }

  /** Play in a direction, or faster if it already does. @param {-1 | 1} direction */
  shuttle(direction) {
    const same = Math.sign(this.speed) === direction;
    const at = SPEEDS.indexOf(Math.abs(this.speed));
    this.play(direction * (same ? SPEEDS[Math.min(at + 1, SPEEDS.length - 1)] : 1));
  }

  /** @param {number} by  Frames. */
  step(by) {
    // Live is paused first; there is no newer frame to step to.
    if (this.at === null) this.seek(this.#seenUnix);
    if (by < 0 || this.leader?.viewer.isPast) for (const tile of this.#followers) tile.viewer.step(by);
  }

  /** @param {number} by  Seconds. */
  skip(by) {
    const to = (this.at ?? this.#seenUnix) + by;
    if (to >= this.nowUnix) this.live();
    else this.seek(to);
  }

  /** Move all cameras together with the one in focus, beginning at its moment; or that one alone again. */
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
