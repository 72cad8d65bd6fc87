/** Saves the picture of a camera as a file. */
import { nowUnix } from '../stream/clock.js';
import { snapshotName } from '../ui/format.js';

const TIMEOUT_MS = 3000;

/**
 * Download a tile's picture.
 *
 * @param {import('../grid/tile.js').Tile} tile
 * @returns {Promise<string | null>} the file's name; null if there is no picture
 */
export async function saveSnapshot(tile) {
  const picture = await fetchJpeg(tile);
  if (picture === null) return null;
  const name = snapshotName(tile.name, picture.at);
  download(new Blob([picture.jpeg], { type: 'image/jpeg' }), name);
  return name;
}

/**
 * Return a tile's picture in full size: the one on the canvas or, if that is a smaller rendition of a live camera,
 * the server's newest one.
 *
 * @param {import('../grid/tile.js').Tile} tile
 * @returns {Promise<{jpeg: ArrayBuffer | Blob, at: number} | null>}  `at` is the capture time in Unix seconds.
 */
export async function fetchJpeg(tile) {
  const frame = await tile.viewer.lastPicture();
  const shown = frame && { jpeg: frame.jpeg, at: frame.header.at };
  if (shown !== null && (frame.header.rendition === 'full' || tile.condition !== 'live')) return shown;
  return (await fetchSnapshot(tile.name)) ?? shown;
}

async function fetchSnapshot(camera) {
  try {
    const address = `snapshot/${encodeURIComponent(camera)}.jpg`;
    const response = await fetch(address, { cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) return null;
    const at = Number(response.headers.get('X-Timestamp')) || nowUnix();
    return { jpeg: await response.blob(), at };
  } catch {
    return null;
  }
}

function download(blob, name) {
  const anchor = document.createElement('a');
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  // Not at once: some browsers read the blob only after the click.
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10000);
}
