/**
 * Where pictures are received, decoded and painted: in a worker where the browser can, so that a busy page
 * does not delay them, else on the page's own thread. Either way `backstage.js` does it.
 *
 * @typedef {object} Place
 * @property {Worker | LocalPort} port  Leads to the backstage.
 * @property {(canvas: HTMLCanvasElement) => HTMLCanvasElement | OffscreenCanvas} surfaceOf  What is painted
 *   on there so that it appears on the canvas here. Once per canvas.
 */
import { LocalPort } from './localport.js';

/**
 * Begun as soon as this module is loaded, which the page does first of all: a worker takes a while to start,
 * and meanwhile the rest of the page is loaded.
 *
 * @type {Promise<Place>}
 */
export const place = openPlace();

/** @returns {Promise<Place>} */
async function openPlace() {
  const worker = await openWorker();
  if (worker !== null) return { port: worker, surfaceOf: (canvas) => canvas.transferControlToOffscreen() };
  // Only now: a page with a worker has no use for all that is behind it.
  const { Backend } = await import('../stream/backend.js');
  const [near, far] = LocalPort.pair();
  new Backend(far);
  return { port: near, surfaceOf: (canvas) => canvas };
}

/** @returns {Promise<Worker | null>} */
async function openWorker() {
  if (!('transferControlToOffscreen' in HTMLCanvasElement.prototype)) return null;
  try {
    const worker = new Worker(new URL('../stream/worker.js', import.meta.url), { type: 'module', name: 'backstage' });
    if (await starts(worker)) return worker;
    worker.terminate();
  } catch {
    // Some browsers throw where others send an error event: a policy on the way forbids workers.
  }
  return null;
}

// The worker says that it can do everything; where it cannot, or where modules are unknown to workers, it
// ends with an error. No canvas is handed over before that, because one cannot be taken back.
function starts(worker) {
  const heard = new AbortController();
  return new Promise((resolve) => {
    const settle = (event) => {
      // Later errors are faults of ours, and go to the console.
      heard.abort();
      event.preventDefault();
      resolve(event.type === 'message');
    };
    for (const type of ['message', 'error']) worker.addEventListener(type, settle, { signal: heard.signal });
  });
}
