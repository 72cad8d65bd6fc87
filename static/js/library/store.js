/** What the server keeps: requests days, recordings and events, and applies changes. */
import { ask } from '../bridge/api.js';
import { EVERYTHING, FILM, boundsOf, dayOf, matches, mergeRows, monthsOf } from './data.js';

// A small first page comes fast; then the rest, which the timeline needs as well.
const PAGE = 100;
const EVENTS_PAGE = 500;
const RECORDINGS_PAGE = 500;
// Also request recordings from before midnight: one of up to 5 minutes may reach into the day.
const BEFORE_S = 600;
const MAX_PAGES = 40;
// As long as the toast offers to undo.
const UNDO_MS = 10000;

/**
 * Event: `change` when rows, counts or the state changed.
 *
 * `state` is `loading`, `ready`, `failed` or `forbidden`; the last two come with a `message`.
 */
export class LibraryStore extends EventTarget {
  #days = new Map();
  #months = new Map();
  #shown = EVERYTHING;
  /** @type {import('./data.js').LibraryEvent[]} newest first */
  #events = [];
  /** @type {import('./data.js').Recording[]} newest first */
  #recordings = [];
  #gone = new Set();
  // Functions that delete items which are hidden so far.
  #leaving = new Set();
  #state = 'loading';
  #message = '';
  #paused = '';
  /** By kind of row. @type {Record<string, import('./data.js').Missing[]>} */
  #missing = {};
  #more = false;
  #turn = 0;
  /** Events that came while the day is being loaded; the answer may be older. @type {import('./data.js').LibraryEvent[] | null} */
  #told = null;

  get state() {
    return this.#state;
  }

  /** Why nothing can be recorded; empty if it can. */
  get paused() {
    return this.#paused;
  }

