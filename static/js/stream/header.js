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
 * @property {boolean} live     False of the past: then `seq` and `at` can go back.
 * @property {number} seek      Of the past: the number of the seek that it is sent for.
 * @property {number[] | null} units  The bytes of each of several units; all but the last are only decoded, only the first
 *   can be a key picture, and the rest is of the last.
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
  const { key = true, catch_up: catchUp = false, live = true, seek = 0, units = null } = /** @type {any} */ (raw);
  if (!Number.isSafeInteger(seek) || (units !== null && !areSizes(units))) return null;
  const how = { key: key === true, catchUp: catchUp === true, live: live !== false, seek, units };
  return { camera, seq, at, width, height, rendition: String(rendition), codec, ...how };
}

/** Whether these are the bytes that a header tells of. @param {FrameHeader} header @param {ArrayBuffer} bytes */
export function isWhole({ units }, bytes) {
  return units === null || units.reduce((all, size) => all + size, 0) === bytes.byteLength;
}

function areSizes(units) {
  return Array.isArray(units) && units.length > 0 && units.every((size) => Number.isSafeInteger(size) && size > 0);
}

function isSide(pixels) {
  return Number.isInteger(pixels) && pixels > 0 && pixels <= MAX_SIDE;
}
