import { Pace } from './pace.js';

// Longer than the refresh interval of the slowest screen, short enough for smooth motion.
const HIDDEN_MS = 70;

/** Who waits: all together for one refresh, as many tiles may paint between two. @type {Set<() => void | Promise<void>>} */
const waiting = new Set();
/** Who is called now, one after the other. @type {typeof waiting} */
const due = new Set();
let request = 0;
let timer = 0;
let calledMs = -Infinity;

/** Of all pictures that this thread paints. */
export const pace = new Pace();

/**
 * Call back once at the next refresh of the screen, or soon if there is none: a hidden page is not refreshed,
 * but its picture may be in a small window of its own (popout.js). Later while the pace is slower, all together.
 *
 * Uses no document: it may run in a worker.
 *
 * @param {() => void | Promise<void>} callback  Another one for each call. The next one is called when it is done.
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
      // Of one tile: the others are painted all the same.
      reportError(error);
    }
  }
}

function stop() {
  cancelAnimationFrame(request);
  clearTimeout(timer);
}
