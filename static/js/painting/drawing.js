/**
 * Draws decoded pictures in the way that takes the painting thread less time.
 *
 * With a GPU, `drawImage` of a video frame costs next to nothing. Without one, Chromium converts it into newly allocated
 * memory, where page faults are half the cost, and copies that twice. Converting it into reused memory and putting that
 * onto the canvas takes half as long. A page cannot ask whether there is a GPU, so both ways are measured.
 *
 * Uses no DOM, so it can run in a worker.
 *
 * @typedef {(context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D) => void} Draw  Draws synchronously,
 *   onto a canvas of the given size.
 */

// Each way is tried this often and its best time counts, because drawing is slow while a page opens.
const TRIES = 10;
// A nanosecond per pixel; a GPU takes a tenth of that, and drawing without one ten times as long.
const FAST_MS = 1e-6;
// The most buffers kept for reuse.
const MAX_SPARE = 2;

// The best time is per pixel.
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
 * @param {(draw: Draw) => void} onReady  Called once, and calls `draw` if the picture is still wanted.
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

/** Whether this browser draws without a GPU, as far as is known. JPEG does not tell. */
export function drawsSlowly() {
  return drawing.tries >= TRIES && drawing.bestMs >= FAST_MS;
}

function chooseWay() {
  if (!drawsSlowly()) return drawing;
  if (copying.tries < TRIES) return copying;
  return copying.bestMs < drawing.bestMs ? copying : drawing;
}

// Whether the picture is in readable memory and exactly as large as the canvas.
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
