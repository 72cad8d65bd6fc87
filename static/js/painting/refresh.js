import { Pace } from './pace.js';

// Longer than the refresh interval of the slowest screen, short enough for smooth motion.
const HIDDEN_MS = 70;

/** Callbacks that share the next refresh; many tiles may paint between two. @type {Set<() => void | Promise<void>>} */
const waiting = new Set();
/** Callbacks being called now, one after the other. @type {typeof waiting} */
const due = new Set();
let request = 0;
let timer = 0;
let calledMs = -Infinity;

/** The pace of everything this thread paints. */
export const pace = new Pace();

/**
 * Call back once at the next screen refresh, or soon if there is none: a hidden page is not refreshed, but its
 * picture may be in a small window of its own (popout.js). At a slower pace, all callbacks come later, together.
 *
 * Uses no DOM, so it can run in a worker.
 *
 * @param {() => void | Promise<void>} callback  A new function for each call. Callbacks run one after the other.
 * @returns {() => void} cancels it
 */
export function onRefresh(callback) {
  if (waiting.size === 0) {
    const nowMs = performance.now();
    const intervalMs = pace.intervalMs(nowMs);
    if (intervalMs === 0) request = requestAnimationFrame(callAll);
    timer = setTimeout(callAll, intervalMs === 0 ? HIDDEN_MS : calledMs + intervalMs - nowMs);
  }
  waiting.add(callback);
  return () => {
    due.delete(callback);
    if (waiting.delete(callback) && waiting.size === 0) stop();
  };
}

async function callAll() {
  stop();
  calledMs = performance.now();
  for (const callback of waiting) due.add(callback);
  waiting.clear();
  for (const callback of due) {
    due.delete(callback);
    try {
      await callback();
    } catch (error) {
      // One tile's error must not keep the others from being painted.
      reportError(error);
    }
  }
}

function stop() {
  cancelAnimationFrame(request);
  clearTimeout(timer);
}
