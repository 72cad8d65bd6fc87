/**
 * The time bar under the camera in focus, with its buttons: shows which moment is looked at, and moves there.
 *
 * Event: `act` ({action, ...}) when a button is pressed, as for a key; see page/keymap.js.
 */
import { withToken } from '../bridge/embed.js';
import { setText, setTitle } from '../ui/dom.js';
import { UNKNOWN, formatAge, formatAgo, formatWhen } from '../ui/format.js';
import { MAX_CLIP_S, formatClip } from './clip.js';
import { SPEEDS } from './past.js';
import { ScrubberBar } from './scrubber-bar.js';
import { ScrubberPreview } from './scrubber-preview.js';

// How often it is asked what is remembered; between, it moves on with the clock.
const FETCH_MS = 4000;
// An empty bar shows this much.
const MIN_WHOLE_S = 10;
// If nothing newer is remembered than this, nothing comes any more.
const MIN_GAP_S = 2;
// A part that is begun to be marked.
const CLIP_S = 10;
const NOTHING = { from: null, to: null, marks: [], heard: 0 };

export class Scrubber extends EventTarget {
  #element;
  #past;
  #bar;
  #preview;
  #parts;
  /** @type {import('../grid/tile.js').Tile | null} */
  #tile = null;
  #connected = false;
  // What the server said it remembers, and when it said so, by its clock.
  #memory = NOTHING;
  #fetching = 0;
  #playAfterwards = 0;
  /** The part that is marked. @type {import('./scrubber-scale.js').Span | null} */
  #clip = null;
  #saveClip;
  #saving = false;

