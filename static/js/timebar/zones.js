/**
 * Draws zones on the picture in focus, zoomed or not. A click adds a corner, a drag moves one; keys do the same with a
 * cross that the arrow keys move.
 */
import { make, setText } from '../ui/dom.js';
import { plural } from '../ui/format.js';
import {
  Drawings, MIN_CORNERS, addCorner, closeZone, drawingOf, isInside, moveCorner, moveZone, removeCorner, removeZone,
  splitEdge, zonesOf,
} from './zones-shape.js';

const STEP = 0.01;
const LARGE_STEP = 0.05;
// A pointer that moves less than this clicks.
const CLICK_PX = 6;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const SVG = 'http://www.w3.org/2000/svg';

export class ZonesEditor {
  #templates;
  #tile = null;
  #stage;
  #shapes;
  #corners;
  #cross;
  #bar;
  /** @type {Drawings} */
  #drawings;
  #onDone = (_zones) => {};
  // Position of the keyboard's cross.
  #point = [0.5, 0.5];
  // The corner that last had the keyboard focus, before a button took it.
  #chosen = null;
  #drag = null;
  // Where the pointer went down, while it may still be a click.
  #press = null;
  #listening = new AbortController();
  #zoom = new MutationObserver(() => this.#fit());

  /** @param {HTMLTemplateElement} template  For the drawing over the picture, and the bar. */
  constructor(template) {
    this.#templates = template.content;
  }

  get open() {
    return this.#tile !== null;
  }

  /**
   * @param {import('../grid/tile.js').Tile} tile
   * @param {import('./zones-shape.js').Corner[][]} zones
   * @param {(zones: import('./zones-shape.js').Corner[][] | null) => void} onDone  Called once; null to leave them unchanged.
   */
  begin(tile, zones, onDone) {
    this.end();
    this.#tile = tile;
    this.#onDone = onDone;
    this.#listening = new AbortController();
    this.#chosen = null;
    this.#drawings = new Drawings(drawingOf(zones));
    this.#point = [0.5, 0.5];
    const viewport = tile.element.querySelector('.viewport');
    const layer = viewport.querySelector('.zoom-layer');
    const copy = document.importNode(this.#templates, true);
    this.#stage = copy.querySelector('[data-zones]');
    this.#shapes = copy.querySelector('[data-zones-shapes]');
    this.#corners = copy.querySelector('[data-zones-corners]');
    this.#cross = copy.querySelector('[data-zones-cross]');
    this.#bar = copy.querySelector('[data-zones-bar]');
    this.#listen();
    layer.append(this.#stage);
    // In place of the time bar.
    tile.element.closest('[data-grid]').append(this.#bar);
    tile.element.setAttribute('data-zoning', '');
    this.#zoom.observe(layer, { attributes: true, attributeFilter: ['style'] });
    tile.element.scrollIntoView({ block: 'nearest' });
    this.#draw();
    this.#fit();
    this.#stage.focus({ preventScroll: true });
  }

  /** Close it and leave the zones unchanged. */
  end() {
    if (this.#tile !== null) this.#close(null);
  }

  #close(zones) {
    const tile = this.#tile;
    this.#tile = null;
    this.#zoom.disconnect();
    this.#listening.abort();
    this.#stage.remove();
    this.#bar.remove();
    tile.element.removeAttribute('data-zoning');
    this.#onDone(zones);
  }

  #listen() {
    const stage = this.#stage;
    stage.addEventListener('pointerdown', (event) => this.#onDown(event));
    // Before the viewport, which captures every pointer to move the picture.
    const viewport = this.#tile.element.querySelector('.viewport');
    const { signal } = this.#listening;
    viewport.addEventListener('pointermove', (event) => this.#onMove(event), { signal });
    for (const type of ['pointerup', 'pointercancel']) viewport.addEventListener(type, (event) => this.#onUp(event), { signal });
    for (const type of ['click', 'dblclick']) stage.addEventListener(type, (event) => event.stopPropagation());
    stage.addEventListener('keydown', (event) => this.#onKey(event));
    stage.addEventListener('focusin', () => this.#showBar());
    this.#bar.addEventListener('click', (event) => {
      event.stopPropagation();
      this.#act(event.target.closest('[data-zones-act]')?.dataset.zonesAct);
    });
    for (const type of ['pointerdown', 'dblclick']) this.#bar.addEventListener(type, (event) => event.stopPropagation());
    this.#bar.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      this.#act('cancel');
    });
  }

  #act(action) {
    if (action === 'undo') {
      this.#drawings.undo();
      this.#draw();
    } else if (action === 'finish') {
      this.#change(closeZone(this.#drawings.now));
      this.#stage.focus();
    } else if (action === 'remove') {
      this.#removeFocused(true);
    } else if (action === 'cancel') {
      this.end();
    } else if (action === 'done') {
      this.#close(zonesOf(closeZone(this.#drawings.now)));
    }
  }

  #change(next, together = false) {
    this.#drawings.set(next, together);
    this.#draw();
  }

  #shareOf({ clientX, clientY }) {
    const { left, top, width, height } = this.#stage.getBoundingClientRect();
    return [(clientX - left) / width, (clientY - top) / height];
  }

