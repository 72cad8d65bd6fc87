/**
 * Choose how many columns show the tiles largest without scrolling.
 *
 * When even the smallest allowed tile does not fit in height, the page scrolls: then as many columns as
 * the smallest width allows are used.
 *
 * @param {object} room
 * @param {number} room.count      Tiles to place.
 * @param {number} room.width      Space for all of them, CSS pixels.
 * @param {number} room.height
 * @param {number} room.gap        Between tiles.
 * @param {number} room.chrome     Height of a tile beside its picture.
 * @param {number} room.minWidth   Narrowest tile that is still readable.
 * @param {number} [room.aspect]   Width by height of the picture.
 * @returns {{columns: number, tileWidth: number}}
 */
export function fitGrid({ count, width, height, gap, chrome, minWidth, aspect = 16 / 9 }) {
  const most = Math.max(1, Math.min(count, Math.floor((width + gap) / (minWidth + gap))));
  let best = { columns: most, tileWidth: columnWidth(width, most, gap) };
  let bestWidth = 0;
  for (let columns = 1; columns <= most; columns += 1) {
    const rows = Math.ceil(count / columns);
    const byHeight = ((height - (rows - 1) * gap) / rows - chrome) * aspect;
    const tileWidth = Math.floor(Math.min(columnWidth(width, columns, gap), byHeight));
    if (tileWidth >= Math.min(minWidth, width) && tileWidth > bestWidth) {
      bestWidth = tileWidth;
      best = { columns, tileWidth };
    }
  }
  return best;
}

function columnWidth(width, columns, gap) {
  return Math.floor((width - (columns - 1) * gap) / columns);
}
