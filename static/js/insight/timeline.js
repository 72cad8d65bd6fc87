/** The drawer with the activity of the last day, and the dot for new notices on its button. */
import { Drawer } from '../ui/drawer.js';
import { buildEntry, refreshAgo } from './entry.js';
import { formatWhen } from '../ui/format.js';
import { Notices } from './notices.js';
import { make, setText } from '../ui/dom.js';
import { recall, remember } from '../ui/preferences.js';

const SEEN = 'timeline.seen';
const REFRESH_MS = 5000;
const PAGE_SIZE = 200;
// If fewer notices match the filter, load earlier ones, of which the server keeps ten answers' worth.
const MIN_SHOWN = 15;
const SERVER = '';
const ALL = 'all';

/** Events: `open` ({camera} or {event}) to show one; `change` when there are new notices. */
export class Timeline extends EventTarget {
  #backend;
  #clock;
  #drawer;
  #button;
  #parts;
  #notices = new Notices();
  #titles = new Map();
  #state = 'loading';
  #more = false;
  #loaded = false;
  #loadingEarlier = false;
  #limit = PAGE_SIZE;
  #level = ALL;
  #seenAt = recall(SEEN, (value) => (Number.isFinite(value) ? value : null), null);
  /** @type {import('./notices.js').Notice[]} */
  #unread = [];
  #shown = '';

  /**
   * @param {HTMLElement} element
   * @param {HTMLButtonElement} button
   * @param {import('../bridge/client.js').BackendClient} backend
   * @param {import('../stream/clock.js').ClockOffset} clock
   */
  constructor(element, button, backend, clock) {
    super();
    this.#backend = backend;
    this.#clock = clock;
    this.#button = button;
    this.#drawer = new Drawer(element, button);
    const find = (selector) => element.querySelector(selector);
    this.#parts = {
      camera: find('[data-filter-camera]'),
      levels: [...element.querySelectorAll('[data-filter-level]')],
      list: find('[data-entries]'),
      loading: find('[data-loading]'),
      empty: find('[data-none]'),
      failed: find('[data-failed]'),
      why: find('[data-why]'),
      earlier: find('[data-earlier]'),
      spoken: find('[data-spoken]'),
    };
    this.#listen(find('[data-retry]'));
    this.#drawer.addEventListener('open', () => this.#onOpen());
    setInterval(() => this.#tick(), REFRESH_MS);
  }

  toggle() {
    this.#drawer.toggle();
  }

  /** Show the notices of one camera. @param {string} camera */
  showOnly(camera) {
    this.#parts.camera.value = `camera:${camera}`;
    this.#drawer.show();
    this.#render();
  }

  /** @param {string} camera @param {number} count  @returns {import('./notices.js').Notice[]} newest first */
  newestOf(camera, count) {
    return this.#notices.select({ camera }).slice(0, count);
  }

  /** Set the cameras in the filter. @param {Map<string, string>} titles  By name. */
  setCameras(titles) {
    this.#titles = titles;
    const { camera } = this.#parts;
    const chosen = camera.value;
    const cameras = [...titles].map(([name, title]) => [`camera:${name}`, title]);
    const options = [['*', 'Everything'], [SERVER, 'The server'], ...cameras];
    camera.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
    camera.value = options.some(([value]) => value === chosen) ? chosen : '*';
    this.#shown = '';
    this.#render();
  }

