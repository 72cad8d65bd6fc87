/**
 * Places the tiles in the grid so that their pictures are as large as possible. All in CSS pixels.
 *
 * @typedef {{x: number, y: number, width: number, height: number}} Box
 *
 * @typedef {object} Room
 * @property {number[]} ratios   Width by height of each picture, in order.
 * @property {number} width      Space for all tiles.
 * @property {number} height
 * @property {number} gap        Between tiles.
 */

const USUAL_RATIO = 16 / 9;

// A picture narrower or wider than this gets bars, so that it does not shrink the others in its row.
const MIN_RATIO = 9 / 16;
const MAX_RATIO = 3;

// If the page scrolls anyway, tiles may be larger than the minimum.
const COMFORT = 1.2;

// If the page scrolls, no row is higher than this share of the room.
const MAX_SHARE = 0.85;

/**
 * Place tiles in justified rows: all rows are equally wide, and the pictures of a row have the same height, each as
 * wide as its ratio demands. So the tiles share their edges, and no picture has bars.
 *
 * Chooses the number of rows that shows the pictures largest without scrolling. If some would be lower than
 * `minHeight`, or if two do not fit side by side, as on a phone, the page scrolls and uses its whole width.
 *
 * @param {Room & {minHeight: number}} room
 * @returns {{boxes: Box[], height: number}}  `height` covers all tiles, and is at least the room's.
 */
export function packRows({ ratios, width, height, gap, minHeight }) {
  const pictures = ratios.map((ratio) => Math.min(MAX_RATIO, Math.max(MIN_RATIO, ratio || USUAL_RATIO)));
  const room = { pictures, width, height, gap };
  const mostRows = Math.floor((height + gap) / (minHeight + gap));
  const isNarrow = width < height && (width - gap) / 2 < minHeight * USUAL_RATIO;
  let best = null;
  for (const rows of isNarrow ? [] : partitions(room, Math.min(pictures.length, mostRows))) {
    const heights = fitRows(rows, room);
    if (Math.min(...heights) < minHeight) continue;
    const score = rows.reduce((sum, row, index) => sum + row.weight * heights[index], 0);
    if (best === null || score > best.score) best = { rows, heights, score };
  }
  return place(best ?? scrolling(room, minHeight), room);
}

/**
 * Place tiles in a grid of equal cells, no larger than the pictures need.
 *
 * @param {Room & {columns: number, rows: number}} room  Rows of a page, even if some are empty.
 * @returns {{boxes: Box[], height: number}}
 */
export function packCells({ ratios, width, height, gap, columns, rows }) {
  const most = { width: (width - (columns - 1) * gap) / columns, height: (height - (rows - 1) * gap) / rows };
  const known = ratios.map((ratio) => ratio || USUAL_RATIO);
  const cellHeight = Math.floor(Math.min(most.height, most.width / Math.min(...known)));
  const cellWidth = Math.floor(Math.min(most.width, Math.max(...known) * cellHeight));
  const left = Math.max(0, (width - columns * cellWidth - (columns - 1) * gap) / 2);
  const top = Math.max(0, (height - rows * cellHeight - (rows - 1) * gap) / 2);
  const boxes = ratios.map((_, index) => ({
    x: Math.round(left + (index % columns) * (cellWidth + gap)),
    y: Math.round(top + Math.floor(index / columns) * (cellHeight + gap)),
    width: cellWidth,
    height: cellHeight,
  }));
  return { boxes, height };
}

/**
 * Return the index of the box an arrow key leads to: by order for left and right, by position for up and down.
 *
 * @param {Box[]} boxes
 * @param {number} index
 * @param {'left' | 'right' | 'up' | 'down'} by
 * @returns {number} The same index if there is none.
 */
export function neighbour(boxes, index, by) {
  if (by === 'left') return Math.max(0, index - 1);
  if (by === 'right') return Math.min(boxes.length - 1, index + 1);
  const from = boxes[index];
  const distance = (box) => Math.hypot((middle(box).y - middle(from).y) * 4, middle(box).x - middle(from).x);
  const there = boxes
    .map((box, other) => ({ box, other }))
    .filter(({ box }) => (by === 'up' ? box.y + box.height <= from.y : box.y >= from.y + from.height));
  there.sort((a, b) => distance(a.box) - distance(b.box));
  return there[0]?.other ?? index;
}

/**
 * Return where a tile dropped at a point goes among the boxes.
 *
 * @param {Box[]} boxes
 * @param {{x: number, y: number}} point
 * @returns {{index: number, after: boolean, upright: boolean}}  The box to go next to, on which
 *   side of it, and `upright` if boxes lie side by side there; a box alone in its row has others above and below.
 */
