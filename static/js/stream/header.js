/**
 * Parses the header in front of the picture in every `frame` event.
 *
 * @typedef {object} FrameHeader
 * @property {string} camera
 * @property {number} seq      Capture number; only increases.
 * @property {number} at       Capture time, Unix seconds on the server's clock.
 * @property {number} width    Pixels of the picture that follows.
 * @property {number} height
 * @property {string} rendition
 * @property {string | null} codec  RFC 6381 name if this is video; null for JPEG.
 * @property {boolean} key      Whether it can be decoded by itself.
 * @property {boolean} catchUp  Decode it without showing it: a newer frame follows immediately.
 * @property {boolean} live     False for frames of the past, whose `seq` and `at` can go back.
 * @property {number} seek      For frames of the past: the number of the seek they answer.
 * @property {number[] | null} units  Sizes in bytes if there are several units. Only the last one is shown, and the
 *   header describes it; only the first can be a key frame.
 */

// Some browsers reject a larger canvas; a header with such a size is wrong anyway.
const MAX_SIDE = 16384;

/**
 * Return the header, or null if it is malformed: a bad size must not reach a canvas.
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

/** Whether the sizes in the header add up to these bytes. @param {FrameHeader} header @param {ArrayBuffer} bytes */
export function isWhole({ units }, bytes) {
  return units === null || units.reduce((all, size) => all + size, 0) === bytes.byteLength;
}

function areSizes(units) {
  return Array.isArray(units) && units.length > 0 && units.every((size) => Number.isSafeInteger(size) && size > 0);
}

function isSide(pixels) {
  return Number.isInteger(pixels) && pixels > 0 && pixels <= MAX_SIDE;
}
