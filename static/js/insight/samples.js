/**
 * The data of the plots: a sample of every camera and of the server with each `stats`. Samples are kept for some minutes
 * even while no plot is open, so that a plot is full when it opens.
 */
import { nowUnix } from '../stream/clock.js';
import { known, splitLatency, totalOf } from '../stream/latency.js';
import { Ring } from './ring.js';

/** Seconds kept for a camera, and for the server. */
export const CAMERA_S = 120;
export const SERVER_S = 300;

// Drop reasons as in `stats`, plus two of the page's own; all others count as `other`.
const DROPS = /** @type {const} */ ([
  'replaced', 'credit', 'chain', 'unsent', 'gone', 'encode', 'error', 'broken', 'damaged', 'unread', 'processing',
  'unprocessed', 'bus', 'junk', 'behind', 'here', 'undecodable',
]);
const KNOWN = new Set(DROPS);

// After a longer pause, differences are no longer rates per second.
const MAX_PAUSE_S = 5;

const ZERO = { transitMs: 0, decodeMs: 0, paintMs: 0 };

export class Samples {
  #clock;
  /** @type {Map<string, Ring>} */
  #cameras = new Map();
  #server = new Ring(SERVER_S);
  // By viewer, not by name: the counts of a camera that comes back begin at zero.
  #before = new WeakMap();
  #refused = null;

  /** @param {import('../stream/clock.js').ClockOffset} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /** @param {string} name  @returns {Ring | null} */
  camera(name) {
    return this.#cameras.get(name) ?? null;
  }

  get server() {
    return this.#server;
  }

  /**
   * @param {{cameras?: Record<string, object>, process?: object}} stats
   * @param {Iterable<import('../grid/tile.js').Tile>} tiles
   */
  take(stats, tiles) {
    const at = nowUnix();
    const names = new Set();
    let bytesPerSecond = 0;
    for (const tile of tiles) {
      names.add(tile.name);
      bytesPerSecond += tile.viewer.bytesPerSecond;
      const figures = stats.cameras?.[tile.name];
      if (figures) this.#ring(tile.name).push(this.#rowOf(at, tile.viewer, figures));
    }
    for (const name of this.#cameras.keys()) {
      if (!names.has(name)) this.#cameras.delete(name);
    }
    if (stats.process) this.#server.push(this.#serverRow(at, stats.process, bytesPerSecond));
  }

  /** Disconnected: leave a gap in the lines. */
  interrupt() {
    const gap = { at: nowUnix() };
    for (const ring of [...this.#cameras.values(), this.#server]) {
      // One gap is enough, however often reconnecting fails.
      if (ring.newest !== null && Object.keys(ring.newest).length > 1) ring.push(gap);
    }
    this.#refused = null;
  }

  #ring(name) {
    if (!this.#cameras.has(name)) this.#cameras.set(name, new Ring(CAMERA_S));
    return this.#cameras.get(name);
  }

  #rowOf(at, viewer, figures) {
    const { received, painted, skippedHere, undecodable, spent } = viewer;
    const drops = { ...figures.drops, here: skippedHere, undecodable };
    const now = { at, received, painted, spent, drops, epoch: this.#clock.epoch };
    const before = this.#before.get(viewer);
    this.#before.set(viewer, now);
    const row = {
      at,
      captured: known(figures.captured_fps),
      encoded: sum(figures.encoded_fps, figures.passed_fps),
      kbps: (viewer.bytesPerSecond * 8) / 1000,
      viewers: known(figures.viewers),
    };
    const seconds = before ? at - before.at : Infinity;
    if (seconds > MAX_PAUSE_S) return row;
    return Object.assign(row, ratesOf(now, before, seconds), this.#latency(now, before, figures));
  }

  #latency(now, before, figures) {
    const spent = subtract(now.spent, before.spent ?? ZERO);
    // If a clock was set in between, times cannot be compared.
    const offsetS = this.#clock.known && now.epoch === before.epoch ? this.#clock.offset : NaN;
    const split = splitLatency(figures, spent, now.painted - before.painted, offsetS);
    return { ...split, total: totalOf(split) };
  }

  #serverRow(at, process, bytesPerSecond) {
    const refused = Object.values(process.refused ?? {}).reduce((all, count) => all + count, 0);
    const before = this.#refused ?? refused;
    this.#refused = refused;
    return {
      at,
      cpu: known(process.cpu_percent),
      lag: known(process.hub_lag_ms),
      lagP99: known(process.hub_lag_p99_ms),
      memory: known(process.rss_bytes),
      connections: known(process.connections),
      descriptors: known(process.descriptors),
      refused: Math.max(0, refused - before),
      kbps: (bytesPerSecond * 8) / 1000,
    };
  }
}

function ratesOf(now, before, seconds) {
  const rates = {
    delivered: Math.max(0, now.received - before.received) / seconds,
    painted: Math.max(0, now.painted - before.painted) / seconds,
    drops: 0,
    'drop:other': 0,
  };
  for (const reason of DROPS) rates[`drop:${reason}`] = 0;
  for (const [reason, count] of Object.entries(now.drops)) {
    // Totals are reset when the server restarts.
    const dropped = Math.max(0, count - (before.drops[reason] ?? 0)) / seconds;
    rates[`drop:${KNOWN.has(reason) ? reason : 'other'}`] += dropped;
    rates.drops += dropped;
  }
  return rates;
}

function subtract(now, before) {
  return {
    transitMs: now.transitMs - before.transitMs,
    decodeMs: now.decodeMs - before.decodeMs,
    paintMs: now.paintMs - before.paintMs,
  };
}

function sum(...values) {
  return values.some(Number.isFinite) ? values.reduce((all, value) => all + (value || 0), 0) : null;
}
