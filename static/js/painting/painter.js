/**
 * Paints a camera's frames onto a canvas, immediately, but at most once per screen refresh. Of the decoded pictures
 * only the newest is kept.
 *
 *     JPEG  ─► waiting (newest) ─► decode ─┐
 *                                          ├─► decoded (newest) ─► paint, close ─► animation frame
 *     video ─► unit-decoder.js ────────────┤
 *     past  ─► past-decoder.js ────────────┘
 *
 * Uses no DOM, so it can run in a worker.
 *
 * @typedef {object} Received
 * @property {import('../stream/header.js').FrameHeader} header
 * @property {ArrayBuffer} bytes  A JPEG, or a unit of video.
 * @property {boolean} shown  False if it is decoded only because later units need it.
 * @property {number} receivedMs  Arrival time, by `performance.now()` of the painting thread.
 * @property {number} [decodedMs]  Decoding time, by the same clock.
 * @property {number} [behindMs]  For video: how long units had been waiting when it was decoded.
 * @property {number} [order]  Its number among the frames offered to this painter.
 */
import { drawPicture, drawsSlowly } from './drawing.js';
import { decodeJpeg } from './jpeg.js';
import { openPastDecoder } from './past-decoder.js';
import { onRefresh, pace } from './refresh.js';
import { UnitDecoder } from './unit-decoder.js';

const COPY_QUALITY = 0.95;
// Keep the decoder of the past for the next seek: in a busy browser, a new one takes 10 to 50 ms longer.
const KEPT_MS = 60_000;

export class Painter {
  #canvas;
  #context;
  #hooks;
  #waiting = null;
  #decoding = false;
  /** @type {UnitDecoder | null} */
  #video = null;
  /** @type {ReturnType<typeof openPastDecoder> | null} */
  #past = null;
  // Until when that decoder is kept while live is shown.
  #pastUntilMs = -Infinity;
  // Video has failed; units up to the next key frame cannot be decoded.
  #awaitsKey = false;
  #decoded = null;
  #painting = false;
  // Frames may be decoded in a different order than they arrived, if one is a JPEG and the next a unit of video.
  #offered = 0;
  #newest = 0;
  // Cancels the wait for the next refresh; null without one.
  #cancelRefresh = null;
  // Incremented by reset(), so that the result of a decode in progress is discarded.
  #generation = 0;

