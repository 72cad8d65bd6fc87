/**
 * What is plotted of every camera and of the server: a sample with each `stats`, kept for some minutes
 * whether anybody looks or not, so that a plot is full when it is opened.
 */
import { nowUnix } from '../stream/clock.js';
import { splitLatency, totalOf } from '../stream/latency.js';
import { Ring } from './ring.js';

/** How much is kept of a camera, and of the server. */
export const CAMERA_S = 120;
export const SERVER_S = 300;

/** Reasons for which frames are skipped, as `stats` names them, and the two that are ours; all else is `other`. */
export const DROPS = /** @type {const} */ ([
  'replaced', 'credit', 'unsent', 'gone', 'encode', 'error', 'broken', 'processing', 'unprocessed', 'bus', 'junk',
  'behind', 'here', 'undecodable',
]);
const KNOWN = new Set(DROPS);

// Beyond this a pause is no second any more, and what it brings is no rate of one.
const MAX_PAUSE_S = 5;

const NOTHING = { transitMs: 0, decodeMs: 0, paintMs: 0 };

export class Samples {
  #clock;
  /** @type {Map<string, Ring>} */
  #cameras = new Map();
  #server = new Ring(SERVER_S);
  // By viewer and not by name: a camera that went and came back is counted from the start.
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

  /** The server is gone: leave a gap, over which no line is drawn. */
  interrupt() {
    const gap = { at: nowUnix() };
    for (const ring of [...this.#cameras.values(), this.#server]) {
      // One gap is enough, however often we fail to come back.
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
    const now = { at, received, painted, spent, drops, doubts: this.#clock.doubts };
    const before = this.#before.get(viewer);
    this.#before.set(viewer, now);
    const row = {
      at,
      captured: number(figures.captured_fps),
      encoded: sum(figures.encoded_fps, figures.passed_fps),
      kbps: (viewer.bytesPerSecond * 8) / 1000,
      viewers: number(figures.viewers),
    };
    const seconds = before ? at - before.at : Infinity;
    if (seconds > MAX_PAUSE_S) return row;
    return Object.assign(row, ratesOf(now, before, seconds), this.#latency(now, before, figures));
  }

  #latency(now, before, figures) {
    const spent = subtract(now.spent, before.spent ?? NOTHING);
    // Of frames on both sides of a clock being set, nothing can be said.
    const offsetS = this.#clock.known && now.doubts === before.doubts ? this.#clock.offset : NaN;
    const split = splitLatency(figures, spent, now.painted - before.painted, offsetS);
    return { ...split, total: totalOf(split) };
  }

  #serverRow(at, process, bytesPerSecond) {
    const refused = Object.values(process.refused ?? {}).reduce((all, count) => all + count, 0);
    const before = this.#refused ?? refused;
    this.#refused = refused;
    return {
      at,
      cpu: number(process.cpu_percent),
      lag: number(process.hub_lag_ms),
      lagP99: number(process.hub_lag_p99_ms),
      memory: number(process.rss_bytes),
      connections: number(process.connections),
      descriptors: number(process.descriptors),
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
    // Totals begin anew with the server.
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

function number(value) {
  return Number.isFinite(value) ? value : null;
}

function sum(...values) {
  return values.some(Number.isFinite) ? values.reduce((all, value) => all + (value || 0), 0) : null;
}