  /** The nodes that did not answer, with the cameras whose rows are missing. @returns {import('./data.js').Missing[]} */
  get missing() {
    const all = Object.values(this.#missing).flat();
    return [...new Map(all.map((one) => [one.node + one.cameras.join(), one])).values()];
  }

  get message() {
    return this.#message;
  }

  get more() {
    return this.#more;
  }

  /** The events that pass the filters, newest first. */
  get events() {
    return this.#events.filter((event) => !this.#gone.has(`events/${event.id}`) && matches(event, this.#shown));
  }

  /** All known events of the day, newest first. */
  get allEvents() {
    return this.#events.filter((event) => !this.#gone.has(`events/${event.id}`));
  }

  /** Time-lapse films of the day, newest first. */
  get films() {
    return this.#kept.filter(({ reason }) => reason === FILM);
  }

  /** The recordings of a camera on this day, without films, oldest first. @param {string} camera */
  recordingsOf(camera) {
    return this.#kept.filter((one) => one.camera === camera && one.reason !== FILM).reverse();
  }

  /** The newest version of a recording. @param {import('./data.js').Recording | null} recording */
  newest(recording) {
    return recording && (this.#recordings.find(({ id }) => id === recording.id) ?? recording);
  }

  get #kept() {
    return this.#recordings.filter(({ id }) => !this.#gone.has(`recordings/${id}`));
  }

  /** The cameras that have something on this day. @returns {Set<string>} */
  get cameras() {
    return new Set([...this.#kept, ...this.allEvents].map(({ camera }) => camera));
  }

  /** Counts of a day, by camera; undefined while unknown, empty if it has nothing. @param {string} day */
  countsOf(day) {
    return this.#days.get(day) ?? (this.#months.get(day.slice(0, 7)) === 'ready' ? {} : undefined);
  }

  /** Whether anything is kept in the loaded months. */
  get hasAnything() {
    return this.#days.size > 0 || this.#events.length > 0 || this.#recordings.length > 0;
  }

  /** Load the counts of days. @param {string[]} days @param {boolean} [again]  Even if known. */
  async loadDays(days, again = false) {
    const months = monthsOf(days).filter((month) => again || !this.#months.has(month));
    await Promise.all(months.map((month) => this.#loadMonth(month)));
  }

  async #loadMonth(month) {
    if (!this.#months.has(month)) this.#months.set(month, 'loading');
    const { ok, data } = await ask('GET', `api/days?month=${month}`);
    if (!ok) {
      if (this.#months.get(month) === 'loading') this.#months.delete(month);
      return;
    }
    for (const day of this.#days.keys()) if (day.startsWith(month)) this.#days.delete(day);
    for (const [day, cameras] of Object.entries(data.days ?? {})) this.#days.set(day, cameras);
    this.#months.set(month, 'ready');
    this.#emit();
  }

  /** Show another day or use other filters, and load what is missing. @param {import('./data.js').Shown} shown */
  async show(shown) {
    const before = this.#shown;
    this.#shown = shown;
    const isOther = shown.day !== before.day;
    if (isOther) {
      this.#events = [];
      this.#recordings = [];
    }
    if (isOther || shown.camera !== before.camera || shown.label !== before.label || this.#state !== 'ready') await this.load();
    else this.#emit();
  }

  /** Load the day again. */
  async load() {
    const { day } = this.#shown;
    if (day === null) return;
    this.#turn += 1;
    const turn = this.#turn;
    this.#told = [];
    if (this.#state !== 'ready' || this.#events.length + this.#recordings.length === 0) this.#set('loading');
    const [events, recordings] = await Promise.all([this.#askEvents(), this.#askRecordings(turn)]);
    if (turn !== this.#turn) return;
    const told = this.#told.filter((event) => this.#isShown(event));
    this.#told = null;
    if (!events.ok || !recordings.ok) {
      const { status, message } = events.ok ? recordings : events;
      this.#set(status === 401 ? 'login' : status === 403 ? 'forbidden' : 'failed', message);
      return;
    }
    this.#events = mergeRows(this.#ofDay(events.data.events), told);
    this.#missing.events = events.data.missing ?? [];
    this.#more = Boolean(events.data.more);
    this.#set('ready');
    await this.#fillUp(turn);
  }

  async #fillUp(turn) {
    let pages = 0;
    while (this.#more && turn === this.#turn && pages < MAX_PAGES) {
      pages += 1;
      if (!(await this.#loadMore(turn))) return;
    }
  }

  /** Load earlier events of the day. @returns {Promise<boolean>} whether that worked */
  async #loadMore(turn) {
    const { ok, data } = await this.#askEvents(this.#events.at(-1)?.from, EVENTS_PAGE);
    if (!ok || turn !== this.#turn) return false;
    const before = this.#events.length;
    this.#events = mergeRows(this.#events, this.#ofDay(data.events));
    this.#missing.events = [...this.#missing.events, ...(data.missing ?? [])];
    this.#more = Boolean(data.more) && this.#events.length > before;
    this.#emit();
    return true;
  }

  /** Load one event, maybe from another day. @param {string} id @returns {Promise<import('../bridge/api.js').Answer>} */
  async find(id) {
    const known = this.#events.find((event) => String(event.id) === id);
    if (known) return { ok: true, status: 200, data: known, message: '', headers: null };
    return ask('GET', `api/events/${encodeURIComponent(id)}`);
  }

  /** Apply an event that has begun, changed or ended. @param {import('./data.js').LibraryEvent} event */
  take(event) {
    this.#told?.push(event);
    if (this.#state !== 'ready' || !this.#isShown(event)) return;
    this.#events = mergeRows(this.#events, [event]);
    this.#emit();
  }

  /** Load the newest recordings: one may have grown, another begun. */
  async refreshRecordings() {
    if (this.#state !== 'ready') return;
    const turn = this.#turn;
    const known = this.#recordings.find(({ open }) => !open)?.from ?? 0;
    const { ok } = await this.#askRecordings(turn, known);
    if (ok && turn === this.#turn) this.#emit();
  }

  /** Keep an item forever, or no longer. @param {'events' | 'recordings'} kind @param {object} row @param {boolean} locked */
  async lock(kind, row, locked) {
    const answer = await ask('PATCH', `api/${kind}/${encodeURIComponent(row.id)}`, { body: { locked } });
    if (answer.ok) this.#replace(kind, { ...row, locked });
    return answer;
  }

  /**
   * Hide items now, and delete them after a while.
   *
   * @param {{kind: 'events' | 'recordings', row: {id: string | number}}[]} items
   * @param {(message: string) => void} onFailed
   * @returns {() => void} keeps them after all
   */
  removeSoon(items, onFailed) {
    const keys = items.map(({ kind, row }) => `${kind}/${row.id}`);
    for (const key of keys) this.#gone.add(key);
    const end = () => {
      clearTimeout(timer);
      this.#leaving.delete(leave);
    };
    const leave = async () => {
      end();
      for (const key of keys) {
        const [kind, id] = key.split('/');
        const { ok, status, message } = await ask('DELETE', `api/${kind}/${encodeURIComponent(id)}`, { keepalive: true });
        if (ok || status === 404) continue;
        this.#gone.delete(key);
        onFailed(message);
      }
      this.#emit();
      this.loadDays([this.#shown.day], true);
    };
    const timer = setTimeout(leave, UNDO_MS);
    this.#leaving.add(leave);
    this.#emit();
    return () => {
      end();
      for (const key of keys) this.#gone.delete(key);
      this.#emit();
    };
  }

  /** Delete hidden items now: they can no longer be brought back. */
  flush() {
    for (const leave of [...this.#leaving]) leave();
  }

  #replace(kind, row) {
    if (kind === 'events') this.#events = mergeRows(this.#events, [row]);
    else this.#recordings = mergeRows(this.#recordings, [row]);
    this.#emit();
  }

  // Whether an event belongs to the loaded day and filters.
  #isShown({ camera, label, from }) {
    return dayOf(from) === this.#shown.day && matches({ camera, label }, { ...this.#shown, locked: false });
  }

  #askEvents(before, limit = PAGE) {
    const [since, end] = boundsOf(this.#shown.day);
    const { camera, label } = this.#shown;
    return ask('GET', `api/events?${queryOf({ camera, label, since, before: before ?? end, limit })}`);
  }

  async #askRecordings(turn, known = 0) {
    const [begin, end] = boundsOf(this.#shown.day);
    const since = Math.max(begin, known) - BEFORE_S;
    let before = end;
    let answer;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      answer = await ask('GET', `api/recordings?${queryOf({ since, before, limit: RECORDINGS_PAGE })}`);
      if (!answer.ok || turn !== this.#turn) return answer;
      const rows = answer.data.recordings;
      this.#paused = answer.data.paused ?? '';
      this.#missing.recordings = [...(page === 0 ? [] : this.#missing.recordings), ...(answer.data.missing ?? [])];
      this.#recordings = mergeRows(this.#recordings, rows.filter((row) => row.to > begin && row.from < end));
      if (!answer.data.more || rows.length === 0 || rows.at(-1).from >= before) break;
      before = rows.at(-1).from;
    }
    return answer;
  }

  #ofDay(events) {
    return events.filter(({ from }) => dayOf(from) === this.#shown.day);
  }

  #set(state, message = '') {
    this.#state = state;
    this.#message = message;
    this.#emit();
  }

  #emit() {
    this.dispatchEvent(new CustomEvent('change'));
  }
}

function queryOf(values) {
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value !== '').map(([key, value]) => [key, String(value)]));
}
