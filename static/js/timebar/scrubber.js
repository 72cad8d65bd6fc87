/**
 * The time bar under the camera in focus, with its buttons: shows the current moment, and seeks to others.
 *
 * Event: `act` ({action, ...}) when a button is pressed, as for a key; see page/keymap.js.
 */
import { withToken } from '../bridge/embed.js';
import { setText, setTitle } from '../ui/dom.js';
import { formatAgo, formatLabel, formatWhen, formatAgoSpoken } from '../ui/format.js';
import { MAX_CLIP_S, formatClip } from './clip.js';
import { SPEEDS } from './past-control.js';
import { ScrubberBar } from './scrubber-bar.js';
import { ScrubberPreview } from './scrubber-preview.js';
import { describeBar } from './scrubber-words.js';

// How often to ask what is kept; in between, the bar moves on with the clock. Sooner while a camera starts.
const FETCH_MS = 4000;
const FETCH_AGAIN_MS = 1000;
// An empty bar shows this much.
const MIN_WHOLE_S = 10;
// If nothing newer than this is kept, the camera has stopped sending.
const MIN_GAP_S = 2;
// A picture stands for this long, even if the next one comes later.
const NEAR_S = 1;
// Length of a clip when marking begins.
const CLIP_S = 10;
const NOTHING = { status: null, from: null, to: null, gaps: [], marks: [], heard: 0 };

export class Scrubber extends EventTarget {
  #element;
  #past;
  #bar;
  #preview;
  #parts;
  /** @type {import('../grid/tile.js').Tile | null} */
  #tile = null;
  #connected = false;
  // What the server keeps, by its last answer, and the time of that answer, by its clock.
  #memory = NOTHING;
  #fetching = 0;
  #fetchTimer = 0;
  #playAfterwards = 0;
  /** The part marked for a clip. @type {import('../ui/timescale.js').Span & {goesOn?: boolean} | null} */
  #clip = null;
  #saveClip;
  #saving = false;
  #frame = 0;

  /**
   * @param {HTMLElement} element
   * @param {import('./past-control.js').PastControl} past
   * @param {(camera: string, from: number, to: number) => Promise<boolean>} saveClip
   */
  constructor(element, past, saveClip) {
    super();
    this.#element = element;
    this.#past = past;
    this.#saveClip = saveClip;
    const find = (name) => element.querySelector(`[data-scrub-${name}]`);
    this.#parts = Object.fromEntries(
      ['play', 'speed', 'time', 'ago', 'note', 'together', 'live', 'clip', 'row', 'marked', 'length', 'save'].map((name) => [name, find(name)]),
    );
    this.#bar = new ScrubberBar(find('bar'));
    this.#preview = new ScrubberPreview(find('card'));
    this.#parts.speed.replaceChildren(...SPEEDS.map((speed) => new Option(describeSpeed(speed), String(speed))));
    this.#listen();
    document.addEventListener('visibilitychange', () => this.#fetch());
  }

