/**
 * The time bar: what is remembered, ticks, events, the moment that is shown, and the part for a clip. Only draws and
 * tells what fingers, mouse and wheel want; scrubber.js decides what comes of it.
 *
 * Events: `seek` ({at, done}) while it is dragged and when it is let go; `hover` ({at, x}: `at` is null when the pointer
 * has left, `x` is in CSS pixels from the left); `clip` ({clip, at}) when an end of the part is moved to `at`; `view` when
 * another part of time is shown.
 *
 * @typedef {import('./scrubber-scale.js').Span} Span
 * @typedef {object} Shown
 * @property {Span} whole       What the bar can show: from the oldest picture to now.
 * @property {Span | null} kept What is remembered.
 * @property {number | null} at The moment that is shown; null for live.
 * @property {{at: number, label: string, id: unknown}[]} marks
 * @property {Span | null} clip
 * @property {boolean} disabled
 */
import { make } from '../ui/dom.js';
import { formatWhen } from '../ui/format.js';
import { keepInside, momentAt, shareOf, ticksOf, within, zoomAbout } from './scrubber-scale.js';

const LABEL_REM = 5;
// Let go so near to the end, it is now.
const SNAP_PX = 8;
const WHEEL_LINE_PX = 16;
const MIN_CLIP_S = 0.1;
const MAX_MARKS = 300;

export class ScrubberBar extends EventTarget {
  #element;
  #track;
  #parts;
  /** @type {Shown} */
  #shown = { whole: { from: 0, to: 1 }, kept: null, at: null, marks: [], clip: null, disabled: true };
  // The part of time that is shown; null for the whole.
  /** @type {Span | null} */
  #part = null;
  /** @type {Map<number, number>} Where the fingers are, in CSS pixels. */
  #fingers = new Map();
  // What is being dragged; and the span at that time, which must not move under a finger.
  #drag = null;
  /** @type {Span | null} */
  #frozen = null;
  #drawn = '';

