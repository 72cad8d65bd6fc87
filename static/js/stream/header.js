/**
 * The header that comes before the JPEG of every `frame` event.
 *
 * @typedef {object} FrameHeader
 * @property {string} camera
 * @property {number} seq      Capture number; only increases.
 * @property {number} at       Capture time, Unix seconds on the server's clock.
 * @property {number} width    Pixels of the JPEG that follows.
 * @property {number} height
 * @property {string} rendition
 */

// Some browsers reject a larger canvas; a header with such a size is wrong anyway.
const MAX_SIDE = 16384;

/**
 * Return the header, or null if it is malformed: that must not reach a canvas.
 *
 * @param {unknown} raw
 * @returns {FrameHeader | null}
 */
export function parseHeader(raw) {
  if (raw === null || typeof raw !== 'object') return null;
  const { camera, seq, at, width, height, rendition = 'full' } = /** @type {any} */ (raw);
  const valid =
    typeof camera === 'string' &&
    Number.isSafeInteger(seq) &&
    Number.isFinite(at) &&
    isSide(width) &&
    isSide(height);
  return valid ? { camera, seq, at, width, height, rendition: String(rendition) } : null;
}

function isSide(pixels) {
  return Number.isInteger(pixels) && pixels > 0 && pixels <= MAX_SIDE;
}
