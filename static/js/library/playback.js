/** Playback in the library: an event, a moment of the timeline or a film; and the marked clip. */
import { formatLabel } from '../ui/format.js';
import { toggleFullscreen } from '../ui/fullscreen.js';
import { keyOf } from './cards.js';
import { FILM, endOf, filmsOf, findRecording, linkTo } from './data.js';
import { PlaybackBar } from './playback-bar.js';
import { Player } from './player.js';

// An event is played from this long before it, and stays current until this long after it.
const LEAD_S = 3;
// How much of the timeline to show around it.
const AROUND_S = 600;

/**
 * Events: `change` when something else is played, or nothing; `moment` ({event, moment}) for the address;
 * `step` ({key}) when another event is played; `closed` ({item, camera}); `lock` and `delete` ({item}).
 */
export class Playback extends EventTarget {
  #element;
  #store;
  #lanes;
  #page;
  #player;
  #bar;
  /** The event that was opened. @type {import('./data.js').LibraryEvent | null} */
  #event = null;
  // Whether it was not recorded, so that its picture is shown.
  #still = false;
  #clip = { camera: '', from: NaN, to: NaN };
  // Whether it was playing before a drag; null without one.
  #resume = null;
  #shownKey = '';

  /**
   * @param {HTMLElement} element
   * @param {import('./store.js').LibraryStore} store
   * @param {import('./lanes.js').Lanes} lanes
   * @param {{titleOf: (camera: string) => string, nowUnix: () => number, tell: (message: string, level?: string) => void}} page
   */
  constructor(element, store, lanes, page) {
    super();
    this.#element = element;
    this.#store = store;
    this.#lanes = lanes;
    this.#page = page;
    const filmsAround = ({ id }) => {
      const films = this.#event ? filmsOf(this.#event, store.films, this.#page.nowUnix()) : [];
      return { first: films[0] ?? null, next: films[films.findIndex((one) => one.id === id) + 1] ?? null };
    };
    const shelf = { recordingsOf: (camera) => store.recordingsOf(camera), filmsAround, refresh: () => store.refreshRecordings() };
    this.#player = new Player([...element.querySelectorAll('[data-reel]')], shelf);
    this.#bar = new PlaybackBar(element, this.#player);
    this.#player.addEventListener('time', () => this.#onTime());
    this.#player.addEventListener('recording', () => this.#emit('change'));
    this.#player.addEventListener('state', () => this.#tellMoment());
    this.#bar.addEventListener('act', ({ detail }) => this.#perform(detail));
    lanes.addEventListener('seek', ({ detail }) => this.#onSeek(detail));
  }

  get open() {
    return !this.#element.hidden;
  }

  /** The list item being played; null if there is none. @returns {import('./cards.js').Item | null} */
  get current() {
    const recording = this.#recording;
    const event = this.#eventNow();
    if (!event && recording?.reason === FILM) return { kind: 'recordings', row: recording };
    return event ? { kind: 'events', row: event } : null;
  }

  // The newest version: it may have been locked meanwhile.
  get #recording() {
    return this.#store.newest(this.#player.recording);
  }