  /**
   * @param {HTMLElement} element
   * @param {import('./past.js').Past} past
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
    setInterval(() => this.#fetch(), FETCH_MS);
    document.addEventListener('visibilitychange', () => this.#fetch());
  }

  /** Show the past of a camera; of none with null. @param {import('../grid/tile.js').Tile | null} tile */
  show(tile) {
    if (tile === this.#tile) return;
    this.#tile = tile;
    this.#element.hidden = tile === null;
    this.#memory = NOTHING;
    this.#clip = null;
    this.#bar.reset();
    if (tile === null) return;
    this.#preview.retarget(tile.name, tile.ratio);
    this.#fetch();
    this.refresh();
  }

  /** What keys are for. @returns {'none' | 'here' | 'past'} see page/keymap.js */
  get time() {
    if (this.#tile === null || !this.#connected) return 'none';
    return this.#past.engaged ? 'past' : 'here';
  }

  /** @param {{action: string, by?: number}} act @returns {boolean} whether there was something to do */
  perform({ action, by }) {
    if (action === 'past-live') return this.#past.live();
    if (this.#tile === null || !this.#connected) return false;
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
        this.#mark({ from: this.#here, to: this.#clip?.to > this.#here ? this.#clip.to : Math.min(this.#here + CLIP_S, this.#past.nowUnix) });
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

  // The moment that is seen.
  get #here() {
    return this.#past.at ?? this.#past.nowUnix;
  }

  #around() {
    const at = this.#past.at;
    if (at === null) return { from: this.#here - CLIP_S, to: this.#here };
    return { from: at - CLIP_S / 2, to: Math.min(at + CLIP_S / 2, this.#past.nowUnix) };
  }

  #mark(clip) {
    this.#clip = clip;
    this.refresh();
  }

  // What is no longer remembered cannot be saved.
  #trimClip(kept) {
    if (this.#clip === null || kept === null) return;
    const { from, to } = this.#clip;
    if (to <= kept.from) this.#clip = null;
    else this.#clip = { from: Math.max(from, kept.from), to };
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

  /** Whether the server can be asked. @param {boolean} connected */
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
    if (turn !== this.#fetching || tile !== this.#tile || found === null) return;
    this.#memory = { ...found, heard: this.#past.nowUnix };
    this.refresh();
  }

  /** Show what is true now. Called several times a second. */
  refresh() {
    const tile = this.#tile;
    if (tile === null) return;
    const { viewer } = tile;
    const { wanted: at } = viewer.past;
    const now = this.#past.nowUnix;
    const kept = this.#kept(now);
    const from = Math.min(kept?.from ?? Infinity, at ?? Infinity, now - MIN_WHOLE_S);
    const disabled = !this.#connected || (kept === null && at === null);
    this.#trimClip(kept);
    const clip = this.#clip;
    this.#bar.show({ whole: { from, to: now }, kept, at, marks: this.#memory.marks, clip, disabled });
    this.#showClip(clip, disabled);
    this.#showWords(viewer.past, now, kept, disabled);
    this.#showButtons(at, disabled);
  }

  // The memory moves on by itself until it is asked about again.
  #kept(now) {
    const { from, to, heard } = this.#memory;
    const span = this.#tile.viewer.past.span;
    if (from === null || to === null) return span;
    return { from, to: heard - to < MIN_GAP_S ? now : to };
  }

  #showWords(asked, now, kept, disabled) {
    const { time, ago, note } = this.#parts;
    const { wanted: at } = asked;
    const shown = at ?? now;
    const clockTime = formatWhen(shown).time;
    const age = at === null ? (this.#isLive ? 'Live' : 'Now') : formatAgo(now - shown, shown);
    setText(time, disabled && at === null ? UNKNOWN : clockTime);
    setText(ago, at === null ? '' : age === clockTime ? '' : age);
    setText(note, this.#noteFor(asked, kept));
    note.hidden = note.textContent === '';
    const { track } = this.#bar;
    track.ariaValueMin = (kept?.from ?? now - MIN_WHOLE_S).toFixed(0);
    track.ariaValueMax = now.toFixed(0);
    track.ariaValueNow = shown.toFixed(3);
    track.ariaValueText = at === null || age === clockTime ? age : `${clockTime}, ${age}`;
    track.ariaDisabled = String(disabled);
  }

  // Only a picture of now is; who is not in the past may have none.
  get #isLive() {
    return this.#connected && this.#tile.condition === 'live';
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
  }

  #noteFor({ fault, short, span }, kept) {
    if (!this.#connected) return 'The past can be seen again once the server is connected.';
    if (fault) return fault;
    if (short && span !== null) return `Only ${formatAge(span.to - span.from)} of this camera are remembered.`;
    if (kept !== null) return '';
    return this.#tile.state.rewind === 0 ? 'The past of this camera is not remembered.' : 'Nothing is remembered yet.';
  }

  #showButtons(at, disabled) {
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
    live.toggleAttribute('data-away', at === null && !this.#isLive);
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
    this.#bar.addEventListener('hover', ({ detail: { at, x } }) => {
      if (at === null) this.#preview.hide();
      // While it is dragged, the large picture shows that moment.
      else this.#preview.show(at, x, !this.#bar.dragging);
    });
    this.#bar.addEventListener('clip', ({ detail: { clip, at } }) => {
      this.#mark(clip);
      // What begins or ends there is seen.
      this.#past.seek(at);
    });
    this.#bar.addEventListener('view', () => this.refresh());
    this.#past.addEventListener('change', () => this.refresh());
  }

  #onSeek({ at, done }) {
    const { speed } = this.#past;
    if (speed !== 0) this.#playAfterwards = speed;
    if (at === null && done) {
      this.#playAfterwards = 0;
      this.#past.live();
      return;
    }
    this.#past.seek(at ?? this.#past.nowUnix);
    if (!done || this.#playAfterwards === 0) return;
    this.#past.play(this.#playAfterwards);
    this.#playAfterwards = 0;
  }
}

/** What is remembered of a camera, and its events; null if the server does not tell. */
async function fetchMemory(camera) {
  try {
    const response = await fetch(withToken(`api/cameras/${encodeURIComponent(camera)}/past`), { cache: 'no-store' });
    if (!response.ok) return null;
    const { from, to, marks } = await response.json();
    return { from: from ?? null, to: to ?? null, marks: Array.isArray(marks) ? marks : [] };
  } catch {
    return null;
  }
}

function describeSpeed(speed) {
  return { 0.25: '¼×', 0.5: '½×' }[speed] ?? `${speed}×`;
}
