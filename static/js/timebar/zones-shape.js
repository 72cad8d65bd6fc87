/**
 * Zones as drawn: polygons in shares of the picture, the edits on them, and undo. Each function returns a new drawing and
 * leaves the old one unchanged. Uses no DOM.
 *
 * @typedef {[number, number]} Corner  From the left and from the top, 0 to 1.
 * @typedef {object} Drawing
 * @property {Corner[][]} zones
 * @property {boolean} open  Whether the last one is still being drawn.
 */

export const MAX_ZONES = 16;
export const MAX_CORNERS = 64;
export const MIN_CORNERS = 3;

/** @param {Corner[][] | null | undefined} zones @returns {Drawing} */
export function drawingOf(zones) {
  return { zones: (zones ?? []).map((zone) => zone.map(([x, y]) => [x, y])), open: false };
}

/** The zones to send, without any that has too few corners. @param {Drawing} drawing @returns {Corner[][]} */
export function zonesOf({ zones }) {
  return zones.filter((zone) => zone.length >= MIN_CORNERS);
}

/** Add a corner to the zone being drawn, or begin one. @param {Drawing} drawing @param {Corner} corner @returns {Drawing} */
export function addCorner({ zones, open }, corner) {
  const to = inPicture(corner);
  if (!open) return zones.length < MAX_ZONES ? { zones: [...zones, [to]], open: true } : { zones, open };
  const last = zones.at(-1);
  if (last.length >= MAX_CORNERS) return { zones, open };
  return { zones: [...zones.slice(0, -1), [...last, to]], open };
}

/** Finish the zone being drawn; drop it if it has too few corners. @param {Drawing} drawing @returns {Drawing} */
export function closeZone({ zones, open }) {
  return { zones: open && zones.at(-1).length < MIN_CORNERS ? zones.slice(0, -1) : zones, open: false };
}

/** @param {Drawing} drawing @param {number} zone @param {number} index @param {Corner} corner @returns {Drawing} */
export function moveCorner(drawing, zone, index, corner) {
  return change(drawing, zone, (corners) => corners.with(index, inPicture(corner)));
}

/** Add a corner after another one, between it and the next. @param {Drawing} drawing @param {number} zone @param {number} index @returns {Drawing} */
export function splitEdge(drawing, zone, index) {
  return change(drawing, zone, (corners) => {
    const next = corners[(index + 1) % corners.length];
    const middle = [(corners[index][0] + next[0]) / 2, (corners[index][1] + next[1]) / 2];
    return corners.length < MAX_CORNERS ? corners.toSpliced(index + 1, 0, inPicture(middle)) : corners;
  });
}

/** Remove a corner; a zone left with too few goes too. @param {Drawing} drawing @param {number} zone @param {number} index @returns {Drawing} */
export function removeCorner(drawing, zone, index) {
  const isOpen = drawing.open && zone === drawing.zones.length - 1;
  const left = drawing.zones[zone].length - 1;
  if (left < (isOpen ? 1 : MIN_CORNERS)) return removeZone(drawing, zone);
  return change(drawing, zone, (corners) => corners.toSpliced(index, 1));
}

/** @param {Drawing} drawing @param {number} zone @returns {Drawing} */
export function removeZone({ zones, open }, zone) {
  return { zones: zones.toSpliced(zone, 1), open: open && zone !== zones.length - 1 };
}

/** Move a whole zone within the picture. @param {Drawing} drawing @param {number} zone @param {number} dx @param {number} dy @returns {Drawing} */
export function moveZone(drawing, zone, dx, dy) {
  const xs = drawing.zones[zone].map(([x]) => x);
  const ys = drawing.zones[zone].map(([, y]) => y);
  const right = Math.min(1 - Math.max(...xs), Math.max(-Math.min(...xs), dx));
  const down = Math.min(1 - Math.max(...ys), Math.max(-Math.min(...ys), dy));
  return change(drawing, zone, (corners) => corners.map(([x, y]) => inPicture([x + right, y + down])));
}

/** Whether a point is in a zone, by the even-odd rule. @param {Corner[]} corners @param {Corner} point */
export function isInside(corners, [x, y]) {
  let inside = false;
  for (let at = 0, before = corners.length - 1; at < corners.length; before = at, at += 1) {
    const [ax, ay] = corners[at];
    const [bx, by] = corners[before];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

/** The history of a drawing, for undo. */
export class Drawings {
  #before = [];
  #now;

  /** @param {Drawing} first */
  constructor(first) {
    this.#now = first;
  }

  /** @returns {Drawing} */
  get now() {
    return this.#now;
  }

  get canUndo() {
    return this.#before.length > 0;
  }

  /** @param {Drawing} next @param {boolean} together  Whether it continues the last change, as while a corner is dragged. */
  set(next, together = false) {
    if (JSON.stringify(next) === JSON.stringify(this.#now)) return;
    if (!together) this.#before.push(this.#now);
    this.#now = next;
  }

  undo() {
    this.#now = this.#before.pop() ?? this.#now;
  }
}

function change({ zones, open }, zone, edit) {
  return { zones: zones.with(zone, edit(zones[zone])), open };
}

function inPicture([x, y]) {
  return /** @type {Corner} */ ([rounded(x), rounded(y)]);
}

function rounded(share) {
  return Math.round(Math.min(1, Math.max(0, share)) * 10000) / 10000;
}
