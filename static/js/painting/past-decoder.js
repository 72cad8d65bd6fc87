/**
 * Decodes one camera's video of the past like UnitDecoder, but in a worker that all cameras share.
 *
 * A seek sends a whole group at once, up to the wanted picture. A browser passes units to its decoder only between two
 * tasks of the calling thread: on the thread that paints the live pictures of other cameras, a group took three times as
 * long as here.
 *
 *     put ─► decoding-worker.js: UnitDecoder ─► onDecoded
 */
import { UnitDecoder } from './unit-decoder.js';

/** @type {Worker | null} */
let worker = null;
let unusable = typeof Worker === 'undefined';
/** @type {Map<number, PastDecoder>} */
const decoders = new Map();
let opened = 0;

/** Start the worker early, because that takes a while. */
export function preparePastDecoder() {
  if (worker === null && !unusable) worker = startWorker();
}

/**
 * Open a decoder; on this thread if workers are unavailable.
 *
 * @param {ConstructorParameters<typeof UnitDecoder>[0]} hooks
 * @returns {PastDecoder | UnitDecoder}
 */
export function openPastDecoder(hooks) {
  preparePastDecoder();
  return worker === null ? new UnitDecoder(hooks) : new PastDecoder(worker, hooks);
}

class PastDecoder {
  #worker;
  #hooks;
  #id;
  // Frames to be shown, by order.
  #frames = new Map();
  #last = null;

  constructor(port, hooks) {
    this.#worker = port;
    this.#hooks = hooks;
    opened += 1;
    this.#id = opened;
    decoders.set(this.#id, this);
  }

  /** Whether a frame to be shown is still being decoded. */
  get busy() {
    return this.#frames.size > 0;
  }

  /** Prepare the decoder. @param {string} codec */
  prepare(codec) {
    this.#worker.postMessage({ id: this.#id, codec });
  }

  /** @param {import('./painter.js').Received} frame  Its bytes are transferred. */
  put(frame) {
    const { header, bytes, shown, order } = frame;
    const { key, codec, rendition, live, units } = header;
    this.#last = frame;
    if (shown) this.#frames.set(order, frame);
    this.#worker.postMessage({ id: this.#id, unit: { header: { key, codec, rendition, live, units }, bytes, shown, order } }, [bytes]);
  }

  /** Forget everything, for good. */
  close() {
    if (decoders.delete(this.#id)) this.#worker.postMessage({ id: this.#id, unit: null });
  }

  /** Handle a message from the worker. */
  take({ type, order, picture, fault, lost }) {
    const frame = this.#frames.get(order);
    this.#frames.delete(order);
    if (type === 'failed') {
      this.fail(fault, lost ? this.#last : null);
    } else if (type === 'skipped') {
      this.#hooks.onSkipped(frame);
    } else {
      frame.decodedMs = performance.now();
      this.#hooks.onDecoded(frame, picture);
    }
  }

  /** Close it; frames still in it are lost. */
  fail(fault, frame = this.#last) {
    this.close();
    for (const one of this.#frames.values()) this.#hooks.onSkipped(one);
    this.#hooks.onFailed(fault, frame);
  }
}

function startWorker() {
  try {
    const started = new Worker(new URL('./decoding-worker.js', import.meta.url), { type: 'module', name: 'decoder' });
    started.addEventListener('message', ({ data }) => {
      const decoder = decoders.get(data.id);
      if (decoder === undefined) data.picture?.close();
      else decoder.take(data);
    });
    // A policy forbids workers, or the browser does not support modules in them.
    started.addEventListener('error', (event) => {
      event.preventDefault();
      unusable = true;
      worker = null;
      for (const decoder of [...decoders.values()]) decoder.fail('broken');
    });
    return started;
  } catch {
    unusable = true;
    return null;
  }
}
