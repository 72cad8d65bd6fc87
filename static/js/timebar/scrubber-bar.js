/**
 * The time bar: what is kept, ticks, events, the shown moment, and the part marked for a clip. It only draws and reports
 * what fingers, mouse and wheel do; scrubber.js decides what happens.
 *
 * Events: `seek` ({at, done, moved}) while it is dragged and on release, then often without a move; `hover` ({at, x, mark}:
 * `at` is null when the pointer has left, `x` is in CSS pixels from the left, `mark` the label of the event there, or
 * empty); `clip` ({clip, at}) when an end of the marked part is moved to `at`; `view` when it is zoomed or panned.
 *
 * @typedef {import('../ui/timescale.js').Span} Span
 * @typedef {object} Shown
 * @property {Span} whole       What the bar can show: from the oldest picture to now.
 * @property {Span | null} kept What the server keeps.
 * @property {Span[]} gaps       Gaps within `kept`.
 * @property {number | null} at The shown moment; null for live.
 * @property {{at: number, label: string, id: unknown}[]} marks
 * @property {Span | null} clip
 * @property {boolean} disabled
 */
import { make } from '../ui/dom.js';
import { formatWhen } from '../ui/format.js';
import { TimeScale } from '../ui/timescale.js';

// At this zoom, frames are already a finger's width apart.
const MIN_SPAN_S = 2;
// Width of a label with its margins, in em.
const LABEL_EM = 6.7;
// A release this close to the end means now.
const SNAP_PX = 8;
// A finger that moves less than this may be the first of two, or about to scroll the page.
const TAP_PX = 6;
const WHEEL_LINE_PX = 16;
const MIN_CLIP_S = 0.1;
const MAX_MARKS = 300;
// Pointing this close to a mark means the mark.
const MARK_PX = 5;

export class ScrubberBar extends EventTarget {
  #element;
  #track;
  #parts;
  /** @type {Shown} */
  #shown = { whole: { from: 0, to: 1 }, kept: null, gaps: [], at: null, marks: [], clip: null, disabled: true };
  #scale = new TimeScale({ from: 0, to: 1 }, MIN_SPAN_S);
  /** @type {Map<number, number>} Positions of the pointers, in CSS pixels, by id. */
  #fingers = new Map();
  // The drag in progress.
  #drag = null;
  // In CSS pixels, measured on resize: measuring while drawing would force a layout each time.
  #width = 0;
  #labelWidth = 0;
  #drawn = '';