export function dropPlace(boxes, point) {
  const away = (from, length, at) => Math.max(from - at, 0, at - from - length);
  const distances = boxes.map((box) => Math.hypot(away(box.x, box.width, point.x), away(box.y, box.height, point.y)));
  const index = distances.indexOf(Math.min(...distances));
  const box = boxes[index];
  const upright = boxes.some((other) => other !== box && other.y < box.y + box.height && box.y < other.y + other.height);
  return { index, after: upright ? point.x > middle(box).x : point.y > middle(box).y, upright };
}

function middle({ x, y, width, height }) {
  return { x: x + width / 2, y: y + height / 2 };
}

/**
 * Return the most even way to fill 1 row, 2 rows, and so on up to `most`.
 *
 * A row is {first, count, sum (of ratios), most (its height at the full width of the room), weight}.
 */
function partitions(room, most) {
  const { pictures } = room;
  const count = pictures.length;
  // cost[n]: the cost of placing the first n tiles in the rows so far; begins: where their last row starts.
  let cost = [0, ...Array(count).fill(Infinity)];
  const begins = [];
  const all = [];
  for (let rows = 1; rows <= most; rows += 1) {
    const next = Array(count + 1).fill(Infinity);
    const begin = Array(count + 1).fill(0);
    for (let end = rows; end <= count; end += 1) {
      let sum = 0;
      // Backwards, so that of two equal costs the shorter last row is found first.
      for (let first = end - 1; first >= rows - 1; first -= 1) {
        sum += pictures[first];
        const rowCost = cost[first] + lowness(room, end - first, sum) ** 4;
        if (rowCost < next[end] * (1 - 1e-9)) {
          next[end] = rowCost;
          begin[end] = first;
        }
      }
    }
    begins.push(begin);
    cost = next;
    if (Number.isFinite(cost[count])) all.push(rowsFrom(begins, room));
  }
  return all;
}

// Grows as a row has to be lower to fit the width.
function lowness({ width, gap }, count, sum) {
  return sum / Math.max(1, width - (count - 1) * gap);
}

function rowsFrom(begins, room) {
  const rows = [];
  let end = room.pictures.length;
  for (let row = begins.length - 1; row >= 0; row -= 1) {
    const first = begins[row][end];
    const ratios = room.pictures.slice(first, end);
    const sum = ratios.reduce((all, ratio) => all + ratio, 0);
    rows.unshift({
      first,
      count: ratios.length,
      sum,
      most: 1 / lowness(room, ratios.length, sum),
      weight: ratios.reduce((all, ratio) => all + Math.sqrt(ratio), 0),
    });
    end = first;
  }
  return rows;
}

// Row heights at the full width of the room, or as much of it as the height allows.
function fitRows(rows, { width, height, gap }) {
  const gaps = rows.map((row) => (row.count - 1) * gap);
  // A row's height is (width - gaps) / sum; together they must fit.
  const perWidth = rows.reduce((all, row) => all + 1 / row.sum, 0);
  const spent = rows.reduce((all, row, index) => all + gaps[index] / row.sum, 0);
  const common = Math.min(width, (height - (rows.length - 1) * gap + spent) / perWidth);
  return rows.map((row, index) => Math.max(1, (common - gaps[index]) / row.sum));
}

function scrolling(room, minHeight) {
  const { pictures, height } = room;
  const target = minHeight * COMFORT;
  let rows = 1;
  let sum = 0;
  let count = 0;
  for (const ratio of pictures) {
    sum += ratio;
    count += 1;
    if (count > 1 && 1 / lowness(room, count, sum) < target) {
      rows += 1;
      sum = ratio;
      count = 1;
    }
  }
  const best = partitions(room, rows).at(-1) ?? [];
  const highest = Math.max(minHeight, height * MAX_SHARE);
  return { rows: best, heights: best.map((row) => Math.min(row.most, highest)) };
}

// Edges are rounded, not sizes, so that the gaps stay equal.
function place({ rows, heights }, { pictures, width, height, gap }) {
  const total = heights.reduce((sum, one) => sum + one, 0) + (rows.length - 1) * gap;
  const boxes = [];
  let y = Math.max(0, (height - total) / 2);
  rows.forEach((row, index) => {
    const widths = pictures.slice(row.first, row.first + row.count).map((ratio) => ratio * heights[index]);
    const used = widths.reduce((sum, one) => sum + one, 0) + (row.count - 1) * gap;
    const top = Math.round(y);
    const bottom = Math.round(y + heights[index]);
    let x = Math.max(0, (width - used) / 2);
    for (const one of widths) {
      const left = Math.round(x);
      boxes.push({ x: left, y: top, width: Math.round(x + one) - left, height: bottom - top });
      x += one + gap;
    }
    y += heights[index] + gap;
  });
  return { boxes, height: Math.max(height, Math.round(total)) };
}
