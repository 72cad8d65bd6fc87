/** A patrol: shows pages, cameras or saved views one after another. */
import { Turner } from './turner.js';
import { nextOf } from './round.js';

// Conditions of a camera whose picture is still to come.
const LOADING = new Set(['connecting', 'starting', 'idle']);

// While one of these is open, the patrol waits.
const OPEN = 'dialog[open], .menu:popover-open, .drawer:not([hidden])';

/** Event: `change` when it starts, stops, pauses or turns, and during the countdown. */
export class Patrol extends EventTarget {
  #grid;
  #saved;
  #show;
  #turner;
  /** @type {import('./round.js').Round} */
  #round = { kind: null, names: [] };
  #everyS = 0;
  #paused = false;
  /** Id of the saved view shown last. @type {string | null} */
  #at = null;

  /**
   * @param {import('../grid/grid.js').Grid} grid
   * @param {import('./saved.js').SavedViews} saved
   * @param {(view: import('./saved.js').SavedView) => void} show  Shows a saved view.
   */
  constructor(grid, saved, show) {
    super();
    this.#grid = grid;
    this.#saved = saved;
    this.#show = show;
    this.#turner = new Turner({
      turn: () => this.step(),
      isHeld: () => this.held,
      isReady: () => this.#tiles().every((tile) => !LOADING.has(tile.condition)),
      onTick: () => this.#emit(),
    });
    // Leaving the camera that it shows ends the patrol.
    grid.addEventListener('focus', ({ detail: { tile, lost } }) => {
      if (tile === null && lost === null && this.#kind === 'cameras') this.stop();
    });
    grid.addEventListener('list', () => this.running && this.#begin());
  }

  get running() {
    return this.#turner.running;
  }

  get paused() {
    return this.#paused;
  }

  /** Whether it waits: paused, a menu is open, or somebody is taking a closer look. */
  get held() {
    const elsewhere = this.#kind === 'pages' && this.#grid.focused !== null;
    const closer = document.querySelector('[data-zoomed]') !== null;
    return this.#paused || elsewhere || closer || document.hidden || document.querySelector(OPEN) !== null;
  }

  /** Whole seconds until the next turn. */
  get leftS() {
    return Math.ceil(this.#turner.leftS);
  }

  /** The remaining share of the time, 0 to 1. */
  get left() {
    return this.#turner.left;
  }

  get everyS() {
    return this.#everyS;
  }

  get round() {
    return this.#round;
  }

  /** Name of what comes next; empty for nothing. */
  get next() {
    const { page, pages } = this.#grid;
    if (this.#kind === 'pages') return pages > 1 ? `Page ${(page % pages) + 1} of ${pages}` : '';
    const next = this.#next();
    return next?.title ?? next?.name ?? '';
  }

  /** @param {number} everyS @param {import('./round.js').Round} round */
  start(everyS, round) {
    this.#round = round;
    this.#everyS = everyS;
    this.#paused = false;
    this.#at = null;
    this.#turner.start(everyS);
    this.#begin();
    this.#emit();
  }

  stop() {
    if (!this.running) return;
    this.#turner.stop();
    this.#emit();
  }

  togglePause() {
    this.#paused = !this.#paused;
    this.#emit();
  }

  /** Show what comes next, now. */
  step() {
    if (this.#kind === 'pages') {
      this.#grid.step(1);
      return;
    }
    const next = this.#next();
    if (!next) return;
    if (this.#kind === 'views') {
      this.#at = next.id;
      this.#show(next);
    } else this.#grid.focus(next);
  }

  // A patrol of cameras or views shows the first one as soon as there is one.
  #begin() {
    const { kind } = this.#round;
    const isShown = kind === 'cameras' ? this.#grid.focused !== null : this.#at !== null;
    if (kind !== null && kind !== 'pages' && !isShown) this.step();
  }

  get #kind() {
    return this.#round.kind ?? (this.#grid.pages > 1 ? 'pages' : 'cameras');
  }

  #next() {
    if (this.#kind === 'cameras') return nextOf(this.#tilesOfRound(), this.#grid.focused ?? undefined);
    const views = this.#viewsOfRound();
    return nextOf(views, views.find(({ id }) => id === this.#at));
  }

  #tilesOfRound() {
    const { names } = this.#round;
    if (names.length === 0) return [...this.#grid.shown];
    return names.map((name) => this.#grid.tiles.get(name)).filter(Boolean);
  }

  #viewsOfRound() {
    const { names } = this.#round;
    const all = this.#saved.all;
    return names.length === 0 ? all : names.map((id) => all.find((view) => view.id === id)).filter(Boolean);
  }

  #tiles() {
    const { focused, visible } = this.#grid;
    return focused ? [focused] : visible;
  }

  #emit() {
    this.dispatchEvent(new CustomEvent('change'));
  }
}