  /** Load what happened before, or while disconnected. */
  async load() {
    // Until the first answer only live notices are known.
    const since = this.#loaded ? this.#notices.newestAt : 0;
    if (since === 0) this.#setState('loading');
    const reply = await this.#backend.request('notices', since > 0 ? { since } : {});
    if (!reply.ok) {
      this.#fail(reply.message);
      return;
    }
    // More happened than one answer holds: drop the older notices, or there would be a gap.
    if (since > 0 && reply.more) this.#notices = new Notices();
    if (since === 0 || reply.more) this.#more = reply.more;
    const fresh = this.#notices.add(reply.notices);
    this.#loaded = true;
    if (this.#seenAt === null) this.#markSeen(this.#notices.newestAt);
    this.#addUnread(fresh.filter(({ at }) => at > this.#seenAt));
    this.#setState('ready');
  }

  /** Whether a new notice is visible in the drawer. @param {import('./notices.js').Notice} notice */
  lists({ camera, level }) {
    const ofCamera = this.#camera === null || this.#camera === (camera ?? SERVER);
    return this.#drawer.open && this.#state === 'ready' && ofCamera && (this.#level === ALL || this.#level === level);
  }

  /**
   * Add a notice that has just arrived.
   *
   * @param {import('./notices.js').Notice} notice
   * @param {boolean} seen  Whether it is also visible elsewhere.
   * @returns {boolean} whether it is new
   */
  take(notice, seen) {
    if (this.#notices.add([notice]).length === 0) return false;
    if (!seen && this.#drawer.open) setText(this.#parts.spoken, notice.message);
    if (!seen) this.#addUnread([notice]);
    else if (this.#unread.length === 0) this.#markSeen(notice.at);
    this.#render();
    return true;
  }

  /** Add earlier notices. @param {import('./notices.js').Notice[]} notices */
  add(notices) {
    const fresh = this.#notices.add(notices);
    if (this.#seenAt !== null) this.#addUnread(fresh.filter(({ at }) => at > this.#seenAt));
    this.#render();
  }

  /** @param {string} id @returns {object | null} the event of an entry */
  eventOf(id) {
    return this.#notices.all.find(({ event }) => event && String(event.id) === id)?.event ?? null;
  }

  #listen(retry) {
    const { camera, levels, list, earlier } = this.#parts;
    camera.addEventListener('change', () => this.#filter());
    for (const button of levels) {
      button.addEventListener('click', () => {
        this.#level = button.dataset.filterLevel;
        for (const other of levels) other.setAttribute('aria-pressed', String(other === button));
        this.#filter();
      });
    }
    list.addEventListener('click', (event) => {
      const happened = this.eventOf(event.target.closest('[data-event]')?.dataset.event);
      if (happened) this.dispatchEvent(new CustomEvent('open', { detail: { event: happened } }));
      const name = event.target.closest('[data-camera]')?.dataset.camera;
      if (name) this.dispatchEvent(new CustomEvent('open', { detail: { camera: name } }));
    });
    earlier.addEventListener('click', () => this.#showEarlier());
    retry.addEventListener('click', () => this.load());
  }

  #showEarlier() {
    this.#limit += PAGE_SIZE;
    if (this.#more) this.#loadEarlier();
    else this.#render();
  }

  async #loadEarlier() {
    if (this.#loadingEarlier) return;
    this.#loadingEarlier = true;
    const before = this.#notices.all[0]?.at;
    const reply = await this.#backend.request('notices', before === undefined ? {} : { before });
    this.#loadingEarlier = false;
    if (!reply.ok) {
      this.#fail(reply.message);
      return;
    }
    this.#notices.add(reply.notices);
    this.#more = reply.more;
    this.#render();
  }

  #onOpen() {
    this.#markSeen(this.#notices.newestAt);
    this.#limit = PAGE_SIZE;
    this.#render();
    this.#showUnread();
  }

  #tick() {
    this.#notices.expire(this.#clock.serverUnix);
    this.#render();
  }

  #filter() {
    this.#limit = PAGE_SIZE;
    this.#render();
  }

  #fail(message) {
    setText(this.#parts.why, message || 'The server did not say why.');
    this.#setState('failed');
  }

  #setState(state) {
    this.#state = state;
    this.#render();
  }

  // New notices.

  #addUnread(notices) {
    if (this.#drawer.open && !document.hidden) this.#markSeen(this.#notices.newestAt);
    else this.#unread.push(...notices);
    this.#showUnread();
  }

  #markSeen(at) {
    this.#unread = [];
    this.#seenAt = Math.max(at, this.#seenAt ?? 0);
    remember(SEEN, this.#seenAt);
  }

  #showUnread() {
    const count = this.#unread.length;
    const worst = ['error', 'warning', 'info'].find((level) => this.#unread.some((notice) => notice.level === level));
    this.#button.toggleAttribute('data-unread', count > 0);
    this.#button.dataset.level = worst ?? '';
    this.#button.setAttribute('aria-label', count > 0 ? `Activity, ${count} new` : 'Activity');
  }

  // The list.

  get #camera() {
    const { value } = this.#parts.camera;
    if (value === '*') return null;
    return value === SERVER ? '' : value.slice('camera:'.length);
  }

  #render() {
    this.dispatchEvent(new CustomEvent('change'));
    if (!this.#drawer.open) return;
    const matching = this.#notices.select({ camera: this.#camera, level: this.#level === ALL ? null : this.#level });
    const shown = matching.slice(0, this.#limit);
    const { loading, empty, failed, earlier, list } = this.#parts;
    loading.hidden = this.#state !== 'loading';
    failed.hidden = this.#state !== 'failed';
    const needsMore = this.#state === 'ready' && matching.length < MIN_SHOWN && this.#more;
    empty.hidden = this.#state !== 'ready' || shown.length > 0 || needsMore;
    earlier.hidden = this.#state !== 'ready' || (matching.length <= shown.length && !this.#more);
    const today = new Date(this.#clock.serverUnix * 1000).toDateString();
    const key = [today, ...shown.map(({ at, message }) => `${at} ${message}`)].join('\n');
    if (key !== this.#shown) this.#fill(shown);
    this.#shown = key;
    refreshAgo(list, this.#clock.serverUnix);
    if (needsMore) this.#loadEarlier();
  }

  #fill(notices) {
    const { list } = this.#parts;
    const active = document.activeElement;
    const focused = list.contains(active) ? active.closest('[data-id]')?.dataset.id : null;
    const groups = [];
    let last = '';
    for (const notice of notices) {
      const title = formatWhen(notice.at, this.#clock.serverUnix).group;
      if (title !== last) groups.push(buildGroup(title));
      last = title;
      const entry = buildEntry(notice, this.#titles.get(notice.camera) ?? null);
      entry.dataset.id = `${notice.at} ${notice.camera ?? ''}`;
      groups.at(-1).lastElementChild.append(entry);
    }
    list.replaceChildren(...groups);
    if (focused) list.querySelector(`[data-id="${CSS.escape(focused)}"] button`)?.focus({ preventScroll: true });
  }
}

function buildGroup(title) {
  const group = make('section');
  group.append(make('h3', '', title), make('ol'));
  return group;
}
