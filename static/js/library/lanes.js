/** The timeline of a day: a lane for each camera with its recordings and events, and the playhead. */
import { make, setText } from '../ui/dom.js';
import { TimeScale } from '../ui/timescale.js';
import { joinMarks } from './data.js';

// With two minutes on the screen, seconds are far apart, yet no pixel is shorter than a frame.
const MIN_SPAN_S = 120;
const MIN_EVENT_PX = 3;
const MIN_RECORDED_PX = 1.5;
const SECONDS = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const MINUTES = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const MOVED_PX = 4;
// Distance between two times on the axis, in em.
const TICK_EM = 6.9;

/**
 * @typedef {object} Row
 * @property {string} camera
 * @property {string} title
 * @property {{from: number, to: number}[]} spans   Recordings, oldest first.
 * @property {{from: number, to: number}[]} events  Oldest first.
 * @property {{from: number, to: number}[]} offline  Oldest first.
 *
 * @typedef {object} Help
 * @property {(camera: string, at: number) => string | null} pictureOf  The address of the picture at that moment.
 * @property {(camera: string, at: number) => string} tell              A description of that moment.
 */

/** Events: `seek` ({camera, at, done}) while a moment is chosen; `event` ({by}) for the next or previous event. */
export class Lanes extends EventTarget {
  #element;
  #rows;
  #axis;
  #peek;
  #head;
  #zooms;
  #help;
  #scale = new TimeScale({ from: 0, to: 86400 }, MIN_SPAN_S);
  #shown = [];
  /** @type {Map<string, {lane: HTMLElement, name: HTMLElement, recorded: SVGPathElement, events: SVGPathElement, offline: SVGPathElement}>} */
  #lanes = new Map();
  #playhead = make('div', 'lanes-playhead');
  #clip = make('div', 'lanes-clip');
  #now = make('div', 'lanes-now');
  #cursor = { camera: '', at: NaN };
  #clipSpan = [NaN, NaN];
  #nowUnix = NaN;
  /** @type {Map<number, PointerEvent>} */
  #pointers = new Map();
  #drag = null;
  #peekLoading = false;
  #peekWanted = null;

