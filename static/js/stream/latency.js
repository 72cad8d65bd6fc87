/**
 * Splits a frame's latency from capture to paint into its parts, for the plots. The latency shown on a tile is
 * computed in bridge/viewer-proxy.js. Uses no DOM.
 *
 * @typedef {object} Spent  Sums over frames, in ms.
 * @property {number} transitMs  From capture, by the server's clock, to arrival, by ours.
 * @property {number} decodeMs   From arrival to decoded, including the wait for the previous frame.
 * @property {number} paintMs    From decoded to painted.
 *
 * @typedef {object} Split  Average per frame, in ms; null while unknown.
 * @property {number | null} capture
 * @property {number | null} encode
 * @property {number | null} wait
 * @property {number | null} network
 * @property {number | null} decode
 * @property {number | null} paint
 */

/** The parts, in the order a frame passes through them. */
export const PARTS = /** @type {const} */ (['capture', 'encode', 'wait', 'network', 'decode', 'paint']);

/**
 * Split the average latency of one second's frames.
 *
 * @param {{capture_ms?: number | null, encode_ms?: number | null, wait_ms?: number | null}} server
 *   The camera's averages from `stats`. Missing ones are unknown, and count as network.
 * @param {Spent} spent   Sums over the frames painted in that second.
 * @param {number} frames Their number.
 * @param {number} offsetS  Seconds to add to our time to get the server's; NaN while unknown.
 * @returns {Split}
 */
export function splitLatency(server, spent, frames, offsetS) {
  const capture = known(server.capture_ms);
  const encode = known(server.encode_ms);
  const wait = known(server.wait_ms);
  if (!(frames > 0)) return { capture, encode, wait, network: null, decode: null, paint: null };
  const transit = spent.transitMs / frames + offsetS * 1000;
  // May come out negative: the server averages over all viewers, and the clock offset has an error.
  const network = Math.max(0, transit - (capture ?? 0) - (encode ?? 0) - (wait ?? 0));
  return {
    capture,
    encode,
    wait,
    network: known(network),
    decode: known(spent.decodeMs / frames),
    paint: known(spent.paintMs / frames),
  };
}

/** @param {Split} split  @returns {number | null} null while the browser's part is unknown */
export function totalOf(split) {
  if (split.network === null || split.decode === null || split.paint === null) return null;
  return PARTS.reduce((sum, part) => sum + (split[part] ?? 0), 0);
}

/** @param {unknown} value  @returns {number | null} null unless it is a number */
export function known(value) {
  return Number.isFinite(value) ? value : null;
}