  /** Show the past of a camera; null for none. @param {import('../grid/tile.js').Tile | null} tile */
  show(tile) {
    if (tile === this.#tile) return;
    this.#tile = tile;
    this.#element.hidden = tile === null;
    this.#memory = NOTHING;
    clearTimeout(this.#fetchTimer);
    this.#clip = null;
    this.#bar.reset();
    if (tile === null) return;
    this.#preview.retarget(tile.name, tile.ratio);
    this.#fetch();
    this.refresh();
  }

  /** What the keys act on. @returns {'none' | 'here' | 'past'} see page/keymap.js */
  get time() {
    if (this.#tile === null || !this.#connected) return 'none';
    return this.#past.engaged ? 'past' : 'here';
  }

  /** @param {{action: string, by?: number}} act @returns {boolean} whether there was something to do */
  perform({ action, by }) {
    if (action === 'past-live') return this.#past.live();
    if (this.#tile === null || !this.#connected) return false;
    // Until the server has answered, assume that something is kept.
    if (this.#disabled && this.#memory.status !== null) return false;
    switch (action) {
      case 'past-step':
        this.#past.step(by);
        return true;
      case 'past-skip':
        this.#past.skip(by);
        return true;
      case 'past-toggle':
        this.#past.toggle();
        return true;
      case 'past-shuttle':
        this.#past.shuttle(by);
        return true;
      case 'past-oldest':
        if (this.#oldest !== null) this.#past.seek(this.#oldest);
        return true;
      case 'past-together':
        this.#past.toggleTogether();
        return true;
      case 'clip':
        this.#mark(this.#clip === null ? this.#around() : null);
        return true;
      case 'clip-from':
        this.#mark(this.#beginningHere());
        return true;
      case 'clip-to':
        this.#mark({ from: this.#clip?.from < this.#here ? this.#clip.from : this.#here - CLIP_S, to: this.#here });
        return true;
      case 'clip-save':
        this.#save();
        return true;
      default:
        return false;
    }
  }

  // Whether there is nothing to seek to.
  get #disabled() {
    if (this.#tile === null || !this.#connected) return true;
    return this.#past.at === null && this.#kept(this.#past.nowUnix) === null;
  }

  // The shown moment.
  get #here() {
    return this.#past.at ?? this.#past.nowUnix;
  }

  #around() {
    const at = this.#past.at;
    if (at === null) return { from: this.#here - CLIP_S, to: this.#here };
    return { from: at - CLIP_S / 2, to: Math.min(at + CLIP_S / 2, this.#past.nowUnix) };
  }

  // A clip that begins now goes on until its end is marked.
  #beginningHere() {
    const from = this.#here;
    if (this.#past.at === null) return { from, to: from, goesOn: true };
    return { from, to: this.#clip?.to > from ? this.#clip.to : Math.min(from + CLIP_S, this.#past.nowUnix) };
  }

  #mark(clip) {
    this.#clip = clip;
    this.refresh();
  }

  // What is no longer kept cannot be saved.
  #trimClip(kept) {
    if (this.#clip === null || kept === null) return;
    const { from, to } = this.#clip;
    if (to <= kept.from) this.#clip = null;
    else this.#clip = { ...this.#clip, from: Math.max(from, kept.from) };
  }

  async #save() {
    if (this.#clip === null || this.#saving) return;
    const { from, to } = this.#clip;
    const camera = this.#tile.name;
    this.#saving = true;
    this.refresh();
    const saved = await this.#saveClip(camera, from, to);
    this.#saving = false;
    if (saved && this.#tile?.name === camera) this.#clip = null;
    this.refresh();
  }

  get #oldest() {
    return this.#kept(this.#past.nowUnix)?.from ?? null;
  }

  /** Set whether the server is connected. @param {boolean} connected */
  setConnected(connected) {
    this.#connected = connected;
    if (connected) this.#fetch();
    this.refresh();
  }

  async #fetch() {
    const tile = this.#tile;
    if (tile === null || !this.#connected || document.visibilityState !== 'visible') return;
    this.#fetching += 1;
    const turn = this.#fetching;
    const found = await fetchMemory(tile.name);
    if (turn !== this.#fetching || tile !== this.#tile) return;
    // After a failed request, go on with the last answer.
    this.#memory = found.status === 200 ? { ...found, heard: this.#past.nowUnix } : { ...this.#memory, ...found };
    clearTimeout(this.#fetchTimer);
    this.#fetchTimer = setTimeout(() => this.#fetch(), this.#memory.from === null ? FETCH_AGAIN_MS : FETCH_MS);
    this.refresh();
  }

  /** Update everything. Called several times a second. */
  refresh() {
    const tile = this.#tile;
    if (tile === null) return;
    const { viewer } = tile;
    const { wanted: at } = viewer.past;
    const now = this.#past.nowUnix;
    const kept = this.#kept(now);
    const from = Math.min(kept?.from ?? Infinity, at ?? Infinity, now - MIN_WHOLE_S);
    const disabled = this.#disabled;
    if (this.#clip?.goesOn) this.#clip = { ...this.#clip, to: now };
    this.#trimClip(kept);
    const clip = this.#clip;
    this.#bar.show({ whole: { from, to: now }, kept, gaps: this.#memory.gaps, at, marks: this.#memory.marks, clip, disabled });
    this.#showClip(clip, disabled);
    const told = this.#describe(now, kept);
    this.#element.dataset.past = told.state;
    this.#showWords(told, viewer.past, now, kept, disabled);
    this.#showButtons(told, at, disabled);
  }

  // A seek causes several changes, and drawing the bar forces a layout: draw once per refresh.
  #refreshSoon() {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.refresh();
    });
  }

  // What is kept now: it moves on with the clock until the server is asked again.
  #kept(now) {
    const { from, to, heard } = this.#memory;
    const span = this.#tile.viewer.past.span;
    if (from === null || to === null) return span;
    const goesOn = heard - to < MIN_GAP_S || this.#tile.condition === 'live';
    return { from, to: goesOn ? now : to };
  }

  // If not, the picture of that moment is from long before it.
  #isKept(at) {
    const kept = this.#kept(this.#past.nowUnix);
    if (kept === null || at < kept.from - NEAR_S || at > kept.to + NEAR_S) return false;
    return !this.#memory.gaps.some(({ from, to }) => at > from + NEAR_S && at < to);
  }

  #describe(now, kept) {
    const { condition, viewer, state } = this.#tile;
    return describeBar({
      connected: this.#connected,
      condition,
      status: this.#memory.status,
      kept,
      goesOn: kept?.to === now,
      at: viewer.past.wanted,
      past: viewer.past,
      video: viewer.codec !== null,
      off: state.rewind === 0,
    });
  }

  #showWords({ word, note }, { wanted: at, asked }, now, kept, disabled) {
    const parts = this.#parts;
    const shown = at ?? now;
    const clockTime = formatWhen(shown).time;
    const age = at === null ? word : formatAgo(now - (asked ?? at), at);
    setText(parts.time, disabled ? '' : clockTime);
    // Live is said beside it.
    setText(parts.ago, disabled || age === clockTime || age === 'Live' ? '' : age);
    parts.ago.dataset.status = at === null ? this.#tile.condition : 'past';
    setText(parts.note, note);
    parts.note.hidden = note === '';
    const { track } = this.#bar;
    track.ariaValueMin = (kept?.from ?? now - MIN_WHOLE_S).toFixed(0);
    track.ariaValueMax = now.toFixed(0);
    track.ariaValueNow = shown.toFixed(3);
    const ago = at === null ? '' : formatAgoSpoken(now - (asked ?? at));
    track.ariaValueText = disabled ? note || 'Loading' : at === null ? age : [clockTime, ago].filter(Boolean).join(', ');
    track.ariaDisabled = String(disabled);
  }

  #showClip(clip, disabled) {
    const { row, marked, length, save, clip: button } = this.#parts;
    row.toggleAttribute('data-marking', clip !== null);
    marked.hidden = clip === null;
    button.setAttribute('aria-pressed', String(clip !== null));
    if (clip === null) return;
    const seconds = clip.to - clip.from;
    setText(length, seconds > MAX_CLIP_S ? 'An hour at most' : formatClip(seconds));
    save.disabled = disabled || this.#saving || seconds > MAX_CLIP_S || seconds <= 0;
    setText(save.querySelector('span'), this.#saving ? 'Saving…' : 'Save clip');
  }

  #showButtons({ state }, at, disabled) {
    const { play, speed, together, live } = this.#parts;
    const playing = this.#past.speed !== 0 || at === null;
    play.toggleAttribute('data-playing', playing);
    const word = playing ? 'Pause' : 'Play';
    play.setAttribute('aria-label', word);
    setTitle(play, `${word}  k`);
    const href = playing ? '#i-pause' : '#i-play';
    const use = play.querySelector('use');
    if (use.getAttribute('href') !== href) use.setAttribute('href', href);
    const pace = String(this.#past.pace);
    if (speed.value !== pace) speed.value = pace;
    together.setAttribute('aria-pressed', String(this.#past.together));
    live.setAttribute('aria-pressed', String(at === null));
    live.toggleAttribute('data-away', at === null && state !== 'live');
    for (const control of this.#element.querySelectorAll('.scrub-row :is(button, select):not([data-scrub-save])')) {
      control.disabled = disabled;
    }
  }

  #listen() {
    this.#element.addEventListener('click', (event) => {
      const { scrubAct, by } = event.target.closest('[data-scrub-act]')?.dataset ?? {};
      if (scrubAct) this.dispatchEvent(new CustomEvent('act', { detail: { action: scrubAct, by: Number(by) } }));
    });
    this.#parts.speed.addEventListener('change', () => this.#past.setPace(Number(this.#parts.speed.value)));
    this.#bar.addEventListener('seek', ({ detail }) => this.#onSeek(detail));
    this.#bar.addEventListener('hover', ({ detail: { at, x, mark } }) => {
      if (at === null) {
        this.#preview.hide();
        return;
      }
      const isKept = this.#isKept(at);
      const what = isKept ? mark && formatLabel(mark) : 'Not kept';
      // During a drag, the large picture shows that moment.
      this.#preview.show(at, x, what, isKept && !this.#bar.dragging);
    });
    this.#bar.addEventListener('clip', ({ detail: { clip, at } }) => {
      this.#mark(clip);
      // Show the picture where the clip begins or ends.
      this.#past.seek(at);
    });
    this.#bar.addEventListener('view', () => this.refresh());
    this.#past.addEventListener('change', ({ detail: { tile } }) => {
      if (tile === null || tile === this.#tile) this.#refreshSoon();
    });
  }

  #onSeek({ at, done, moved }) {
    const { speed } = this.#past;
    if (speed !== 0) this.#playAfterwards = speed;
    if (at === null && done) {
      this.#playAfterwards = 0;
      this.#past.live();
    } else if (moved) {
      this.#past.seek(at ?? this.#past.nowUnix);
    }
    if (!done || this.#playAfterwards === 0) return;
    this.#past.play(this.#playAfterwards);
    this.#playAfterwards = 0;
  }
}

/** Fetch what is kept of a camera, and its events; only the status if that fails, 0 without an answer. */
async function fetchMemory(camera) {
  try {
    const response = await fetch(withToken(`api/cameras/${encodeURIComponent(camera)}/past`), { cache: 'no-store' });
    const { status } = response;
    if (!response.ok) return { status };
    const { from, to, gaps = [], marks } = await response.json();
    return { status, from: from ?? null, to: to ?? null, gaps: gaps.map(([begin, end]) => ({ from: begin, to: end })), marks: Array.isArray(marks) ? marks : [] };
  } catch {
    return { status: 0 };
  }
}

function describeSpeed(speed) {
  return { 0.25: '¼×', 0.5: '½×' }[speed] ?? `${speed}×`;
}