  /** @param {HTMLElement} element */
  constructor(element) {
    super();
    this.#element = element;
    const find = (name) => element.querySelector(`[data-bar-${name}]`);
    this.#track = find('track');
    this.#parts = Object.fromEntries(
      ['kept', 'ticks', 'marks', 'clip', 'head', 'begin', 'end'].map((name) => [name, find(name)]),
    );
    for (const kind of ['begin', 'end']) this.#parts[kind].addEventListener('keydown', (event) => this.#onEndKey(event, kind));
    element.addEventListener('pointerdown', (event) => this.#onDown(event));
    element.addEventListener('pointermove', (event) => this.#onMove(event));
    for (const type of ['pointerup', 'pointercancel']) element.addEventListener(type, (event) => this.#onUp(event));
    element.addEventListener('pointerleave', () => this.#hover(null));
    element.addEventListener('wheel', (event) => this.#onWheel(event), { passive: false });
    new ResizeObserver(() => this.#draw()).observe(this.#track);
  }

  /** What has the role of a slider. */
  get track() {
    return this.#track;
  }

  /** The part of time that the bar shows. @returns {Span} */
  get view() {
    return this.#frozen ?? (this.#part === null ? this.#shown.whole : this.#followed(this.#part));
  }

  /** Whether less than the whole is shown. */
  get zoomed() {
    return this.#part !== null;
  }

  get dragging() {
    return this.#drag !== null;
  }

  /** @param {Shown} shown */
  show(shown) {
    const moved = shown.at !== null && shown.at !== this.#shown.at;
    this.#shown = shown;
    if (moved) this.#follow(shown.at);
    this.#draw();
  }

  /** Show the whole time again. */
  reset() {
    this.#part = null;
    this.#draw();
  }

  /** @param {number} by  More than 1 shows less. @param {number} about */
  zoom(by, about) {
    this.#setPart(zoomAbout(this.view, by, about, this.#shown.whole));
  }

  // While it is played or stepped through, the moment that is shown stays in sight.
  #follow(at) {
    if (this.#part === null || this.#frozen !== null) return;
    const { from, to } = this.view;
    if (at >= from && at <= to) return;
    const begin = at - (at > to ? 0.2 : 0.8) * (to - from);
    this.#setPart(keepInside({ from: begin, to: begin + to - from }, this.#shown.whole));
  }

  // What ends now goes on to end now.
  #followed({ from, to, live }) {
    const { whole } = this.#shown;
    return keepInside(live ? { from: from + whole.to - to, to: whole.to } : { from, to }, whole);
  }

  #setPart(span) {
    const { whole } = this.#shown;
    const all = span.to - span.from > 0.995 * (whole.to - whole.from);
    this.#part = all ? null : { ...span, live: span.to >= whole.to - 0.01 };
    if (this.#frozen !== null) this.#frozen = all ? whole : span;
    this.#draw();
    this.dispatchEvent(new CustomEvent('view'));
  }

  #draw() {
    const width = this.#track.clientWidth;
    if (width === 0) return;
    const { whole, kept, at, marks, clip, disabled } = this.#shown;
    const { view } = this;
    const { style } = this.#element;
    const place = (name, moment) => style.setProperty(`--${name}`, shareOf(moment, view).toFixed(5));
    this.#element.toggleAttribute('data-empty', kept === null);
    place('kept-from', within(kept?.from ?? view.to, view));
    place('kept-to', within(kept?.to ?? view.to, view));
    const head = this.#drag?.kind === 'seek' ? this.#drag.at : (at ?? whole.to);
    place('head', within(head, view));
    this.#parts.head.toggleAttribute('data-outside', head < view.from - 0.05 || head > view.to + 0.05);
    this.#element.toggleAttribute('data-live', this.#drag === null && at === null);
    this.#element.toggleAttribute('data-disabled', disabled);
    this.#parts.clip.hidden = clip === null;
    for (const name of ['begin', 'end']) this.#parts[name].hidden = clip === null;
    if (clip !== null) {
      place('clip-from', within(clip.from, view));
      place('clip-to', within(clip.to, view));
      this.#describeEnd('begin', clip.from);
      this.#describeEnd('end', clip.to);
    }
    this.#drawTicks(view, width, marks);
  }

  #describeEnd(kind, at) {
    const end = this.#parts[kind];
    const { whole } = this.#shown;
    end.ariaValueMin = whole.from.toFixed(1);
    end.ariaValueMax = whole.to.toFixed(1);
    end.ariaValueNow = at.toFixed(1);
    end.ariaValueText = formatWhen(at).time;
  }

  // Built anew only when others are to be seen; otherwise moved as a whole.
  #drawTicks(view, width, marks) {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const ticks = ticksOf(view, Math.max(2, Math.floor(width / (LABEL_REM * rem))));
    const near = marks.filter(({ at }) => at >= view.from && at <= view.to).slice(-MAX_MARKS);
    const drawn = [ticks.map(({ at }) => at), near.map(({ at, label }) => `${at}${label}`)].join('|');
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      this.#parts.ticks.replaceChildren(...ticks.map(({ label }) => make('span', 'bar-tick', label)));
      this.#parts.marks.replaceChildren(...near.map(({ label }) => {
        const mark = make('span', 'bar-mark');
        mark.title = label;
        mark.dataset.label = label;
        return mark;
      }));
    }
    ticks.forEach(({ at }, index) => {
      const share = shareOf(at, view);
      this.#parts.ticks.children[index].style.setProperty('--at', share.toFixed(5));
      this.#parts.ticks.children[index].toggleAttribute('data-cut', (1 - share) * width < 0.8 * LABEL_REM * rem);
    });
    near.forEach(({ at }, index) => {
      this.#parts.marks.children[index].style.setProperty('--at', shareOf(at, view).toFixed(5));
    });
  }

  #xOf(event) {
    return event.clientX - this.#track.getBoundingClientRect().left;
  }

  #momentAt(x) {
    const share = Math.min(1, Math.max(0, x / this.#track.clientWidth));
    return within(momentAt(share, this.view), this.#shown.whole);
  }

  #onDown(event) {
    if (event.button !== 0 || this.#shown.disabled) return;
    if (event.target.closest('button')) return;
    const x = this.#xOf(event);
    this.#fingers.set(event.pointerId, x);
    this.#element.setPointerCapture(event.pointerId);
    if (this.#fingers.size > 1) {
      // Two fingers zoom; where the first one was put down meant nothing.
      this.#drag = null;
      return;
    }
    const kind = event.target.closest('[data-bar-begin]') ? 'begin' : event.target.closest('[data-bar-end]') ? 'end' : 'seek';
    this.#frozen = { ...this.view };
    this.#drag = { kind, at: this.#momentAt(x) };
    if (kind === 'seek') {
      this.#track.focus({ preventScroll: true });
      this.#seek(x, false);
    }
  }

  #onMove(event) {
    const x = this.#xOf(event);
    const before = this.#fingers.get(event.pointerId);
    if (event.pointerType !== 'touch' || before !== undefined) this.#hover(x);
    if (before === undefined) return;
    this.#fingers.set(event.pointerId, x);
    if (this.#fingers.size === 2) this.#pinch(event.pointerId, before, x);
    else if (this.#drag?.kind === 'seek') this.#seek(x, false);
    else if (this.#drag !== null) this.#moveEnd(this.#drag.kind, this.#momentAt(x));
  }

  #onUp(event) {
    if (!this.#fingers.delete(event.pointerId)) return;
    const drag = this.#drag;
    if (this.#fingers.size === 0) {
      this.#drag = null;
      this.#frozen = null;
    }
    if (event.pointerType === 'touch') this.#hover(null);
    if (drag?.kind === 'seek') this.#seek(this.#xOf(event), true, drag);
    this.#draw();
  }

  #seek(x, done, drag = this.#drag) {
    const toNow = x > this.#track.clientWidth - SNAP_PX && this.view.to >= this.#shown.whole.to - 0.5;
    drag.at = toNow ? this.#shown.whole.to : this.#momentAt(x);
    this.#draw();
    this.dispatchEvent(new CustomEvent('seek', { detail: { at: toNow ? null : drag.at, done } }));
  }

  #moveEnd(kind, at) {
    const { clip, whole } = this.#shown;
    const to = within(at, whole);
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
    const about = this.#momentAt((before + other) / 2);
    const zoomed = zoomAbout(this.view, by, about, this.#shown.whole);
    const moved = (((before - x) / 2) * (zoomed.to - zoomed.from)) / this.#track.clientWidth;
    this.#setPart(keepInside({ from: zoomed.from + moved, to: zoomed.to + moved }, this.#shown.whole));
  }

  #onWheel(event) {
    if (this.#shown.disabled) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? WHEEL_LINE_PX : 1;
    const { view } = this;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const pixels = (event.deltaX || event.deltaY) * unit;
      const by = (pixels * (view.to - view.from)) / this.#track.clientWidth;
      this.#setPart(keepInside({ from: view.from + by, to: view.to + by }, this.#shown.whole));
      return;
    }
    const pixels = Math.max(-200, Math.min(200, event.deltaY * unit));
    this.zoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.003)), this.#momentAt(this.#xOf(event)));
    this.#hover(this.#xOf(event));
  }

  #hover(x) {
    const at = x === null || this.#shown.disabled ? null : this.#momentAt(x);
    const edge = x === null ? 0 : Math.min(this.#track.clientWidth, Math.max(0, x));
    this.dispatchEvent(new CustomEvent('hover', { detail: { at, x: edge } }));
  }
}
