/** The library: opens and closes it, keeps the address in step, and connects its parts. */
import { mayControl } from '../bridge/access.js';
import { make, setText } from '../ui/dom.js';
import { formatLabel, formatLength, plural } from '../ui/format.js';
import { Toasts } from '../ui/toasts.js';
import { Cards, keyOf } from './cards.js';
import { Changes } from './changes.js';
import {
  EVERYTHING, addDays, boundsOf, countDay, dateOf, dayOf, endOf, findRecording, orphanedFilms, marksOf, pictureOf, readLibrary, spansOf,
  writeLibrary,
} from './data.js';
import { DayStrip } from './days.js';
import { Lanes } from './lanes.js';
import { describeEmpty, noteOf } from './states.js';
import { LibraryStore } from './store.js';
import { Playback } from './playback.js';

const REFRESH_MS = 10000;
const PEEK_PX = 320;
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

const find = (selector) => document.querySelector(selector);

/** Event: `record` ({camera, mode}) when recording is switched on. */
export class Library extends EventTarget {
  #dialog;
  #clock;
  #grid;
  #backend;
  #store = new LibraryStore();
  #days;
  #lanes;
  #cards;
  #playback;
  #toasts;
  #parts;
  #shown = EVERYTHING;
  #role = 'viewer';
  #connected = true;
  #labels = new Set(['motion']);
  #timer = 0;
  #drawing = 0;
  #changes;