  #onDown(event) {
    if (event.button !== 0 || !event.isPrimary) {
      this.#press = null;
      return;
    }
    const corner = event.target.closest('[data-corner]');
    if (corner === null) {
      // On the picture: either a drag that moves a zoomed picture, or a click.
      this.#press = { x: event.clientX, y: event.clientY };
      return;
    }
    event.stopPropagation();
    event.preventDefault();
    const { zone, corner: index, edge } = corner.dataset;
    if (edge !== undefined) this.#change(splitEdge(this.#drawings.now, Number(zone), Number(edge)));
    const at = edge === undefined ? Number(index) : Number(edge) + 1;
    this.#drag = { zone: Number(zone), index: at, moved: edge !== undefined, id: event.pointerId };
    this.#stage.setPointerCapture(event.pointerId);
    this.#cornerAt(Number(zone), at)?.focus({ preventScroll: true });
  }

  #onMove(event) {
    const drag = this.#drag;
    if (drag === null || event.pointerId !== drag.id) return;
    event.stopPropagation();
    this.#change(moveCorner(this.#drawings.now, drag.zone, drag.index, this.#shareOf(event)), drag.moved);
    drag.moved = true;
  }

  #onUp(event) {
    const drag = this.#drag;
    if (drag !== null) {
      event.stopPropagation();
      this.#drag = null;
      // A click on the first corner finishes the zone.
      const { open, zones } = this.#drawings.now;
      if (!drag.moved && open && drag.zone === zones.length - 1 && drag.index === 0) this.#act('finish');
      return;
    }
    const press = this.#press;
    this.#press = null;
    if (press === null || event.type !== 'pointerup') return;
    if (Math.hypot(event.clientX - press.x, event.clientY - press.y) > CLICK_PX) return;
    const point = this.#shareOf(event);
    const { open, zones } = this.#drawings.now;
    const within = open ? -1 : zones.findIndex((zone) => isInside(zone, point));
    if (within < 0) this.#add(point);
    else this.#cornerAt(within, 0)?.focus({ preventScroll: true });
  }

  #add(point) {
    this.#change(addCorner(this.#drawings.now, point));
    const { zones } = this.#drawings.now;
    this.#cornerAt(zones.length - 1, zones.at(-1).length - 1)?.focus({ preventScroll: true });
  }

  #onKey(event) {
    if (event.key === 'Tab') return;
    // Keep keys from the page: an arrow would lead to another camera.
    event.stopPropagation();
    if (event.key === 'Escape') {
      event.preventDefault();
      this.#act(this.#drawings.now.open ? 'finish' : 'cancel');
    } else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z') {
      event.preventDefault();
      this.#act('undo');
    } else if (!event.ctrlKey && !event.altKey && !event.metaKey) {
      this.#onPlainKey(event);
    }
  }

  #onPlainKey(event) {
    const corner = event.target.closest('[data-corner]');
    const arrow = ARROWS[event.key];
    if (arrow !== undefined) {
      event.preventDefault();
      const by = arrow.map((one) => one * (event.shiftKey ? LARGE_STEP : STEP));
      if (corner === null) this.#moveCross(by);
      else this.#nudge(corner.dataset, by, event.repeat);
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      if (corner === null) this.#addAtCross();
      else this.#pressHandle(corner.dataset);
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      event.preventDefault();
      this.#removeFocused(event.shiftKey);
    }
  }

  #moveCross(by) {
    this.#point = this.#point.map((share, axis) => Math.min(1, Math.max(0, share + by[axis])));
    this.#draw();
  }

  // The cross keeps the keyboard focus for the next corner.
  #addAtCross() {
    const { open, zones } = this.#drawings.now;
    const first = open ? zones.at(-1)[0] : null;
    const near = first !== null && Math.hypot(first[0] - this.#point[0], first[1] - this.#point[1]) < STEP / 2;
    if (near) this.#act('finish');
    else this.#change(addCorner(this.#drawings.now, this.#point));
  }

  #pressHandle({ zone, corner, edge }) {
    if (edge === undefined) {
      if (this.#drawings.now.open && corner === '0') this.#act('finish');
      return;
    }
    this.#change(splitEdge(this.#drawings.now, Number(zone), Number(edge)));
    this.#cornerAt(Number(zone), Number(edge) + 1)?.focus({ preventScroll: true });
  }

  #nudge({ zone, corner, edge }, [dx, dy], together) {
    const now = this.#drawings.now;
    if (edge !== undefined) return this.#change(moveZone(now, Number(zone), dx, dy), together);
    const [x, y] = now.zones[zone][corner];
    return this.#change(moveCorner(now, Number(zone), Number(corner), [x + dx, y + dy]), together);
  }

  #removeFocused(whole) {
    const { zone, corner, edge } = document.activeElement?.closest('[data-corner]')?.dataset ?? this.#chosen ?? {};
    if (zone === undefined || this.#drawings.now.zones[zone] === undefined) return;
    const at = Number(zone);
    const next = whole || edge !== undefined ? removeZone(this.#drawings.now, at) : removeCorner(this.#drawings.now, at, Number(corner));
    this.#change(next);
    (this.#cornerAt(at, Math.max(0, Number(corner ?? 0) - 1)) ?? this.#stage).focus({ preventScroll: true });
  }

  #cornerAt(zone, index) {
    return this.#corners.querySelector(`[data-zone="${zone}"][data-corner="${index}"]:not([data-edge])`);
  }

  #draw() {
    const { zones, open } = this.#drawings.now;
    const active = document.activeElement?.closest?.('[data-corner]')?.dataset;
    this.#shapes.replaceChildren(...zones.map((zone, index) => {
      const isOpen = open && index === zones.length - 1;
      const shape = document.createElementNS(SVG, isOpen ? 'polyline' : 'polygon');
      shape.setAttribute('points', zone.map(([x, y]) => `${x},${y}`).join(' '));
      shape.toggleAttribute('data-open', isOpen);
      return shape;
    }));
    this.#corners.replaceChildren(...zones.flatMap((zone, index) => this.#handlesOf(zone, index, open && index === zones.length - 1)));
    this.#cross.style.left = `${this.#point[0] * 100}%`;
    this.#cross.style.top = `${this.#point[1] * 100}%`;
    // The element with the keyboard focus was just replaced.
    if (active !== undefined) {
      const edge = active.edge === undefined ? ':not([data-edge])' : '[data-edge]';
      const again = this.#corners.querySelector(`[data-zone="${active.zone}"][data-corner="${active.corner}"]${edge}`);
      (again ?? this.#stage).focus({ preventScroll: true });
    }
    this.#showBar();
  }

  #handlesOf(zone, index, isOpen) {
    const corners = zone.map(([x, y], at) => this.#handle(x, y, { zone: index, corner: at }, `Zone ${index + 1}, corner ${at + 1} of ${zone.length}`));
    if (isOpen) return corners;
    const edges = zone.map(([x, y], at) => {
      const [nextX, nextY] = zone[(at + 1) % zone.length];
      const facts = { zone: index, corner: at, edge: at };
      return this.#handle((x + nextX) / 2, (y + nextY) / 2, facts, `Zone ${index + 1}, new corner after ${at + 1}; arrows move the zone`);
    });
    return corners.flatMap((corner, at) => [corner, edges[at]]);
  }

  #handle(x, y, facts, label) {
    const handle = make('button', 'zones-corner');
    handle.type = 'button';
    Object.assign(handle.dataset, facts);
    handle.setAttribute('aria-label', label);
    handle.style.left = `${x * 100}%`;
    handle.style.top = `${y * 100}%`;
    return handle;
  }

  #showBar() {
    const { zones, open } = this.#drawings.now;
    const find = (act) => this.#bar.querySelector(`[data-zones-act="${act}"]`);
    const chosen = document.activeElement?.closest?.('[data-corner]')?.dataset;
    if (chosen !== undefined) this.#chosen = { ...chosen };
    find('undo').disabled = !this.#drawings.canUndo;
    find('finish').hidden = !open || zones.at(-1).length < MIN_CORNERS;
    find('remove').hidden = zones[this.#chosen?.zone] === undefined;
    setText(this.#bar.querySelector('[data-zones-hint]'), hintFor(zones, open));
  }

  // Keep the corners' size at any zoom.
  #fit() {
    const scale = /scale\(([\d.]+)\)/.exec(this.#stage.parentElement.style.transform)?.[1] ?? '1';
    this.#stage.style.setProperty('--unzoom', String(1 / Number(scale)));
  }
}

function hintFor(zones, open) {
  if (open && zones.at(-1).length < MIN_CORNERS) return 'Click the next corner';
  if (open) return 'Click the first corner to close the zone';
  if (zones.length === 0) return 'Click the corners of a zone; without zones, the whole picture counts';
  return `${plural(zones.length, 'zone')}. Drag corners, or click beside them for another zone`;
}
