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
  const frame = await tile.viewer.lastFrame();
  const jpeg = frame?.jpeg ?? (await fetchSnapshot(tile.name));
  if (!jpeg) return null;
  const name = snapshotName(tile.name, frame?.header.at ?? nowUnix());
  download(new Blob([jpeg], { type: 'image/jpeg' }), name);
  return name;
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
