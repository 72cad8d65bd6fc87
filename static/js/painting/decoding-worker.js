/**
 * The entry point of the worker that decodes the past; see past-decoder.js.
 *
 * It receives {id, unit}, where a null unit closes that decoder, or {id, codec} to prepare it. For each unit to be shown,
 * it sends {id, type, order}: `decoded` with the `picture`, or `skipped`. When a decoder fails, it sends
 * {id, type: 'failed', fault, lost}.
 */
import { decodableFamilies } from './codecs.js';
import { UnitDecoder } from './unit-decoder.js';

/** @type {Map<number, UnitDecoder>} */
const decoders = new Map();

// Ask early: the browser's first answer takes a while.
decodableFamilies();

self.addEventListener('message', ({ data: { id, unit, codec } }) => {
  if (unit === null) {
    decoders.get(id)?.close();
    decoders.delete(id);
    return;
  }
  if (!decoders.has(id)) decoders.set(id, open(id));
  if (unit === undefined) decoders.get(id).prepare(codec);
  else decoders.get(id).put({ ...unit, receivedMs: performance.now() });
});

function open(id) {
  return new UnitDecoder({
    onDecoded: ({ shown, order }, picture) => {
      if (shown) self.postMessage({ id, type: 'decoded', order, picture }, [picture]);
      else picture.close();
    },
    onSkipped: ({ shown, order }) => {
      if (shown) self.postMessage({ id, type: 'skipped', order });
    },
    onHeld: () => {},
    onFailed: (fault, unit) => {
      decoders.delete(id);
      self.postMessage({ id, type: 'failed', fault, lost: unit !== null });
    },
  });
}
