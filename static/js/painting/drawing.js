/**
 * Draws decoded pictures in whichever way takes this browser less of the thread that paints.
 *
 * With a GPU, to `drawImage` a picture of video costs next to nothing. Without one, Chromium converts it into new memory,
 * half of whose price are fresh pages of the kernel's, and copies that twice. Converted into memory that is used again,
 * and put onto the canvas, a picture takes half of that. Whether there is a GPU cannot be asked, so both are measured.
 *
 * Uses no document: it may run in a worker.
 *
 * @typedef {(context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D) => void} Draw  Draws at once, onto
 *   a canvas of the size that was prepared for.
 */

// Either way is tried so often, and its best time counts: while a page opens most of them take long.
const TRIES = 10;
// A nanosecond a pixel: with a GPU it is a tenth of that, and without one ten times as much.
const FAST_MS = 1e-6;
// Memory for pictures of so many sizes is kept.
const MAX_SPARE = 2;

// The best time is of one pixel.
const drawing = { tries: 0, bestMs: Infinity };
const copying = { tries: 0, bestMs: Infinity };
/** @type {ImageData[]} */
const spare = [];

/**
 * Draw a picture.
 *
 * @param {VideoFrame | ImageBitmap} image
 * @param {number} width  Of the canvas, which the picture fills.
 * @param {number} height
 * @param {(draw: Draw) => void} onReady  Called once, when `draw` may be called, and does that if the picture is still wanted.
 */
export async function drawPicture(image, width, height, onReady) {
  const way = isCopyable(image, width, height) ? chooseWay() : null;
  const beganMs = performance.now();
  if (way !== copying || !(await copyPicture(image, width, height, onReady))) {
    onReady((context) => context.drawImage(image, 0, 0, width, height));
  }
  if (way === null) return;
  way.tries += 1;
  way.bestMs = Math.min(way.bestMs, (performance.now() - beganMs) / (width * height));
}

/** Whether this browser draws without a GPU, as far as that is known: of JPEG it is not. */
export function drawsSlowly() {
  return drawing.tries >= TRIES && drawing.bestMs >= FAST_MS;
}

function chooseWay() {
  if (!drawsSlowly()) return drawing;
  if (copying.tries < TRIES) return copying;
  return copying.bestMs < drawing.bestMs ? copying : drawing;
}

// In memory, of a kind that is known, and as large as the canvas.
function isCopyable(image, width, height) {
  if (typeof VideoFrame === 'undefined' || !(image instanceof VideoFrame) || image.format === null) return false;
  const { displayWidth, displayHeight, visibleRect } = image;
  return displayWidth === width && displayHeight === height && visibleRect.width === width && visibleRect.height === height;
}

async function copyPicture(image, width, height, onReady) {
  const pixels = takeSpare(width, height);
  try {
    await image.copyTo(pixels.data, { format: 'RGBX' });
  } catch {
    // This browser cannot convert it.
    copying.tries = TRIES;
    copying.bestMs = Infinity;
    return false;
  }
  onReady((context) => context.putImageData(pixels, 0, 0));
  spare.unshift(pixels);
  spare.length = Math.min(spare.length, MAX_SPARE);
  return true;
}

function takeSpare(width, height) {
  const at = spare.findIndex((one) => one.width === width && one.height === height);
  return at < 0 ? new ImageData(width, height) : spare.splice(at, 1)[0];
}
