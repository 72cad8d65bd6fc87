/**
 * Paints a camera's frames onto a canvas, at once, but not more often than the screen is refreshed. Of what is
 * decoded only the newest is kept.
 *
 *     JPEG  ─► waiting (newest) ─► decode ─┐
 *                                          ├─► decoded (newest) ─► paint, close ─► animation frame
 *     video ─► unit-decoder.js ────────────┤
 *     past  ─► past-decoder.js ────────────┘
 *
 * Uses no document: it may run in a worker.
 *
 * @typedef {object} Received
 * @property {import('../stream/header.js').FrameHeader} header
 * @property {ArrayBuffer} bytes  A JPEG, or a unit of video.
 * @property {boolean} shown  False if it is decoded only because those after it need it.
 * @property {number} receivedMs  When it was received, by `performance.now()` of the thread that paints.
 * @property {number} [decodedMs]  When it was decoded, by the same clock.
 * @property {number} [behindMs]  Of video: how long there had been something to decode when it was decoded.
 * @property {number} [order]  Of those offered to this painter.
 */
import { drawPicture, drawsSlowly } from './drawing.js';
import { decodeJpeg } from './jpeg.js';
import { openPastDecoder } from './past-decoder.js';
import { onRefresh, pace } from './refresh.js';
import { UnitDecoder } from './unit-decoder.js';

const COPY_QUALITY = 0.95;
// A decoder of the past is kept for the next moment: the first picture of a new one takes a busy browser 10 to 50 ms.
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
  // Until when that one is kept while what is live is shown.
  #pastUntilMs = -Infinity;
  // Video has failed, and what follows needs what was lost, up to the next key picture.
  #awaitsKey = false;
  #decoded = null;
  #painting = false;
  // Frames may be decoded in another order than they came in, as one is a JPEG and the next a unit of video.
  #offered = 0;
  #newest = 0;
  // Cancels the wait for the screen, while there is one.
  #cancelRefresh = null;
  // Incremented by reset(), so that the result of a decode in progress is discarded.
  #generation = 0;

  /**
   * @param {HTMLCanvasElement | OffscreenCanvas} canvas  Gets the size of the frames; CSS scales it.
   * @param {object} hooks
   * @param {(frame: Received) => void} hooks.onPainted
   * @param {(frame: Received) => void} hooks.onSkipped  A newer frame replaced it before it was painted.
   * @param {(frame: Received) => void} hooks.onHeld  A decoder keeps it until there are more.
   * @param {(frame: Received) => void} hooks.onUnpainted  The browser took the canvas away, for now.
   * @param {(frame: Received) => void} hooks.onFailed  The bytes are not a JPEG.
   * @param {(fault: import('./unit-decoder.js').VideoFault, unit: Received | null) => void} hooks.onVideoFailed
   *   Video can go on with a key picture only.
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

  /** @param {Received} frame  If it is to be shown, it must be newer than all before. */
  offer(frame) {
    this.#offered += 1;
    frame.order = this.#offered;
    if (frame.header.codec === null) this.#offerJpeg(frame);
    else this.#offerUnit(frame);
  }

  /** A picture of the past was asked for, which nothing shall delay. @param {string | null} codec  As which it may come. */
  expectPast(codec) {
    pace.spare(performance.now());
    this.preparePast(codec);
  }

  /** One may be asked for soon. @param {string | null} codec  As which it may come. */
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

  /** Free the video decoders; the next unit must be a key picture. */
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
      // What is still decoded must not come after it.
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
        // A browser takes a decoder away that has long had nothing to do. There will be another.
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
    // Of JPEG, what is too much is not even decoded.
    if (frame.header.live && frame.header.codec !== null) pace.decoded(frame.behindMs, frame.decodedMs, drawsSlowly());
    this.#paintNext();
  }

  #skip(frame) {
    if (frame.shown) this.#hooks.onSkipped(frame);
  }

  // At once, because the screen shows whatever is there at its next refresh, unless there is too much to paint; and
  // what somebody asked for at once in any case.
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
    // Not again before that.
    this.#waitForRefresh();
    const { frame, image } = this.#decoded;
    const generation = this.#generation;
    this.#decoded = null;
    this.#painting = true;
    // Until it is given back, whatever is drawn is lost; then the next frame is painted.
    const taken = this.#context.isContextLost?.() ?? false;
    try {
      if (!taken) await this.#draw(image, frame.header, () => generation === this.#generation);
    } finally {
      image.close();
      this.#painting = false;
    }
    if (!frame.header.live) pace.resume();
    if (generation === this.#generation) {
      if (taken) this.#hooks.onUnpainted(frame);
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
