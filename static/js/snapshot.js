/** Saving the picture of a camera as a file. */
import { nowUnix } from './clock.js';
import { snapshotName } from './format.js';

/**
 * Offer the picture of a tile as a download: the JPEG that is on the canvas, as it was received.
 *
 * @param {import('./tile.js').Tile} tile
 * @returns {Promise<string | null>} the file's name; null when there is no picture
 */
export async function saveSnapshot(tile) {
  const picture = await fetchJpeg(tile);
  if (picture === null) return null;
  const name = snapshotName(tile.name, picture.at);
  download(new Blob([picture.jpeg], { type: 'image/jpeg' }), name);
  return name;
}

/**
 * The JPEG that is on a tile's canvas, as it was received.
 *
 * @param {import('./tile.js').Tile} tile
 * @returns {Promise<{jpeg: ArrayBuffer | Blob, at: number} | null>}  `at` is the capture time in Unix seconds.
 */
export async function fetchJpeg(tile) {
  const frame = await tile.viewer.lastFrame();
  if (frame !== null) return { jpeg: frame.jpeg, at: frame.header.at };
  const jpeg = await fetchSnapshot(tile.name);
  return jpeg && { jpeg, at: nowUnix() };
}

// Without a WebSocket the page holds no JPEG of its own.
async function fetchSnapshot(camera) {
  try {
    const response = await fetch(`snapshot/${encodeURIComponent(camera)}.jpg`, { cache: 'no-store' });
    return response.ok ? await response.blob() : null;
  } catch {
    return null;
  }
}

function download(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // Not at once: some browsers read the blob only after the click is over.
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
