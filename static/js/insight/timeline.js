/** The drawer with what happened in the last day, and the dot on its button for what is new there. */
import { Drawer } from '../ui/drawer.js';
import { buildEntry, refreshAgo } from './entry.js';
import { formatWhen } from '../ui/format.js';
import { Notices } from './notices.js';
import { setText } from '../ui/text.js';

const SEEN_KEY = 'porthole.timeline.seen';
const REFRESH_MS = 5000;
const AT_ONCE = 200;
// With fewer of what is chosen, more is asked for by itself: the server holds ten answers' worth.
const FEW = 15;
const SERVER = '';
const ALL = 'all';

/** Event: `open` with {camera} when somebody wants to see one; `change` when more is known. */
export class Timeline extends EventTarget {
  #link;
  #clock;
  #drawer;
  #button;
  #parts;
  #notices = new Notices();
  #titles = new Map();
  #state = 'loading';
  #more = false;
  #loaded = false;
  #asking = false;
  #limit = AT_ONCE;
  #level = ALL;
  #seenAt = remembered();
  /** @type {import('./notices.js').Notice[]} */
  #unread = [];
  #shown = '';

  /**
   * @param {HTMLElement} element
   * @param {HTMLButtonElement} button
   * @param {import('../bridge/client.js').Link} link
   * @param {import('../stream/clock.js').ClockOffset} clock
   */
  constructor(element, button, link, clock) {
    super();
    this.#link = link;
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

  /** Show what happened to one camera. @param {string} camera */
  showOnly(camera) {
    this.#parts.camera.value = `camera:${camera}`;
    this.#drawer.show();
    this.#render();
  }

  /** @param {string} camera @param {number} count  @returns {import('./notices.js').Notice[]} newest first */
  newestOf(camera, count) {
    return this.#notices.select({ camera }).slice(0, count);
  }

  /** Which cameras there are to choose from. @param {Map<string, string>} titles  By name. */
  setCameras(titles) {
    this.#titles = titles;
    const { camera } = this.#parts;
    const chosen = camera.value;
    const options = [['*', 'Everything'], [SERVER, 'The server'], ...[...titles].map(([name, title]) => [`camera:${name}`, title])];
    camera.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
    camera.value = options.some(([value]) => value === chosen) ? chosen : '*';
    this.#shown = '';
    this.#render();
  }

  /** Ask for what happened before, or while we were away. */
  async load() {
    // Before the first answer what is known is only what has come since: the day is still missing.
    const since = this.#loaded ? this.#notices.newestAt : 0;
    if (since === 0) this.#setState('loading');
    const reply = await this.#link.request('notices', since > 0 ? { since } : {});
    if (!reply.ok) {
      this.#fail(reply.message);
      return;
    }
    // More has happened than one answer holds: what we knew would have a hole behind it.
    if (since > 0 && reply.more) this.#notices = new Notices();
    if (since === 0 || reply.more) this.#more = reply.more;
    const fresh = this.#notices.add(reply.notices);
    this.#loaded = true;
    if (this.#seenAt === null) this.#remember(this.#notices.newestAt);
    this.#note(fresh.filter(({ at }) => at > this.#seenAt));
    this.#setState('ready');
  }

  /** Whether a notice that comes now is seen in the drawer. @param {import('./notices.js').Notice} notice */
  lists({ camera, level }) {
    const ofCamera = this.#camera === null || this.#camera === (camera ?? SERVER);
    return this.#drawer.open && this.#state === 'ready' && ofCamera && (this.#level === ALL || this.#level === level);
  }

  /**
   * Take a notice that has just come.
   *
   * @param {import('./notices.js').Notice} notice
   * @param {boolean} seen  It is shown in another way as well.
   */
  take(notice, seen) {
    if (this.#notices.add([notice]).length === 0) return;
    if (!seen && this.#drawer.open) setText(this.#parts.spoken, notice.message);
    if (!seen) this.#note([notice]);
    else if (this.#unread.length === 0) this.#remember(notice.at);
    this.#render();
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
      const name = event.target.closest('[data-camera]')?.dataset.camera;
      if (name) this.dispatchEvent(new CustomEvent('open', { detail: { camera: name } }));
    });
    earlier.addEventListener('click', () => this.#onEarlier());
    retry.addEventListener('click', () => this.load());
  }

  #onEarlier() {
    this.#limit += AT_ONCE;
    if (this.#more) this.#loadEarlier();
    else this.#render();
  }

  async #loadEarlier() {
    if (this.#asking) return;
    this.#asking = true;
    const before = this.#notices.all[0]?.at;
    const reply = await this.#link.request('notices', before === undefined ? {} : { before });
    this.#asking = false;
    if (!reply.ok) {
      this.#fail(reply.message);
      return;
    }
    this.#notices.add(reply.notices);
    this.#more = reply.more;
    this.#render();
  }

  #onOpen() {
    this.#remember(this.#notices.newestAt);
    this.#limit = AT_ONCE;
    this.#render();
    this.#showUnread();
  }

  #tick() {
    this.#notices.expire(this.#clock.serverUnix);
    this.#render();
  }

  #filter() {
    this.#limit = AT_ONCE;
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

  // What is new.

  #note(notices) {
    if (this.#drawer.open && !document.hidden) this.#remember(this.#notices.newestAt);
    else this.#unread.push(...notices);
    this.#showUnread();
  }

  #remember(at) {
    this.#unread = [];
    this.#seenAt = Math.max(at, this.#seenAt ?? 0);
    try {
      localStorage.setItem(SEEN_KEY, String(this.#seenAt));
    } catch {
      // Storage is off: it is remembered as long as the page.
    }
  }

  #showUnread() {
    const count = this.#unread.length;
    const worst = ['error', 'warning', 'info'].find((level) => this.#unread.some((notice) => notice.level === level));
    this.#button.toggleAttribute('data-unread', count > 0);
    this.#button.dataset.level = worst ?? '';
    this.#button.setAttribute('aria-label', count > 0 ? `Timeline, ${count} new` : 'Timeline');
  }

  // What is shown.

  get #camera() {
    const { value } = this.#parts.camera;
    if (value === '*') return null;
    return value === SERVER ? '' : value.slice('camera:'.length);
  }

  #render() {
    this.dispatchEvent(new CustomEvent('change'));
    if (!this.#drawer.open) return;
    const chosen = this.#notices.select({ camera: this.#camera, level: this.#level === ALL ? null : this.#level });
    const shown = chosen.slice(0, this.#limit);
    const { loading, empty, failed, earlier, list } = this.#parts;
    loading.hidden = this.#state !== 'loading';
    failed.hidden = this.#state !== 'failed';
    const wanting = this.#state === 'ready' && chosen.length < FEW && this.#more;
    empty.hidden = this.#state !== 'ready' || shown.length > 0 || wanting;
    earlier.hidden = this.#state !== 'ready' || (chosen.length <= shown.length && !this.#more);
    const today = new Date(this.#clock.serverUnix * 1000).toDateString();
    const key = [today, ...shown.map(({ at, message }) => `${at} ${message}`)].join('\n');
    if (key !== this.#shown) this.#fill(shown);
    this.#shown = key;
    refreshAgo(list, this.#clock.serverUnix);
    if (wanting) this.#loadEarlier();
  }

  #fill(notices) {
    const { list } = this.#parts;
    const focused = list.contains(document.activeElement) ? document.activeElement.closest('[data-id]')?.dataset.id : null;
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
  const group = document.createElement('section');
  const head = document.createElement('h3');
  head.textContent = title;
  group.append(head, document.createElement('ol'));
  return group;
}

function remembered() {
  try {
    const at = Number.parseFloat(localStorage.getItem(SEEN_KEY));
    return Number.isFinite(at) ? at : null;
  } catch {
    return null;
  }
}
