/**
 * Paints JPEGs onto a canvas: decodes one at a time, keeps only the newest of those that wait, and paints at
 * once, but not more often than the screen is refreshed.
 *
 *     offer ─► waiting (newest) ─► decode ─► decoded (newest) ─► paint, close ─► animation frame
 *
 * Uses no document: it may run in a worker.
 *
 * @typedef {object} Received
 * @property {import('../stream/header.js').FrameHeader} header
 * @property {ArrayBuffer} jpeg
 * @property {number} receivedMs  When it was received, by `performance.now()` of the thread that paints.
 * @property {number} [decodedMs]  When it was decoded, by the same clock.
 */
import { decodeJpeg } from './jpeg.js';
import { onRefresh } from './refresh.js';

export class Painter {
  #canvas;
  #context;
  #onPainted;
  #onSkipped;
  #onFailed;
  #waiting = null;
  #decoding = false;
  #decoded = null;
  // Cancels the wait for the screen, while there is one.
  #cancelRefresh = null;
  // Incremented by reset(), so that the result of a decode in progress is discarded.
  #generation = 0;

  /**
   * @param {HTMLCanvasElement | OffscreenCanvas} canvas  Gets the size of the frames; CSS scales it.
   * @param {object} hooks
   * @param {(frame: Received) => void} hooks.onPainted
   * @param {(frame: Received) => void} hooks.onSkipped  A newer frame replaced it before it was painted.
   * @param {(frame: Received) => void} hooks.onFailed  The bytes are not a JPEG.
   */
  constructor(canvas, { onPainted, onSkipped, onFailed }) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false });
    this.#onPainted = onPainted;
    this.#onSkipped = onSkipped;
    this.#onFailed = onFailed;
  }

  /** @param {Received} frame  Must be newer than all before. */
  offer(frame) {
    if (this.#waiting !== null) this.#onSkipped(this.#waiting);
    this.#waiting = frame;
    if (!this.#decoding) this.#decodeNext();
  }

  /** Forget every frame that is not painted yet. */
  reset() {
    this.#generation += 1;
    this.#waiting = null;
    this.#replaceDecoded(null);
    this.#cancelRefresh?.();
    this.#cancelRefresh = null;
  }

  async #decodeNext() {
    this.#decoding = true;
    while (this.#waiting !== null) {
      const frame = this.#waiting;
      const generation = this.#generation;
      this.#waiting = null;
      const bitmap = await decode(frame.jpeg);
      frame.decodedMs = performance.now();
      if (generation !== this.#generation) bitmap?.close();
      else if (bitmap === null) this.#onFailed(frame);
      else this.#schedule({ frame, bitmap });
    }
    this.#decoding = false;
  }

  #schedule(decoded) {
    if (this.#decoded !== null) this.#onSkipped(this.#decoded.frame);
    this.#replaceDecoded(decoded);
    if (this.#cancelRefresh === null) this.#paint();
  }

  // At once, because the screen shows whatever is there at its next refresh; then not again before that.
  #paint() {
    this.#cancelRefresh = onRefresh(() => {
      this.#cancelRefresh = null;
      if (this.#decoded !== null) this.#paint();
    });
    const { frame, bitmap } = this.#decoded;
    const { width, height } = frame.header;
    // Setting the size clears the canvas, so only on a change; the picture follows in the same task.
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#context.drawImage(bitmap, 0, 0, width, height);
    this.#replaceDecoded(null);
    this.#onPainted(frame);
  }

  #replaceDecoded(decoded) {
    this.#decoded?.bitmap.close();
    this.#decoded = decoded;
  }
}

/** @returns {Promise<ImageBitmap | null>} */
async function decode(jpeg) {
  try {
    return await decodeJpeg(jpeg);
  } catch {
    return null;
  }
}
