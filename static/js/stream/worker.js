/** The worker's entry point: starts the backend if the browser has what it needs. See bridge/start.js. */
import { Backend } from './backend.js';

const able =
  typeof createImageBitmap === 'function' &&
  typeof requestAnimationFrame === 'function' &&
  new OffscreenCanvas(1, 1).getContext('2d') !== null;
if (!able) throw new Error('this browser cannot paint in a worker');

new Backend(self);
self.postMessage({ type: 'ready' });
