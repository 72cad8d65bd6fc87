/**
 * Starts the backend, which receives, decodes and paints the pictures: in a worker where the browser can, so
 * that a busy page does not delay them, else on the page's own thread. Either way it is `stream/backend.js`.
 *
 * @typedef {object} Channel
 * @property {Worker | LocalPort} port  Leads to the backend.
 * @property {(canvas: HTMLCanvasElement) => HTMLCanvasElement | OffscreenCanvas} surfaceOf  Returns what the
 *   backend paints on so that it appears on the canvas here. Once per canvas.
 */
import { LocalPort } from './localport.js';

/**
 * Opened as soon as this module is loaded, which is the first thing the page does: a worker takes a while to
 * start, and the rest of the page is loaded meanwhile.
 *
 * @type {Promise<Channel>}
 */
export const channel = openChannel();

/** @returns {Promise<Channel>} */
async function openChannel() {
  const worker = await openWorker();
  if (worker !== null) return { port: worker, surfaceOf: (canvas) => canvas.transferControlToOffscreen() };
  // Loaded only now: a page with a worker has no use for it.
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
    // A policy forbids workers, and this browser throws where others send an error event.
  }
  return null;
}

// The worker sends a message if it can do everything; if it cannot, or if the browser knows no modules in
// workers, it ends with an error. No canvas is transferred before that, because it cannot be taken back.
function starts(worker) {
  const settled = new AbortController();
  return new Promise((resolve) => {
    const settle = (event) => {
      // Later errors are bugs of ours, and go to the console.
      settled.abort();
      event.preventDefault();
      resolve(event.type === 'message');
    };
    for (const type of ['message', 'error']) worker.addEventListener(type, settle, { signal: settled.signal });
  });
}
