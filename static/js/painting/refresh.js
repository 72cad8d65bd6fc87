// Longer than the refresh interval of the slowest screen, short enough for smooth motion.
const HIDDEN_MS = 70;

/**
 * Call back once at the next refresh of the screen, or soon if there is none: a hidden page is not refreshed,
 * but its picture may be in a small window of its own (popout.js).
 *
 * Uses no document: it may run in a worker.
 *
 * @param {() => void} callback
 * @returns {() => void} cancels it
 */
export function onRefresh(callback) {
  const cancel = () => {
    cancelAnimationFrame(request);
    clearTimeout(timer);
  };
  const once = () => {
    cancel();
    callback();
  };
  const request = requestAnimationFrame(once);
  const timer = setTimeout(once, HIDDEN_MS);
  return cancel;
}
