// Longer than the slowest screen takes, short enough for a picture that moves.
const HIDDEN_MS = 70;

/**
 * Call back once when the screen is refreshed next. A page that is hidden is not refreshed at all, but its
 * picture may be in a small window of its own (popout.js): then soon all the same.
 *
 * Knows no document: it may run in a worker.
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
