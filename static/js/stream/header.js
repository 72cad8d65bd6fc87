/**
 * The header that comes before the picture of every `frame` event.
 *
 * @typedef {object} FrameHeader
 * @property {string} camera
 * @property {number} seq      Capture number; only increases.
 * @property {number} at       Capture time, Unix seconds on the server's clock.
 * @property {number} width    Pixels of the picture that follows.
 * @property {number} height
 * @property {string} rendition
 * @property {string | null} codec  Of video, by RFC 6381; null of a JPEG.
 * @property {boolean} key      Can be decoded by itself.
 * @property {boolean} catchUp  Is to be decoded, not shown: a newer one follows at once.
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
  const { camera, seq, at, width, height, rendition = 'full', codec = null } = /** @type {any} */ (raw);
  const valid =
    typeof camera === 'string' &&
    Number.isSafeInteger(seq) &&
    Number.isFinite(at) &&
    isSide(width) &&
    isSide(height) &&
    (codec === null || typeof codec === 'string');
  if (!valid) return null;
  const { key = true, catch_up: catchUp = false } = /** @type {any} */ (raw);
  return { camera, seq, at, width, height, rendition: String(rendition), codec, key: key === true, catchUp: catchUp === true };
}

function isSide(pixels) {
  return Number.isInteger(pixels) && pixels > 0 && pixels <= MAX_SIDE;
}