  /**
   * @param {object} page
   * @param {HTMLDialogElement} page.dialog
   * @param {import('../bridge/client.js').BackendClient} page.backend
   * @param {import('../stream/clock.js').ClockOffset} page.clock
   * @param {import('../grid/grid.js').Grid} page.grid
   * @param {HTMLTemplateElement} page.toast
   */
  constructor({ dialog, backend, clock, grid, toast }) {
    super();
    this.#dialog = dialog;
    this.#backend = backend;
    this.#clock = clock;
    this.#grid = grid;
    const part = (selector) => dialog.querySelector(selector);
    this.#parts = {
      camera: part('[data-library-camera]'),
      label: part('[data-library-label]'),
      kept: part('[data-library-kept]'),
      note: part('[data-library-note]'),
      noteText: part('[data-library-note-text]'),
      body: part('[data-library-body]'),
      playback: part('[data-playback]'),
      lanes: part('[data-lanes]'),
      day: part('[data-library-day]'),
      counts: part('[data-library-counts]'),
      loading: part('[data-cards-loading]'),
      empty: part('[data-library-empty]'),
      earlier: part('[data-library-earlier]'),
      spoken: part('[data-library-spoken]'),
    };
    this.#toasts = new Toasts(part('[data-library-toasts]'), toast);
    this.#days = new DayStrip(part('[data-days]'));
    this.#lanes = new Lanes(this.#parts.lanes, {
      pictureOf: (camera, at) => this.#pictureOf(camera, at),
      tell: (camera, at) => this.#tell(camera, at),
    });
    this.#cards = new Cards(part('[data-cards]'), find('#card-template'), this.#parts.body);
    this.#playback = new Playback(this.#parts.playback, this.#store, this.#lanes, {
      titleOf: (camera) => this.#titleOf(camera),
      nowUnix: () => this.#nowUnix,
      tell: (message, level) => this.#toasts.show(message, level),
    });
    this.#changes = new Changes(this.#store, find('[data-delete]'), (camera) => this.#titleOf(camera), this.#toasts);
    this.#listen();
  }

  get open() {
    return this.#dialog.open;
  }

  toggle() {
    if (this.open) this.#dialog.close();
    else this.show();
    return true;
  }

  /** Open it. @param {Partial<import('./data.js').Shown>} [shown]  What to show. */
  show(shown = {}) {
    if (!this.open) {
      const here = { ...history.state, library: true };
      history.pushState(here, '', location.pathname + writeLibrary({ ...EVERYTHING, ...shown }, location.search));
      this.#open();
    }
    this.#go({ ...EVERYTHING, ...shown });
  }

  /** Open it if the address names it. */
  openLinked() {
    const shown = readLibrary(location.search);
    if (shown === null) {
      if (this.open) this.#dialog.close();
      return;
    }
    if (!this.open) this.#open();
    this.#go(shown);
  }

  /** @param {{role: string, connected: boolean}} access */
  setAccess({ role, connected }) {
    const isBack = connected && !this.#connected;
    this.#role = role;
    this.#connected = connected;
    if (!this.open) return;
    if (isBack) this.#reload();
    this.#draw();
  }

  get #mayChange() {
    return mayControl(this.#role) && this.#connected;
  }

  get #nowUnix() {
    const server = this.#clock.serverUnix;
    return Number.isNaN(server) ? Date.now() / 1000 : server;
  }

  get #today() {
    return dayOf(this.#nowUnix);
  }

  #open() {
    this.#dialog.showModal();
    find('#library-title').focus();
    document.body.toggleAttribute('data-library-open', true);
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#onTick(), REFRESH_MS);
  }

  #onClosed() {
    clearInterval(this.#timer);
    document.body.removeAttribute('data-library-open');
    this.#playback.close();
    this.#store.flush();
    if (readLibrary(location.search) === null) return;
    // Undo the history entry that opened it; a link has made none.
    if (history.state?.library) history.back();
    else history.replaceState(history.state, '', location.pathname + writeLibrary(null, location.search));
  }

  #onTick() {
    if (document.hidden || !this.#connected) return;
    if (this.#store.missing.some(({ cameras }) => cameras.some((name) => this.#isBack(name)))) this.#store.load();
    else if (this.#shown.day === this.#today) this.#store.refreshRecordings();
    this.#store.loadDays([this.#today], true);
    this.#draw();
  }

  #isBack(camera) {
    return (this.#grid.tiles.get(camera)?.state?.state ?? 'retrying') !== 'retrying';
  }

  #reload() {
    this.#store.loadDays(this.#days.days, true);
    this.#store.load();
  }

  // Navigation.

  async #go(shown) {
    const answer = shown.event !== null ? await this.#store.find(shown.event) : null;
    const linked = answer?.ok ? answer.data : null;
    const moment = linked ? linked.from : shown.moment?.at;
    const day = moment !== undefined ? dayOf(moment) : (shown.day ?? this.#today);
    this.#change({ ...shown, day, event: linked ? shown.event : null }, { newest: shown.day === null && moment === undefined });
    if (answer && !answer.ok && this.#connected) {
      this.#toasts.show(answer.status === 404 ? 'This event is no longer kept.' : `The event cannot be shown: ${answer.message}`, 'warning');
    }
    await this.#loaded;
    if (linked) this.#playback.playEvent(linked);
    else if (shown.moment) this.#playback.seek(shown.moment.camera, shown.moment.at, false);
  }

  #loaded = Promise.resolve();

  #change(changes, { newest = false } = {}) {
    const before = this.#shown;
    this.#shown = { ...before, ...changes };
    const { day } = this.#shown;
    if (day !== before.day) {
      if (before.day !== null) this.#playback.close();
      this.#parts.body.scrollTop = 0;
    }
    this.#days.select(day, this.#today);
    this.#writeAddress();
    this.#loaded = this.#store.show(this.#shown);
    if (newest) this.#loaded.then(() => this.#leadToNewest(day));
    this.#draw();
  }

  // If the day has nothing yet, show the last one that has something.
  async #leadToNewest(day) {
    await this.#store.loadDays(this.#days.days);
    const isEmpty = this.#store.state === 'ready' && this.#store.cameras.size === 0;
    const other = this.#earlierDay(day);
    if (isEmpty && other && this.#shown.day === day && this.open) this.#change({ day: other });
  }

  /** The last earlier day that has something; null if none is known. */
  #earlierDay(day) {
    const days = this.#days.days.filter((one) => one < day).reverse();
    return days.find((one) => {
      const { events, recordings } = countDay(this.#store.countsOf(one), this.#shown.camera);
      return events + recordings > 0;
    }) ?? null;
  }

  #writeAddress() {
    if (!this.open) return;
    const address = location.pathname + writeLibrary(this.#shown, location.search);
    if (address !== location.pathname + location.search) history.replaceState(history.state, '', address);
  }

  #titleOf(camera) {
    return this.#grid.tiles.get(camera)?.title ?? camera;
  }

  // Drawing, at most once per animation frame.

  #draw() {
    this.#drawing ||= requestAnimationFrame(() => {
      this.#drawing = 0;
      if (this.open && this.#shown.day !== null) this.#render();
    });
  }

  #render() {
    const { day, camera, label, locked } = this.#shown;
    const store = this.#store;
    const nowUnix = this.#nowUnix;
    const { events, films, state } = store;
    for (const event of store.allEvents) this.#labels.add(event.label);
    this.#fillFilters();
    this.#days.render((one) => store.countsOf(one), camera);
    this.#showNote();
    this.#lanes.show(boundsOf(day), this.#rows(nowUnix), nowUnix);
    const items = [...events.map((row) => ({ kind: 'events', row })), ...orphanedFilms(films, store.allEvents, this.#shown, nowUnix).map((row) => ({ kind: 'recordings', row }))];
    items.sort((one, other) => other.row.from - one.row.from);
    const { current } = this.#playback;
    const mayChange = this.#mayChange;
    const now = { nowUnix, mayChange, current: current ? keyOf(current) : '' };
    this.#cards.show(state === 'forbidden' ? [] : items, (name) => this.#titleOf(name), now);
    this.#parts.loading.hidden = !(state === 'loading' && items.length === 0);
    setText(this.#parts.day, this.#nameOf(day));
    setText(this.#parts.counts, this.#countsOf(day, items.length));
    const filtered = camera !== '' || label !== '' || locked;
    const states = [...this.#grid.tiles.values()].map((tile) => tile.state);
    this.#showEmpty(describeEmpty({
      state, message: store.message, cards: items.length, filtered, mayChange,
      recorded: store.cameras.size > 0, missing: store.missing.length > 0, anything: store.hasAnything, records: states.some(({ record }) => record && record !== 'off'),
      cameras: states.length, dayName: DAY.format(dateOf(day)), isToday: day === this.#today,
    }));
    const earlier = state === 'ready' && !store.more && !this.#cards.hasMore ? this.#earlierDay(day) : null;
    this.#parts.earlier.hidden = earlier === null;
    this.#parts.earlier.dataset.day = earlier ?? '';
    if (earlier) setText(this.#parts.earlier, `Earlier: ${DAY.format(dateOf(earlier))}`);
    this.#playback.render(mayChange);
  }

  #nameOf(day) {
    const name = DAY.format(dateOf(day));
    if (day === this.#today) return `Today, ${name}`;
    return day === addDays(this.#today, -1) ? `Yesterday, ${name}` : name;
  }

  #countsOf(day, cards) {
    const { seconds, events } = countDay(this.#store.countsOf(day), this.#shown.camera);
    const count = this.#shown.label !== '' || this.#shown.locked || !this.#store.more ? cards : Math.max(cards, events);
    const parts = count > 0 ? [plural(count, 'event')] : [];
    if (seconds > 0) parts.push(`${formatLength(seconds)} recorded`);
    return parts.join(' · ');
  }

  #rows(nowUnix) {
    const { events, cameras } = this.#store;
    const { camera } = this.#shown;
    const known = [...this.#grid.tiles.keys()];
    const names = [...known.filter((name) => cameras.has(name)), ...[...cameras].filter((name) => !known.includes(name))];
    const rows = names.filter((name) => camera === '' || name === camera).map((name) => ({
      camera: name,
      title: this.#titleOf(name),
      spans: spansOf(this.#store.recordingsOf(name), nowUnix),
      ...marksOf(events.filter((event) => event.camera === name).reverse(), nowUnix),
    }));
    // A time lapse has no place in a day.
    return rows.filter((row) => row.spans.length + row.events.length + row.offline.length > 0);
  }

  #fillFilters() {
    const { camera, label, kept } = this.#parts;
    const cameras = [...this.#grid.tiles.values()].map((tile) => [tile.name, tile.title]);
    fill(camera, [['', 'All cameras'], ...cameras], this.#shown.camera);
    const labels = [...new Set([...this.#labels, this.#shown.label].filter(Boolean))].map((one) => [one, formatLabel(one)]);
    labels.sort(([, one], [, other]) => one.localeCompare(other));
    fill(label, [['', 'All events'], ...labels], this.#shown.label);
    kept.setAttribute('aria-pressed', String(this.#shown.locked));
  }

  #showNote() {
    const note = noteOf(this.#store.paused, this.#connected, this.#store.missing, (name) => this.#titleOf(name));
    this.#parts.note.hidden = note === '';
    this.#parts.note.dataset.status = this.#connected ? 'stalled' : 'gone';
    setText(this.#parts.noteText, note);
  }

  #showEmpty(empty) {
    const element = this.#parts.empty;
    element.hidden = empty === null;
    const key = JSON.stringify(empty);
    if (empty === null || element.dataset.shown === key) return;
    element.dataset.shown = key;
    setText(element.querySelector('[data-empty-title]'), empty.title);
    setText(element.querySelector('[data-empty-text]'), empty.text);
    element.querySelector('[data-empty-acts]').replaceChildren(...empty.acts.map(({ act, word, accent }) => {
      const button = make('button', `button${accent ? ' button-accent' : ''}`, word);
      button.type = 'button';
      button.dataset.emptyAct = act;
      return button;
    }));
  }

  #onEmptyAct(act) {
    if (act === 'retry') this.#reload();
    if (act === 'all') this.#change({ camera: '', label: '', locked: false });
    const mode = { 'record-motion': 'motion', 'record-always': 'always' }[act];
    if (!mode) return;
    for (const name of this.#grid.tiles.keys()) this.dispatchEvent(new CustomEvent('record', { detail: { camera: name, mode } }));
  }

  // Pictures and descriptions of a moment.

  #holding(camera, at) {
    const recording = findRecording(this.#store.recordingsOf(camera), at);
    return recording !== null && at >= recording.from ? recording : null;
  }

  #pictureOf(camera, at) {
    return this.#holding(camera, at) ? pictureOf(camera, at, PEEK_PX) : null;
  }

  #tell(camera, at) {
    const event = this.#store.events.find((one) => one.camera === camera && at >= one.from && at <= endOf(one, this.#nowUnix));
    if (event) return formatLabel(event.label);
    return this.#holding(camera, at) ? '' : 'Not recorded';
  }

  #listen() {
    const { camera, label, kept, earlier, empty } = this.#parts;
    const dialog = this.#dialog;
    dialog.querySelector('[data-library-close]').addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => this.#onClosed());
    dialog.addEventListener('cancel', (event) => {
      // Esc closes what is on top.
      if (!this.#playback.open) return;
      event.preventDefault();
      this.#playback.close();
    });
    dialog.addEventListener('keydown', (event) => this.#onKey(event));
    window.addEventListener('popstate', () => this.openLinked());
    camera.addEventListener('change', () => this.#change({ camera: camera.value }));
    label.addEventListener('change', () => this.#change({ label: label.value }));
    kept.addEventListener('click', () => this.#change({ locked: !this.#shown.locked }));
    earlier.addEventListener('click', () => this.#change({ day: earlier.dataset.day }));
    empty.addEventListener('click', ({ target }) => this.#onEmptyAct(target.closest('[data-empty-act]')?.dataset.emptyAct));
    this.#store.addEventListener('change', () => this.#draw());
    this.#days.addEventListener('choose', ({ detail }) => this.#change({ day: detail.day }));
    this.#days.addEventListener('range', ({ detail }) => {
      this.#store.loadDays(detail.days);
      this.#draw();
    });
    this.#cards.addEventListener('change', () => this.#draw());
    this.#cards.addEventListener('open', ({ detail }) => this.#openItem(detail.item));
    const playback = this.#playback;
    playback.addEventListener('change', () => {
      dialog.toggleAttribute('data-playing', playback.open);
      this.#draw();
    });
    playback.addEventListener('moment', ({ detail }) => {
      this.#shown = { ...this.#shown, ...detail };
      this.#writeAddress();
    });
    playback.addEventListener('step', ({ detail }) => this.#cards.reveal(detail.key));
    playback.addEventListener('closed', ({ detail }) => {
      dialog.removeAttribute('data-playing');
      this.#draw();
      if (!this.open) return;
      if (detail.item) this.#cards.reveal(keyOf(detail.item), true);
      else this.#lanes.focus(detail.camera);
    });
    for (const source of [this.#cards, playback]) {
      source.addEventListener('lock', ({ detail }) => this.#mayChange && this.#changes.lock(detail.item));
      source.addEventListener('delete', ({ detail }) => this.#mayChange && this.#changes.askToDelete(detail.item));
    }
    this.#changes.addEventListener('delete', ({ detail }) => playback.playsAny(detail.keys) && playback.close());
    this.#grid.addEventListener('list', () => this.#draw());
    this.#backend.addEventListener('event', ({ detail }) => this.#store.take(detail));
    this.#backend.addEventListener('camera', () => this.open && this.#draw());
    addEventListener('pagehide', () => this.#store.flush());
  }

  #openItem({ kind, row }) {
    if (kind === 'events') this.#playback.playEvent(row);
    else this.#playback.playFilm(row);
    this.#parts.playback.scrollIntoView({ block: 'nearest' });
  }

  #onKey(event) {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.target.matches('select')) return;
    if (this.#playback.onKey(event)) event.preventDefault();
  }
}

function fill(select, options, value) {
  const key = JSON.stringify(options);
  if (select.dataset.options !== key) {
    select.dataset.options = key;
    select.replaceChildren(...options.map(([name, text]) => new Option(text, name)));
  }
  if (select.value !== value) select.value = value;
}
