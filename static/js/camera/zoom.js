/**
 * The arithmetic of zooming. A look is drawn as `translate(x, y) scale(scale)` about the middle of the frame;
 * lengths are CSS pixels from there.
 *
 * @typedef {{scale: number, x: number, y: number}} Look
 * @typedef {object} Frame
 * @property {number} width   Of the frame.
 * @property {number} height
 * @property {number} ratio   Width by height of the picture, which fits into the frame.
 */

export const WHOLE = Object.freeze({ scale: 1, x: 0, y: 0 });
export const MAX_SCALE = 8;

// Below this, zooming out snaps to the whole picture: fingers are not precise.
const SNAP = 1.03;

/** Keep the edges of the picture outside the frame. @param {Look} look @param {Frame} frame @returns {Look} */
export function clampLook(look, frame) {
  const scale = Math.min(MAX_SCALE, Math.max(1, look.scale));
  if (scale <= 1) return WHOLE;
  const width = Math.min(frame.width, frame.height * frame.ratio);
  const height = Math.min(frame.height, frame.width / frame.ratio);
  return {
    scale,
    x: within(look.x, (width * scale - frame.width) / 2),
    y: within(look.y, (height * scale - frame.height) / 2),
  };
}

/**
 * Scale about a point, which stays in place on the screen as far as the edges allow.
 *
 * @param {Look} look
 * @param {number} scale
 * @param {{x: number, y: number}} point
 * @param {Frame} frame
 * @returns {Look}
 */
export function scaleAbout(look, scale, point, frame) {
  const to = Math.min(MAX_SCALE, Math.max(1, scale));
  // Only when zooming out: zooming in starts with steps this small.
  if (to < look.scale && to < SNAP) return WHOLE;
  const by = to / look.scale;
  return clampLook(
    { scale: to, x: point.x - (point.x - look.x) * by, y: point.y - (point.y - look.y) * by },
    frame,
  );
}

/** @param {Look} look @param {number} dx @param {number} dy @param {Frame} frame @returns {Look} */
export function moveLook(look, dx, dy, frame) {
  return clampLook({ scale: look.scale, x: look.x + dx, y: look.y + dy }, frame);
}

/**
 * Return which way a finger swiped: mostly sideways, far enough, and not slowly; 0 if it did not.
 *
 * @param {{dx: number, dy: number, ms: number}} stroke
 * @returns {-1 | 0 | 1} 1 (a swipe to the left) for the next.
 */
export function swipeOf({ dx, dy, ms }) {
  if (Math.abs(dx) < 48 || Math.abs(dx) < 2 * Math.abs(dy) || ms > 800) return 0;
  return dx < 0 ? 1 : -1;
}

// A picture smaller than the frame is centred.
function within(value, most) {
  if (most <= 0) return 0;
  return Math.min(most, Math.max(-most, value));
}