  /** The item being played, even if it is only a recording. */
  get #item() {
    const recording = this.#recording;
    return this.current ?? (recording ? { kind: 'recordings', row: recording } : null);
  }

  /** Whether one of these is being played. @param {string[]} keys */
  playsAny(keys) {
    const { recording } = this.#player;
    return [this.current, recording && { kind: 'recordings', row: recording }].some((one) => one && keys.includes(keyOf(one)));
  }

  /** @param {import('./data.js').LibraryEvent} event */
  playEvent(event) {
    const [film] = filmsOf(event, this.#store.films, this.#page.nowUnix());
    if (film) {
      this.playFilm(film, event);
      this.#emit('moment', linkTo(event));
      return;
    }
    this.#event = event;
    const from = event.from - LEAD_S;
    const recording = findRecording(this.#store.recordingsOf(event.camera), from);
    this.#still = recording === null || recording.from > endOf(event, this.#page.nowUnix()) + LEAD_S;
    if (this.#still) {
      this.#player.stop();
      const address = event.picture ? `event/${encodeURIComponent(event.id)}.jpg` : null;
      this.#bar.showStill(address, address ? 'Not recorded: this is its picture' : 'Not recorded', event.from);
    } else {
      this.#bar.showStill(null);
      this.#player.open(recording, Math.max(from, recording.from), true);
    }
    this.#lanes.setCursor(event.camera, event.from);
    this.#lanes.zoomTo(event.from - AROUND_S, event.from + AROUND_S);
    this.#show();
    this.#emit('moment', linkTo(event));
  }

  /** @param {import('./data.js').Recording} film @param {import('./data.js').LibraryEvent | null} [event]  The event of the film. */
  playFilm(film, event = null) {
    this.#begin();
    this.#event = event;
    this.#player.open(film, film.from, true);
    this.#lanes.setCursor('', NaN);
    this.#show();
  }

  /** @param {string} camera @param {number} at @param {boolean} plays  False to show only this picture. */
  seek(camera, at, plays) {
    const last = this.#store.recordingsOf(camera).at(-1);
    if (!last) {
      this.#page.tell(`${this.#page.titleOf(camera)} has no recordings on this day.`);
      return;
    }
    this.#begin();
    if (!this.#player.seek(camera, at, plays)) this.#player.open(last, Math.max(last.from, last.to - 1), plays);
    this.#show();
  }

  close() {
    if (!this.open) return;
    const item = this.current;
    const { camera } = this.#player;
    this.#player.stop();
    this.#begin();
    this.#element.hidden = true;
    delete this.#lanes.element.dataset.playing;
    this.#lanes.setCursor('', NaN);
    this.#mark(NaN, NaN);
    this.#emit('moment', { event: null, moment: null });
    this.#emit('closed', { item, camera });
  }

  /** Refresh what is shown. @param {boolean} mayChange */
  render(mayChange) {
    if (!this.open) return;
    const recording = this.#recording;
    const event = this.#eventNow();
    const camera = (this.#still ? event : (recording ?? event))?.camera ?? '';
    this.#bar.show({ title: this.#page.titleOf(camera), event, recording: this.#still ? null : recording, mayChange });
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key did something */
  onKey(event) {
    return this.open && this.#bar.onKey(event);
  }

  #begin() {
    this.#event = null;
    this.#still = false;
    this.#bar.showStill(null);
  }

  #show() {
    this.#element.hidden = false;
    this.#lanes.element.dataset.playing = '';
    const camera = this.#player.camera || this.#event?.camera;
    if (camera !== this.#clip.camera) this.#mark(NaN, NaN);
    this.#emit('change');
  }

  // The opened event while it is on the screen; otherwise the newest event that is.
  #eventNow() {
    const known = this.#event && (this.#store.allEvents.find(({ id }) => id === this.#event.id) ?? this.#event);
    const { recording, at } = this.#player;
    if (this.#still || recording?.reason === FILM) return known;
    if (recording === null) return null;
    const holds = (event) => event.camera === recording.camera && at >= event.from - LEAD_S - 1
      && at <= endOf(event, this.#page.nowUnix()) + LEAD_S;
    if (known && holds(known)) return known;
    return this.#store.allEvents.find(holds) ?? null;
  }

  #onTime() {
    const { camera, at, recording, playing } = this.#player;
    if (recording?.reason !== FILM) this.#lanes.setCursor(camera, at, playing);
    const key = this.current ? keyOf(this.current) : '';
    if (key !== this.#shownKey) this.#emit('change');
    this.#shownKey = key;
  }

  // Not during playback, when the address would change all the time.
  #tellMoment() {
    const { camera, at, playing, recording } = this.#player;
    if (camera === '' || playing || recording.reason === FILM) return;
    const event = this.#eventNow();
    this.#emit('moment', event ? linkTo(event) : { event: null, moment: { camera, at } });
  }

  #onSeek({ camera, at, done }) {
    const plays = this.#resume ?? (this.#player.playing || !this.open);
    this.#resume = done ? null : plays;
    this.seek(camera, at, done && plays);
  }

  #stepEvent(by) {
    const { events } = this.#store;
    const { at } = this.#player;
    const current = events.findIndex(({ id }) => id === this.#eventNow()?.id);
    // Events are newest first, so the next one has a lower index.
    const next = () => (by > 0 ? events.findLastIndex(({ from }) => from > at) : events.findIndex(({ from }) => from < at));
    const event = events[current >= 0 ? current - by : next()];
    if (event) {
      this.playEvent(event);
      this.#emit('step', { key: `events/${event.id}` });
    } else {
      this.#bar.note(by > 0 ? 'This is the newest event of the day' : 'This is the first event of the day');
    }
  }

  #mark(from, to) {
    const { camera } = this.#player;
    this.#clip = { camera, from, to };
    this.#bar.setClip(from, to, camera);
    this.#lanes.setClip(from, to);
  }

  #perform({ action, by }) {
    const { at, recording } = this.#player;
    const { from, to } = this.#clip;
    const isMarkable = !Number.isNaN(at) && recording?.reason !== FILM;
    const item = this.#item;
    if (action === 'event') this.#stepEvent(by);
    if (action === 'mark-from' && isMarkable) this.#mark(at, to > at ? to : NaN);
    if (action === 'mark-to' && isMarkable) this.#mark(from < at ? from : NaN, at);
    if (action === 'unmark') this.#mark(NaN, NaN);
    if (action === 'close') this.close();
    if (action === 'fullscreen') toggleFullscreen(this.#element).catch((error) => this.#page.tell(error.message, 'warning'));
    if (['lock', 'delete'].includes(action) && item) this.#emit(action, { item });
  }

  #emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