  /** @param {HTMLElement} element */
  constructor(element) {
    super();
    this.#element = element;
    const find = (name) => element.querySelector(`[data-bar-${name}]`);
    this.#track = find('track');
    this.#parts = Object.fromEntries(
      ['kept', 'gaps', 'ticks', 'marks', 'clip', 'head', 'begin', 'end'].map((name) => [name, find(name)]),
    );
    for (const kind of ['begin', 'end']) this.#parts[kind].addEventListener('keydown', (event) => this.#onEndKey(event, kind));
    element.addEventListener('pointerdown', (event) => this.#onDown(event));
    element.addEventListener('pointermove', (event) => this.#onMove(event));
    for (const type of ['pointerup', 'pointercancel']) element.addEventListener(type, (event) => this.#onUp(event));
    element.addEventListener('pointerleave', () => this.#hover(null));
    element.addEventListener('wheel', (event) => this.#onWheel(event), { passive: false });
    new ResizeObserver(() => this.#measure()).observe(this.#track);
  }

  /** The element with the role of a slider. */
  get track() {
    return this.#track;
  }

  get dragging() {
    return this.#drag?.begun === true;
  }

  /** @param {Shown} shown */
  show(shown) {
    const moved = shown.at !== null && shown.at !== this.#shown.at;
    this.#shown = shown;
    this.#settle();
    if (moved) this.#follow(shown.at);
    this.#draw();
  }

  /** Zoom out completely. */
  reset() {
    this.#scale.reset();
    this.#draw();
  }

  // Let the bar follow the clock, but not under a finger.
  #settle() {
    if (this.#fingers.size === 0) this.#scale.setWhole(this.#shown.whole);
  }

  // Keep the shown moment in sight while playing or stepping.
  #follow(at) {
    if (this.#fingers.size === 0) this.#scale.reveal(at, at > this.#scale.to ? 0.2 : 0.8);
  }

  #onView() {
    this.#draw();
    this.dispatchEvent(new CustomEvent('view'));
  }

  #measure() {
    this.#width = this.#track.clientWidth;
    this.#labelWidth = LABEL_EM * parseFloat(getComputedStyle(this.#parts.ticks).fontSize);
    this.#draw();
  }

  #draw() {
    const width = this.#width;
    if (width === 0) return;
    const { whole, kept, gaps, at, marks, clip, disabled } = this.#shown;
    const view = this.#scale;
    const { style } = this.#element;
    const place = (name, moment) => style.setProperty(`--${name}`, Math.min(1, Math.max(0, view.share(moment))).toFixed(5));
    this.#element.toggleAttribute('data-empty', kept === null);
    place('kept-from', kept?.from ?? view.to);
    place('kept-to', kept?.to ?? view.to);
    const isDragged = this.#drag?.kind === 'seek' && this.#drag.begun;
    const head = isDragged ? this.#drag.at : (at ?? whole.to);
    place('head', head);
    this.#parts.head.toggleAttribute('data-outside', head < view.from - 0.05 || head > view.to + 0.05);
    this.#element.toggleAttribute('data-live', !isDragged && at === null);
    this.#element.toggleAttribute('data-disabled', disabled);
    this.#parts.clip.hidden = clip === null;
    for (const name of ['begin', 'end']) this.#parts[name].hidden = clip === null;
    if (clip !== null) {
      place('clip-from', clip.from);
      place('clip-to', clip.to);
      this.#describeEnd('begin', clip.from);
      this.#describeEnd('end', clip.to);
    }
    this.#drawGaps(view, gaps);
    this.#drawTicks(view, width, marks);
  }

  #drawGaps(view, gaps) {
    const seen = gaps.filter(({ from, to }) => to > view.from && from < view.to);
    const { gaps: parent } = this.#parts;
    while (parent.childElementCount < seen.length) parent.append(make('span', 'bar-gap'));
    while (parent.childElementCount > seen.length) parent.lastElementChild.remove();
    seen.forEach(({ from, to }, index) => {
      const { style } = parent.children[index];
      style.setProperty('--from', Math.max(0, view.share(from)).toFixed(5));
      style.setProperty('--to', Math.min(1, view.share(to)).toFixed(5));
    });
  }

  #describeEnd(kind, at) {
    const end = this.#parts[kind];
    const { whole } = this.#shown;
    end.ariaValueMin = whole.from.toFixed(1);
    end.ariaValueMax = whole.to.toFixed(1);
    end.ariaValueNow = at.toFixed(1);
    end.ariaValueText = formatWhen(at).time;
  }

