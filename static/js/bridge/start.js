/**
 * Starts the backend (`stream/backend.js`), which receives, decodes and paints the pictures: in a worker if the
 * browser can do that, so that a busy page does not delay them, else on the page's own thread.
 *
 * @typedef {object} Channel
 * @property {Worker | LocalPort} port  Leads to the backend.
 * @property {(canvas: HTMLCanvasElement) => HTMLCanvasElement | OffscreenCanvas} surfaceOf  Returns what the
 *   backend paints on to fill this canvas. Call it once per canvas.
 */
import { LocalPort } from './localport.js';

/**
 * Opened when this module is loaded, before anything else on the page: a worker takes a while to start, and the rest
 * of the page loads meanwhile.
 *
 * @type {Promise<Channel>}
 */
export const channel = openChannel();

/** @returns {Promise<Channel>} */
async function openChannel() {
  const worker = await openWorker();
  if (worker !== null) return { port: worker, surfaceOf: (canvas) => canvas.transferControlToOffscreen() };
  // Loaded only now, because a page with a worker does not need it.
  const { Backend } = await import('../stream/backend.js');
  const [near, far] = LocalPort.pair();
  new Backend(far);
  return { port: near, surfaceOf: (canvas) => canvas };
}

/** @returns {Promise<Worker | null>} */
async function openWorker() {
  if (!('transferControlToOffscreen' in HTMLCanvasElement.prototype)) return null;
  try {
    const worker = new Worker(new URL('../stream/worker.js', import.meta.url), { type: 'module', name: 'backend' });
    if (await starts(worker)) return worker;
    worker.terminate();
  } catch {
    // A policy forbids workers; this browser throws where others fire an error event.
  }
  return null;
}

// The worker sends a message if it can do everything. Otherwise, or if the browser does not support modules in
// workers, it ends with an error. No canvas is transferred before that, because a transfer cannot be undone.
function starts(worker) {
  const settled = new AbortController();
  return new Promise((resolve) => {
    const settle = (event) => {
      // Later errors are our own bugs, and go to the console.
      settled.abort();
      event.preventDefault();
      resolve(event.type === 'message');
    };
    for (const type of ['message', 'error']) worker.addEventListener(type, settle, { signal: settled.signal });
  });
}
