/** The worker's own module: the backstage, if everything it needs is here. See place.js. */
import { Backend } from './backend.js';

const able =
  typeof createImageBitmap === 'function' &&
  typeof requestAnimationFrame === 'function' &&
  new OffscreenCanvas(1, 1).getContext('2d') !== null;
if (!able) throw new Error('this browser cannot paint in a worker');

new Backend(self);
self.postMessage({ type: 'ready' });