  /**
   * @param {HTMLCanvasElement | OffscreenCanvas} canvas  Gets the size of the frames; CSS scales it.
   * @param {object} hooks
   * @param {(frame: Received) => void} hooks.onPainted
   * @param {(frame: Received) => void} hooks.onSkipped  A newer frame replaced it before it was painted.
   * @param {(frame: Received) => void} hooks.onHeld  The decoder holds it until it gets more units.
   * @param {(frame: Received) => void} hooks.onUnpainted  The canvas has lost its context for now.
   * @param {(frame: Received) => void} hooks.onFailed  The bytes are not a JPEG.
   * @param {(fault: import('./unit-decoder.js').VideoFault, unit: Received | null) => void} hooks.onVideoFailed
   *   Video can only continue from a key frame.
   */
  constructor(canvas, hooks) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false });
    this.#hooks = hooks;
  }

  /** How many units are in the decoder of live video. */
  get inDecoder() {
    return this.#video?.inside ?? 0;
  }

  /** @param {Received} frame  If it is to be shown, it must be newer than all earlier ones. */
  offer(frame) {
    this.#offered += 1;
    frame.order = this.#offered;
    if (frame.header.codec === null) this.#offerJpeg(frame);
    else this.#offerUnit(frame);
  }

  /** Give priority to a requested picture of the past. @param {string | null} codec  Its likely codec. */
  expectPast(codec) {
    pace.spare(performance.now());
    this.preparePast(codec);
  }

  /** Prepare a decoder for a picture of the past. @param {string | null} codec  Its likely codec. */
  preparePast(codec) {
    if (codec !== null) this.#openPast().prepare(codec);
  }

  /** Forget every frame that is not painted yet. */
  reset() {
    this.#generation += 1;
    this.#waiting = null;
    this.#awaitsKey = false;
    this.endVideo();
    this.#replaceDecoded(null);
    this.#cancelWait();
  }

  /** Free the video decoders; the next unit must be a key frame. */
  endVideo() {
    this.#video?.close();
    this.#video = null;
    this.#endPast();
  }

  #openPast() {
    this.#pastUntilMs = performance.now() + KEPT_MS;
    this.#past ??= openPastDecoder(this.#decoderHooks(() => (this.#past = null)));
    return this.#past;
  }

  #endPast() {
    this.#past?.close();
    this.#past = null;
  }

  /**
   * Encode what is on the canvas.
   *
   * @param {'image/jpeg' | 'image/png'} type
   * @returns {Promise<Blob>}
   */
  copy(type) {
    const canvas = this.#canvas;
    if ('convertToBlob' in canvas) return canvas.convertToBlob({ type, quality: COPY_QUALITY });
    return new Promise((resolve) => canvas.toBlob(resolve, type, COPY_QUALITY));
  }

  /** Copy what is on the canvas. @returns {Promise<ImageBitmap>} */
  grab() {
    return createImageBitmap(this.#canvas);
  }

  #offerJpeg(frame) {
    if (this.#waiting !== null) this.#hooks.onSkipped(this.#waiting);
    this.#waiting = frame;
    if (!this.#decoding) this.#decodeNext();
  }

  async #decodeNext() {
    this.#decoding = true;
    while (this.#waiting !== null) {
      const frame = this.#waiting;
      const generation = this.#generation;
      this.#waiting = null;
      const bitmap = await decode(frame.bytes);
      frame.decodedMs = performance.now();
      if (generation !== this.#generation) bitmap?.close();
      else if (bitmap === null) this.#hooks.onFailed(frame);
      else this.#schedule(frame, bitmap);
    }
    this.#decoding = false;
  }

  #offerUnit(unit) {
    if (unit.header.key) this.#awaitsKey = false;
    if (this.#awaitsKey) {
      this.#skip(unit);
      return;
    }
    if (unit.header.live) {
      // A picture of the past must not be painted after it.
      if (this.#past?.busy || performance.now() > this.#pastUntilMs) this.#endPast();
      this.#video ??= new UnitDecoder(this.#decoderHooks(() => (this.#video = null)));
      this.#video.put(unit);
    } else {
      this.#openPast().put(unit);
    }
  }

  #decoderHooks(onEnd) {
    const { onHeld, onVideoFailed } = this.#hooks;
    return {
      onDecoded: (frame, picture) => this.#schedule(frame, picture),
      onSkipped: (frame) => this.#skip(frame),
      onHeld,
      onFailed: (fault, frame) => {
        onEnd();
        // Browsers reclaim idle decoders; a new one is opened when needed.
        if (fault === 'reclaimed' && frame === null) return;
        this.#awaitsKey = true;
        onVideoFailed(fault, frame);
      },
    };
  }

  #schedule(frame, image) {
    if (!frame.shown || frame.order < this.#newest) {
      image.close();
      this.#skip(frame);
      return;
    }
    this.#newest = frame.order;
    if (this.#decoded !== null) this.#skip(this.#decoded.frame);
    this.#replaceDecoded({ frame, image });
    // Only for video: surplus JPEGs are not even decoded.
    if (frame.header.live && frame.header.codec !== null) pace.decoded(frame.behindMs, frame.decodedMs, drawsSlowly());
    this.#paintNext();
  }

  #skip(frame) {
    if (frame.shown) this.#hooks.onSkipped(frame);
  }

  // Paint immediately, so that the next refresh shows it, unless the pace is slowed down. Pictures of the past, which
  // somebody asked for, never wait for the pace.
  async #paintNext() {
    if (this.#decoded === null || this.#painting) return;
    if (pace.intervalMs(performance.now()) > 0) {
      if (!this.#decoded.frame.header.live) this.#cancelWait();
      else if (this.#cancelRefresh === null) this.#waitForRefresh();
    }
    if (this.#cancelRefresh === null) await this.#paint();
  }

  #waitForRefresh() {
    this.#cancelRefresh = onRefresh(() => {
      this.#cancelRefresh = null;
      return this.#decoded === null || this.#painting ? undefined : this.#paint();
    });
  }

  #cancelWait() {
    this.#cancelRefresh?.();
    this.#cancelRefresh = null;
  }

  async #paint() {
    // No other painting before the next refresh.
    this.#waitForRefresh();
    const { frame, image } = this.#decoded;
    const generation = this.#generation;
    this.#decoded = null;
    this.#painting = true;
    // Without a context, drawing has no effect; once the browser restores it, the next frame is painted.
    const isLost = this.#context.isContextLost?.() ?? false;
    try {
      if (!isLost) await this.#draw(image, frame.header, () => generation === this.#generation);
    } finally {
      image.close();
      this.#painting = false;
    }
    if (!frame.header.live) pace.resume();
    if (generation === this.#generation) {
      if (isLost) this.#hooks.onUnpainted(frame);
      else this.#hooks.onPainted(frame);
    }
    await this.#paintNext();
  }

  #draw(image, { width, height }, isWanted) {
    return drawPicture(image, width, height, (draw) => {
      if (!isWanted()) return;
      // Setting the size clears the canvas, so only on a change; the picture follows in the same task.
      if (this.#canvas.width !== width || this.#canvas.height !== height) {
        this.#canvas.width = width;
        this.#canvas.height = height;
      }
      draw(this.#context);
    });
  }

  #replaceDecoded(decoded) {
    this.#decoded?.image.close();
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
