/** Copies a camera's picture to the clipboard. */
import { decodeJpeg } from '../painting/jpeg.js';
import { inSentence } from '../ui/format.js';
import { fetchJpeg } from './snapshot.js';

/** The reason why nothing was copied, for people. */
export class ClipboardError extends Error {}

/**
 * Copy a tile's picture as PNG, the only image format browsers accept.
 *
 * @param {import('../grid/tile.js').Tile} tile
 * @throws {ClipboardError} If the browser cannot do it, or there is no picture.
 */
export async function copyPicture(tile) {
  if (!navigator.clipboard?.write || typeof ClipboardItem === 'undefined') {
    throw new ClipboardError(
      window.isSecureContext
        ? 'This browser cannot copy pictures. Press “s” to save the picture as a file.'
        : 'Browsers copy pictures only from pages on https or localhost. Press “s” to save it as a file.',
    );
  }
  const png = readPng(tile);
  // The reason why there is no picture is more useful than the browser's error.
  let fault = null;
  png.catch((error) => {
    fault = error;
  });
  try {
    // Call this while the picture is still loading: some browsers allow it only right after a key or click.
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': png })]);
  } catch {
    throw fault instanceof ClipboardError
      ? fault
      : new ClipboardError('The browser did not copy the picture. Press “s” to save it as a file.');
  }
}

async function readPng(tile) {
  const { jpeg } = (await fetchJpeg(tile)) ?? {};
  if (!jpeg) throw new ClipboardError(`${inSentence(tile.title)} has no picture to copy yet.`);
  const bitmap = await decodeJpeg(jpeg);
  const { width, height } = bitmap;
  const canvas = makeCanvas(width, height);
  canvas.getContext('2d').drawImage(bitmap, 0, 0);
  bitmap.close();
  if (canvas.convertToBlob) return canvas.convertToBlob({ type: 'image/png' });
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}

function makeCanvas(width, height) {
  if (typeof OffscreenCanvas === 'function') return new OffscreenCanvas(width, height);
  return Object.assign(document.createElement('canvas'), { width, height });
}