  /** @param {HTMLElement} element @param {Help} help */
  constructor(element, help) {
    super();
    this.#element = element;
    this.#help = help;
    const find = (selector) => element.querySelector(selector);
    this.#rows = find('[data-lanes-rows]');
    this.#axis = find('[data-lanes-axis]');
    this.#peek = find('[data-lanes-peek]');
    this.#head = find('[data-lanes-title]');
    this.#zooms = [...element.querySelectorAll('[data-lanes-zoom]')];
    this.#rows.append(this.#now, this.#clip, this.#playhead);
    for (const button of this.#zooms) button.addEventListener('click', () => this.#zoomBy(Number(button.dataset.lanesZoom)));
    find('[data-lanes-whole]').addEventListener('click', () => {
      this.#scale.reset();
      this.#draw();
    });
    this.#listen();
    new ResizeObserver(() => this.#draw()).observe(this.#rows);
  }

  get element() {
    return this.#element;
  }

  /** @param {[number, number]} bounds  Of the day. @param {Row[]} rows @param {number} nowUnix */
  show([from, to], rows, nowUnix) {
    if (this.#scale.whole.from !== from) this.#scale = new TimeScale({ from, to }, MIN_SPAN_S);
    this.#nowUnix = nowUnix;
    this.#shown = rows;
    this.#element.hidden = rows.length === 0;
    this.#element.style.setProperty('--lanes', String(rows.length));
    const cameras = new Set(rows.map(({ camera }) => camera));
    for (const [camera, { lane }] of this.#lanes) {
      if (cameras.has(camera)) continue;
      lane.remove();
      this.#lanes.delete(camera);
    }
    rows.forEach((row, index) => {
      const lane = this.#laneOf(row);
      if (this.#rows.children[index] !== lane) this.#rows.insertBefore(lane, this.#rows.children[index] ?? null);
    });
    this.#draw();
  }

  /** Set the playhead. @param {string} camera  Empty for none. @param {number} at @param {boolean} [follow]  Keep it in sight. */
  setCursor(camera, at, follow = false) {
    this.#cursor = { camera, at };
    if (follow && this.#drag === null && this.#scale.reveal(at)) this.#draw();
    else this.#place();
  }

  /** Set the ends of the marked clip; NaN for an end that is not marked. @param {number} from @param {number} to */
  setClip(from, to) {
    this.#clipSpan = [from, to];
    this.#place();
  }

  /** Zoom to a span; if already zoomed, only move there. @param {number} from @param {number} to */
  zoomTo(from, to) {
    if (this.#scale.isWhole) this.#scale.fit({ from, to });
    else this.#scale.reveal((from + to) / 2);
    this.#draw();
  }

  /** @param {string} camera */
  focus(camera) {
    this.#lanes.get(camera)?.lane.focus();
  }

  #laneOf({ camera, title }) {
    let parts = this.#lanes.get(camera);
    if (!parts) {
      const lane = make('div', 'lane');
      lane.dataset.camera = camera;
      lane.tabIndex = 0;
      lane.setAttribute('role', 'slider');
      const name = make('span', 'lane-name');
      name.dir = 'auto';
      const drawing = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
      drawing.classList.add('lane-drawing');
      drawing.setAttribute('aria-hidden', 'true');
      const [recorded, offline, events] = ['lane-recorded', 'lane-offline', 'lane-events'].map((className) => {
        const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
        path.classList.add(className);
        drawing.append(path);
        return path;
      });
      lane.append(name, drawing);
      parts = { lane, name, recorded, offline, events, drawing };
      this.#lanes.set(camera, parts);
    }
    setText(parts.name, title);
    parts.name.title = title;
    parts.lane.setAttribute('aria-label', title);
    return parts.lane;
  }

  // Drawing.

  // The left edge of the drawings within the rows, and their width.
  get #span() {
    const drawing = this.#lanes.values().next().value?.drawing;
    if (!drawing) return { left: 0, width: 0 };
    const { left, width } = drawing.getBoundingClientRect();
    return { left: left - this.#rows.getBoundingClientRect().left, width };
  }

  #draw() {
    const { width } = this.#span;
    if (width === 0) return;
    const x = (at) => this.#scale.share(at) * width;
    const inSight = ({ from, to }) => to >= this.#scale.from && from <= this.#scale.to;
    for (const { camera, spans, events, offline } of this.#shown) {
      const parts = this.#lanes.get(camera);
      const { height } = parts.drawing.getBoundingClientRect();
      parts.recorded.setAttribute('d', draw(joinMarks(spans.filter(inSight), x, MIN_RECORDED_PX), height * 0.28, height * 0.44));
      parts.offline.setAttribute('d', draw(joinMarks(offline.filter(inSight), x, MIN_EVENT_PX), height * 0.45, height * 0.1));
      parts.events.setAttribute('d', draw(joinMarks(events.filter(inSight), x, MIN_EVENT_PX), 0, height));
    }
    this.#drawAxis(width);
    for (const button of this.#zooms) button.disabled = button.dataset.lanesZoom > 1 ? this.#scale.isClosest : this.#scale.isWhole;
    this.#element.toggleAttribute('data-zoomed', !this.#scale.isWhole);
    const { from, to } = this.#scale;
    setText(this.#head, this.#scale.isWhole ? 'Timeline' : `${MINUTES.format(from * 1000)} – ${MINUTES.format(to * 1000)}`);
    this.#place();
  }

  #drawAxis(width) {
    const { step, at } = this.#scale.ticks(width, TICK_EM * parseFloat(getComputedStyle(this.#axis).fontSize));
    this.#axis.replaceChildren(...at.map((one) => {
      const tick = make('span', 'lanes-tick', this.#scale.label(one, step));
      tick.style.left = `${this.#scale.share(one) * 100}%`;
      return tick;
    }));
  }

  #place() {
    const { left, width } = this.#span;
    const x = (at) => left + this.#scale.share(at) * width;
    this.#playhead.hidden = !this.#scale.shows(this.#cursor.at);
    if (!this.#playhead.hidden) this.#playhead.style.translate = `${x(this.#cursor.at)}px 0`;
    const { from: day, to: end } = this.#scale.whole;
    this.#now.hidden = !(this.#nowUnix > day && this.#nowUnix < end && this.#scale.shows(this.#nowUnix));
    if (!this.#now.hidden) this.#now.style.translate = `${x(this.#nowUnix)}px 0`;
    const [from, to] = this.#clipSpan;
    const begin = Math.max(this.#scale.from, Number.isNaN(from) ? to : from);
    const stop = Math.min(this.#scale.to, Number.isNaN(to) ? from : to);
    this.#clip.hidden = !(stop >= begin);
    if (!this.#clip.hidden) {
      this.#clip.style.translate = `${x(begin)}px 0`;
      this.#clip.style.width = `${Math.max(2, x(stop) - x(begin))}px`;
    }
    for (const [camera, { lane }] of this.#lanes) this.#describe(lane, camera);
  }

  #describe(lane, camera) {
    const { from: day, to: end } = this.#scale.whole;
    const at = Number.isNaN(this.#cursor.at) ? day : this.#cursor.at;
    lane.toggleAttribute('data-playing', camera === this.#cursor.camera);
    const values = {
      'aria-valuemin': 0,
      'aria-valuemax': Math.round(end - day),
      'aria-valuenow': Math.round(at - day),
      'aria-valuetext': [SECONDS.format(at * 1000), this.#help.tell(camera, at)].filter(Boolean).join(', '),
    };
    for (const [name, value] of Object.entries(values)) lane.setAttribute(name, String(value));
  }

  // Pointers and keys.

  #listen() {
    const rows = this.#rows;
    rows.addEventListener('pointerdown', (event) => this.#onDown(event, 'seek'));
    this.#axis.addEventListener('pointerdown', (event) => this.#onDown(event, 'move'));
    for (const part of [rows, this.#axis]) {
      part.addEventListener('pointermove', (event) => this.#onMove(event));
      part.addEventListener('pointerup', (event) => this.#onUp(event, true));
      part.addEventListener('pointercancel', (event) => this.#onUp(event, false));
      part.addEventListener('wheel', (event) => this.#onWheel(event), { passive: false });
    }
    rows.addEventListener('pointerleave', () => this.#drag ?? this.#hidePeek());
    rows.addEventListener('keydown', (event) => this.#onKey(event));
    rows.addEventListener('focusout', () => this.#hidePeek());
  }

  #atOf({ clientX }) {
    const { left, width } = this.#span;
    return this.#scale.at((clientX - this.#rows.getBoundingClientRect().left - left) / width);
  }

  #onDown(event, kind) {
    const camera = event.target.closest('.lane')?.dataset.camera;
    if (event.button !== 0 || (kind === 'seek' && !camera)) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, event);
    if (this.#pointers.size === 2) {
      this.#drag = { kind: 'pinch', distance: this.#distance };
      this.#hidePeek();
      return;
    }
    this.#drag = { kind, camera, at: this.#atOf(event), x: event.clientX, moved: kind === 'move' };
    if (kind === 'seek' && event.pointerType === 'mouse') this.#seek(camera, this.#drag.at, false);
  }

  #onMove(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      const camera = event.target.closest?.('.lane')?.dataset.camera;
      if (camera && event.pointerType === 'mouse') this.#showPeek(camera, this.#atOf(event));
      return;
    }
    this.#pointers.set(event.pointerId, event);
    if (this.#drag?.kind === 'pinch') {
      const distance = this.#distance;
      this.#scale.zoom(distance / Math.max(1, this.#drag.distance), this.#atOf(event));
      this.#drag.distance = distance;
      this.#draw();
    } else if (this.#drag?.kind === 'move') {
      this.#scale.move((before.clientX - event.clientX) / Math.max(1, this.#span.width));
      this.#draw();
    } else if (this.#drag) {
      this.#drag.moved ||= Math.abs(event.clientX - this.#drag.x) > MOVED_PX;
      if (!this.#drag.moved) return;
      const at = this.#atOf(event);
      this.#seek(this.#drag.camera, at, false);
      this.#showPeek(this.#drag.camera, at);
    }
  }

  #onUp(event, done) {
    if (!this.#pointers.delete(event.pointerId)) return;
    const drag = this.#drag;
    if (this.#pointers.size > 0) return;
    this.#drag = null;
    // The press may open the player, which makes the lanes narrower: use the moment from before.
    if (drag?.kind === 'seek' && done) this.#seek(drag.camera, drag.moved ? this.#atOf(event) : drag.at, true);
    if (event.pointerType !== 'mouse') this.#hidePeek();
  }

  get #distance() {
    const [one, other] = [...this.#pointers.values()];
    return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
  }

  #onWheel(event) {
    if (event.ctrlKey || (!this.#scale.isWhole && Math.abs(event.deltaY) > Math.abs(event.deltaX) && !event.shiftKey)) {
      event.preventDefault();
      this.#scale.zoom(2 ** (-event.deltaY / 200), this.#atOf(event));
      this.#draw();
    } else if (!this.#scale.isWhole) {
      event.preventDefault();
      this.#scale.move((event.deltaX || event.deltaY) / Math.max(1, this.#span.width));
      this.#draw();
    }
  }

  #onKey(event) {
    const camera = event.target.closest('.lane')?.dataset.camera;
    if (!camera || event.ctrlKey || event.altKey || event.metaKey) return;
    const at = Number.isNaN(this.#cursor.at) ? this.#firstOf(camera) : this.#cursor.at;
    // A hundredth of the shown span, or with Shift a second.
    const step = event.shiftKey ? 1 : Math.max(1, this.#scale.span / 100);
    const isOver = camera !== this.#cursor.camera;
    switch (event.key) {
      case 'ArrowLeft':
      case 'ArrowRight':
        this.#choose(camera, this.#scale.clamp(at + (event.key === 'ArrowLeft' ? -step : step)), isOver);
        break;
      case 'Home':
        this.#choose(camera, this.#firstOf(camera), isOver);
        break;
      case 'End':
        this.#choose(camera, (this.#spansOf(camera).at(-1)?.to ?? at) - 1, isOver);
        break;
      case 'ArrowUp':
      case 'ArrowDown': {
        const other = event.target[event.key === 'ArrowUp' ? 'previousElementSibling' : 'nextElementSibling'];
        if (other?.matches('.lane')) other.focus();
        break;
      }
      case 'Enter':
        this.#seek(camera, at, true);
        break;
      case '+':
      case '=':
        this.#zoomBy(2);
        break;
      case '-':
        this.#zoomBy(0.5);
        break;
      case '0':
        this.#scale.reset();
        this.#draw();
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  // A running playback follows immediately; otherwise only the playhead moves, until Enter.
  #choose(camera, at, isOver) {
    if (this.#element.dataset.playing !== undefined && !isOver) {
      this.#seek(camera, at, true);
      return;
    }
    this.setCursor(camera, at, true);
    this.#showPeek(camera, at);
  }

  #spansOf(camera) {
    return this.#shown.find((row) => row.camera === camera)?.spans ?? [];
  }

  #firstOf(camera) {
    return this.#spansOf(camera)[0]?.from ?? this.#scale.from;
  }

  #zoomBy(factor) {
    const { at } = this.#cursor;
    const newest = Math.min(this.#scale.to, this.#nowUnix);
    const middle = (this.#scale.from + (newest > this.#scale.from ? newest : this.#scale.to)) / 2;
    this.#scale.zoom(factor, this.#scale.shows(at) ? at : middle);
    this.#draw();
  }

  #seek(camera, at, done) {
    this.setCursor(camera, at);
    this.dispatchEvent(new CustomEvent('seek', { detail: { camera, at, done } }));
  }

  // Show the picture of the moment under the pointer.

  #showPeek(camera, at) {
    const { left, width } = this.#span;
    const lane = this.#lanes.get(camera).lane;
    const peek = this.#peek;
    peek.hidden = false;
    const room = lane.getBoundingClientRect().top - this.#element.parentElement.getBoundingClientRect().top;
    peek.toggleAttribute('data-below', this.#element.dataset.playing === undefined && room < peek.offsetHeight);
    const half = peek.offsetWidth / 2;
    const most = this.#element.clientWidth - half;
    const x = this.#rows.offsetLeft + left + this.#scale.share(at) * width;
    peek.style.left = `${Math.max(half, Math.min(most, x))}px`;
    peek.style.top = `${this.#rows.offsetTop + lane.offsetTop - this.#rows.scrollTop}px`;
    setText(peek.querySelector('time'), SECONDS.format(at * 1000));
    setText(peek.querySelector('[data-peek-what]'), this.#help.tell(camera, at));
    this.#peekWanted = this.#help.pictureOf(camera, at);
    peek.toggleAttribute('data-picture', this.#peekWanted !== null);
    this.#loadPeek();
  }

  // Load one picture at a time, then the newest.
  #loadPeek() {
    const image = this.#peek.querySelector('img');
    if (this.#peekLoading || this.#peekWanted === null || image.getAttribute('src') === this.#peekWanted) return;
    this.#peekLoading = true;
    image.onload = image.onerror = ({ type }) => {
      this.#peekLoading = false;
      if (type === 'error') this.#peek.removeAttribute('data-picture');
      this.#loadPeek();
    };
    image.src = this.#peekWanted;
  }

  #hidePeek() {
    this.#peek.hidden = true;
    this.#peekWanted = null;
  }
}

function draw(marks, top, height) {
  const number = (value) => value.toFixed(1);
  return marks.map(([left, right]) => `M${number(left)} ${number(top)}H${number(right)}v${number(height)}H${number(left)}z`).join('');
}