  // Rebuild the ticks only when other ones are visible; otherwise move them as a whole.
  #drawTicks(view, width, marks) {
    const label = this.#labelWidth;
    const { step, at: ticks } = view.ticks(width, label);
    const near = marks.filter(({ at }) => view.shows(at)).slice(-MAX_MARKS);
    const drawn = [ticks, near.map(({ at, label }) => `${at}${label}`)].join('|');
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      this.#parts.ticks.replaceChildren(...ticks.map((at) => make('span', 'bar-tick', view.label(at, step))));
      this.#parts.marks.replaceChildren(...near.map(({ label }) => {
        const mark = make('span', 'bar-mark');
        mark.title = label;
        mark.dataset.label = label;
        return mark;
      }));
    }
    ticks.forEach((at, index) => {
      const share = view.share(at);
      this.#parts.ticks.children[index].style.setProperty('--at', share.toFixed(5));
      this.#parts.ticks.children[index].toggleAttribute('data-cut', (1 - share) * width < 0.8 * label);
    });
    near.forEach(({ at }, index) => {
      this.#parts.marks.children[index].style.setProperty('--at', view.share(at).toFixed(5));
    });
  }

  #xOf(event) {
    return event.clientX - this.#track.getBoundingClientRect().left;
  }

  #momentAt(x) {
    return this.#scale.at(Math.min(1, Math.max(0, x / this.#width)));
  }

  #onDown(event) {
    if (event.button !== 0 || this.#shown.disabled) return;
    if (event.target.closest('button')) return;
    const x = this.#xOf(event);
    this.#fingers.set(event.pointerId, x);
    this.#element.setPointerCapture(event.pointerId);
    if (this.#fingers.size > 1) {
      // Two fingers zoom: the first one's position was not meant as a seek.
      if (this.#drag?.kind === 'seek' && this.#drag.begun) this.#seek(this.#drag.x, true);
      this.#drag = null;
      return;
    }
    const kind = event.target.closest('[data-bar-begin]') ? 'begin' : event.target.closest('[data-bar-end]') ? 'end' : 'seek';
    this.#drag = { kind, x, at: this.#momentAt(x), begun: event.pointerType !== 'touch' };
    if (kind === 'seek') {
      if (this.#drag.begun) this.#seek(x, false);
      this.#track.focus({ preventScroll: true });
    }
    // Hide the preview: the large picture shows that moment.
    if (this.#drag.begun) this.#hover(x);
  }

  #onMove(event) {
    const x = this.#xOf(event);
    const before = this.#fingers.get(event.pointerId);
    if (before === undefined) {
      if (event.pointerType !== 'touch') this.#hover(x);
      return;
    }
    this.#fingers.set(event.pointerId, x);
    const drag = this.#drag;
    if (this.#fingers.size === 2) this.#pinch(event.pointerId, before, x);
    if (drag === null) return;
    drag.begun ||= Math.abs(x - drag.x) >= TAP_PX;
    if (!drag.begun) return;
    this.#hover(x);
    if (drag.kind === 'seek') this.#seek(x, false);
    else this.#moveEnd(drag.kind, this.#momentAt(x));
  }

  #onUp(event) {
    if (!this.#fingers.has(event.pointerId)) return;
    const drag = this.#drag;
    const isTaken = event.type === 'pointercancel';
    // When the browser takes over to scroll, the drag ends where it is.
    if (drag?.kind === 'seek' && (drag.begun || !isTaken)) this.#seek(isTaken ? drag.x : this.#xOf(event), true);
    this.#fingers.delete(event.pointerId);
    if (this.#fingers.size === 0) {
      this.#drag = null;
      this.#settle();
    }
    if (event.pointerType === 'touch') this.#hover(null);
    this.#draw();
  }

  #seek(x, done) {
    const toNow = x > this.#width - SNAP_PX && this.#scale.to >= this.#scale.whole.to - 0.5;
    const at = toNow ? null : this.#momentAt(x);
    const moved = at !== this.#drag.sought;
    Object.assign(this.#drag, { x, begun: true, sought: at, at: at ?? this.#scale.whole.to });
    // First, because somebody waits for the picture.
    this.dispatchEvent(new CustomEvent('seek', { detail: { at, done, moved } }));
    this.#draw();
  }

  #moveEnd(kind, at) {
    const { clip } = this.#shown;
    const to = this.#scale.clamp(at);
    const moved = kind === 'begin' ? { from: Math.min(to, clip.to - MIN_CLIP_S), to: clip.to } : { from: clip.from, to: Math.max(to, clip.from + MIN_CLIP_S) };
    this.dispatchEvent(new CustomEvent('clip', { detail: { clip: moved, at: kind === 'begin' ? moved.from : moved.to } }));
  }

  #onEndKey(event, kind) {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (by === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const { from, to } = this.#shown.clip;
    this.#moveEnd(kind, (kind === 'begin' ? from : to) + by * (event.shiftKey ? 1 : 0.1));
  }

  #pinch(id, before, x) {
    const other = [...this.#fingers].find(([one]) => one !== id)[1];
    const by = Math.max(8, Math.abs(x - other)) / Math.max(8, Math.abs(before - other));
    this.#scale.zoom(by, this.#momentAt((before + other) / 2));
    this.#scale.move((before - x) / 2 / this.#width);
    this.#onView();
  }

  #onWheel(event) {
    if (this.#shown.disabled) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? WHEEL_LINE_PX : 1;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const pixels = (event.deltaX || event.deltaY) * unit;
      this.#scale.move(pixels / this.#width);
      this.#onView();
      return;
    }
    const pixels = Math.max(-200, Math.min(200, event.deltaY * unit));
    this.#scale.zoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.003)), this.#momentAt(this.#xOf(event)));
    this.#onView();
    this.#hover(this.#xOf(event));
  }

  #hover(x) {
    const at = x === null || this.#shown.disabled ? null : this.#momentAt(x);
    const edge = x === null ? 0 : Math.min(this.#width, Math.max(0, x));
    const away = (mark) => Math.abs(this.#scale.share(mark.at) * this.#width - edge);
    const mark = this.#shown.marks.find((one) => away(one) <= MARK_PX)?.label ?? '';
    this.dispatchEvent(new CustomEvent('hover', { detail: { at, x: edge, mark } }));
  }
}
