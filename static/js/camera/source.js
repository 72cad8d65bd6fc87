/** Describes a camera's source, and what this page receives of it. */
import { UNKNOWN, formatBitrate, formatFps, formatSize } from '../ui/format.js';

const CODECS = {
  raw: 'uncompressed', mjpeg: 'MJPEG', h264: 'H.264', hevc: 'H.265', mpeg4: 'MPEG-4', mpeg2video: 'MPEG-2', av1: 'AV1',
  vp8: 'VP8', vp9: 'VP9', png: 'PNG', webp: 'WebP', dvvideo: 'DV',
};

/** Codecs whose pictures do not refer to each other. */
const SINGLE = new Set(['raw', 'mjpeg', 'png', 'webp', 'dvvideo']);

/** Video codecs by the first part of their RFC 6381 names. */
const VIDEO = { avc1: CODECS.h264, avc3: CODECS.h264, hev1: CODECS.hevc, hvc1: CODECS.hevc, av01: CODECS.av1 };

/** Why a picture is smaller than the camera's own. */
const FOR = {
  tile: 'to fit its space',
  network: 'for your link',
  decoding: 'for this browser',
  server: 'because the server is busy',
};

const NO_BREAK = '\u00a0';

/**
 * @typedef {object} Source  Null is unknown.
 * @property {number | null} width
 * @property {number | null} height
 * @property {number | null} fps
 * @property {string | null} codec  FFmpeg's name, or `raw`.
 * @property {number | null} group  Pictures from one key frame to the next.
 * @property {number | null} kbps
 */

/**
 * Describe a source, as in `H.264, 1280 × 720, 30 fps, 1.9 Mbit/s, key frame every 2 s`; a dash if unknown.
 *
 * @param {Source | null} [source]  Missing from older nodes.
 */
export function describeSource(source) {
  if (!source) return UNKNOWN;
  const { width, height, fps, codec, group, kbps } = source;
  const parts = [
    codec === null ? UNKNOWN : (CODECS[codec] ?? codec),
    formatSize(width ?? 0, height ?? 0),
    `${formatFps(fps ?? NaN)} fps`,
  ];
  if (codec !== 'raw') parts.push(kbps === null ? `${UNKNOWN} kbit/s` : formatBitrate(kbps * 125));
  if (!SINGLE.has(codec)) parts.push(`key frame every ${describeGroup(group, fps)}`);
  return parts.map((part) => part.replaceAll(' ', NO_BREAK)).join(', ');
}

/**
 * Describe what is received, as in `H.264, as sent by the camera` or `H.264, 640 px, for your link`; a dash without a
 * picture.
 *
 * @param {{codec: string | null, rendition: string, renditionReason: string}} viewer
 * @param {import('../grid/tile.js').CameraState} state
 */
export function describeReceived({ codec, rendition, renditionReason }, state) {
  if (!rendition) return UNKNOWN;
  const parts = [codec === null ? 'JPEG' : (VIDEO[codec.split('.', 1)[0]] ?? codec)];
  const whole = rendition === 'full';
  if (whole && (codec === null ? state.passed_through : state.video?.passed_through)) {
    parts.push('as sent by the camera');
  } else {
    parts.push(whole ? 'full size' : `${rendition} px`);
    if (!whole && FOR[renditionReason]) parts.push(FOR[renditionReason]);
  }
  return parts.join(', ');
}

function describeGroup(group, fps) {
  if (group === null) return UNKNOWN;
  if (fps === null) return `${group} pictures`;
  const seconds = group / fps;
  return seconds < 10 ? `${Number(seconds.toFixed(1)) || '<0.1'} s` : `${Math.round(seconds)} s`;
}
