/** The events of a day as cards. */
import { make, setText, setTitle } from '../ui/dom.js';
import { formatLabel, formatLength, formatWhen } from '../ui/format.js';
import { FILM, endOf } from './data.js';

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const SIGNS = { offline: 'offline', online: 'offline', [FILM]: 'film' };

/**
 * @typedef {object} Item
 * @property {'events' | 'recordings'} kind
 * @property {import('./data.js').LibraryEvent | import('./data.js').Recording} row
 */

/** A unique key for an item. @param {Item} item */
export function keyOf({ kind, row }) {
  return `${kind}/${row.id}`;
}

// A day can have thousands of events: show this many, and more when the last ones come into sight.
const AT_ONCE = 100;

/** Events: `open`, `lock` and `delete`, each with {item}; `change` when more cards are shown. */
export class Cards extends EventTarget {
  #list;
  #template;
  #end = make('li', 'cards-end');
  /** @type {Map<string, {element: HTMLElement, item: Item, filled: string}>} */
  #cards = new Map();
  #current = '';
  #mayChange = false;
  /** @type {Item[]} */
  #items = [];
  #most = AT_ONCE;
  #showAgain = () => {};

  /** @param {HTMLElement} list @param {HTMLTemplateElement} template @param {HTMLElement} root  The scrolling element. */
  constructor(list, template, root) {
    super();
    this.#list = list;
    this.#template = template;
    this.#end.setAttribute('aria-hidden', 'true');
    list.addEventListener('click', (event) => this.#onClick(event));
    list.addEventListener('keydown', (event) => this.#onKey(event));
    list.addEventListener('focusin', ({ target }) => this.#setTabStop(target.closest('.card')));
    const observer = new IntersectionObserver((entries) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) this.#showMore();
    }, { root, rootMargin: '0px 0px 600px' });
    observer.observe(this.#end);
  }

  get count() {
    return this.#cards.size;
  }

  /** Whether there are more items than cards. */
  get hasMore() {
    return this.#items.length > this.#most;
  }

  // Whether the end of the list is in sight, or nearly.
  get #isAtEnd() {
    const { bottom, width } = this.#list.getBoundingClientRect();
    return width > 0 && bottom < innerHeight + 600;
  }

  /**
   * @param {Item[]} items  In order.
   * @param {(camera: string) => string} titleOf
   * @param {{nowUnix: number, mayChange: boolean, current: string}} now  `current` is the key of the item being played.
   */
  show(items, titleOf, now) {
    const { nowUnix, mayChange, current } = now;
    const hadFocus = this.#list.contains(document.activeElement);
    const focused = document.activeElement?.closest('.card');
    const before = [...this.#list.children].indexOf(focused);
    this.#mayChange = mayChange;
    this.#current = current;
    this.#items = items;
    this.#showAgain = () => this.show(this.#items, titleOf, now);
    if (!items.some((item) => this.#cards.has(keyOf(item)))) this.#most = AT_ONCE;
    const shown = items.slice(0, this.#most);
    const keys = new Set(shown.map(keyOf));
    for (const [key, { element }] of this.#cards) {
      if (keys.has(key)) continue;
      element.remove();
      this.#cards.delete(key);
    }
    shown.forEach((item, index) => {
      const card = this.#cardOf(item);
      this.#fill(card, titleOf(item.row.camera), nowUnix);
      if (this.#list.children[index] !== card) this.#list.insertBefore(card, this.#list.children[index] ?? null);
    });
    if (this.#list.lastElementChild !== this.#end) this.#list.append(this.#end);
    if (!this.#list.querySelector('.card-open[tabindex="0"]')) this.#setTabStop(this.#list.querySelector('.card'));
    // The focused card was deleted: focus the one in its place.
    if (hadFocus && !focused?.isConnected) this.focusAt(Math.min(before, shown.length - 1));
    if (this.#isAtEnd) this.#showMore();
  }

  #showMore() {
    if (!this.hasMore) return;
    this.#most += AT_ONCE;
    this.dispatchEvent(new CustomEvent('change'));
  }

  /** @param {number} index */
  focusAt(index) {
    const card = this.#all[index];
    card?.querySelector('[data-card-open]').focus();
    return card !== undefined;
  }

  /** Bring a card into sight. @param {string} key @param {boolean} [focus] */
  reveal(key, focus = false) {
    const place = this.#items.findIndex((item) => keyOf(item) === key);
    if (place >= this.#most) {
      this.#most = place + AT_ONCE;
      this.#showAgain();
    }
    const card = this.#cards.get(key)?.element;
    card?.scrollIntoView({ block: 'nearest' });
    if (focus) card?.querySelector('[data-card-open]').focus({ preventScroll: true });
  }

  get #all() {
    return [...this.#list.querySelectorAll(':scope > .card')];
  }

  #cardOf(item) {
    const key = keyOf(item);
    const known = this.#cards.get(key);
    if (known) {
      known.item = item;
      return known.element;
    }
    const element = document.importNode(this.#template.content.firstElementChild, true);
    element.dataset.key = key;
    const image = element.querySelector('img');
    image.addEventListener('error', () => element.removeAttribute('data-picture'));
    this.#cards.set(key, { element, item, filled: '' });
    return element;
  }

  #fill(card, title, nowUnix) {
    const known = this.#cards.get(card.dataset.key);
    const { kind, row } = known.item;
    const isCurrent = card.dataset.key === this.#current;
    // Skip unchanged cards: a day has hundreds, and nearly all stay the same.
    const filled = JSON.stringify([row, title, isCurrent, this.#mayChange]);
    if (filled === known.filled) return;
    known.filled = filled;
    const find = (selector) => card.querySelector(selector);
    const isFilm = kind === 'recordings';
    const label = isFilm ? FILM : row.label;
    const when = formatWhen(row.from, nowUnix);
    const going = !isFilm && row.to === null;
    const length = going ? 'now' : formatLength(endOf(row, nowUnix) - row.from);
    const what = label === FILM && row.film ? `${formatLabel(FILM)}: ${row.film}` : formatLabel(label);
    setText(find('[data-card-what]'), what);
    setText(find('[data-card-camera]'), title);
    setText(find('[data-card-length]'), isFilm ? `Film, ${length}` : length);
    card.toggleAttribute('data-going', going);
    const time = find('[data-card-time]');
    setText(time, TIME.format(row.from * 1000));
    time.dateTime = when.iso;
    setTitle(time, when.whole);
    const use = find('.card-sign use');
    const sign = `#i-${SIGNS[label] ?? 'motion'}`;
    if (use.getAttribute('href') !== sign) use.setAttribute('href', sign);
    const image = find('img');
    const hasPicture = isFilm || Boolean(row.picture);
    // A better picture found while the event went on has the same address, so add something at its end.
    const source = isFilm ? `recording/${row.id}.jpg?width=480` : `event/${row.id}.jpg${going ? '' : '?ended'}`;
    if (hasPicture && image.getAttribute('src') !== source) {
      image.src = source;
      card.toggleAttribute('data-picture', true);
    }
    const name = `${what}, ${title}, ${when.time}`;
    setText(find('[data-card-more]'), `${when.time}, ${length}${row.locked ? ', kept forever' : ''}`);
    const score = Number.isFinite(row.score) ? `, ${Math.round(row.score * 100)} % sure` : '';
    setTitle(find('[data-card-open]'), `${what}${score}\n${title}, ${when.whole}`);
    find('[data-card-kept]').hidden = !row.locked;
    const lock = find('[data-card-lock]');
    lock.setAttribute('aria-pressed', String(row.locked));
    lock.setAttribute('aria-label', `Keep forever: ${name}`);
    setTitle(lock, row.locked ? 'Stop keeping  l' : 'Keep forever  l');
    find('[data-card-delete]').setAttribute('aria-label', `Delete: ${name}`);
    setTitle(find('[data-card-delete]'), 'Delete  Del');
    find('.card-acts').hidden = !this.#mayChange;
    card.toggleAttribute('data-current', isCurrent);
    if (isCurrent) find('[data-card-open]').setAttribute('aria-current', 'true');
    else find('[data-card-open]').removeAttribute('aria-current');
  }

  #setTabStop(card) {
    if (!card) return;
    for (const one of this.#all) {
      const on = one === card;
      for (const button of one.querySelectorAll('button')) button.tabIndex = on ? 0 : -1;
    }
  }

  #onClick({ target }) {
    const card = target.closest('.card');
    const button = target.closest('button');
    if (!card || !button) return;
    const type = ['open', 'lock', 'delete'].find((one) => button.matches(`[data-card-${one}]`));
    this.#emit(type, card);
  }

  #onKey(event) {
    const card = event.target.closest('.card');
    if (!card || event.ctrlKey || event.altKey || event.metaKey) return;
    const to = this.#neighbour(card, event.key);
    if (to) to.querySelector('[data-card-open]').focus();
    else if (event.key === 'Delete' || event.key === 'Backspace') this.#emit('delete', card);
    else if (event.key === 'l' && !event.repeat) this.#emit('lock', card);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #neighbour(card, key) {
    const all = this.#all;
    const at = all.indexOf(card);
    const columns = Math.max(1, all.findIndex((one) => one.offsetTop > all[0].offsetTop));
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
    if (key === 'Home') return all[0];
    if (key === 'End') return all.at(-1);
    if (by === undefined) return undefined;
    return all[at + by] ?? (key === 'ArrowDown' ? all.at(-1) : card);
  }

  #emit(type, card) {
    if (type !== 'open' && !this.#mayChange) return;
    const { item } = this.#cards.get(card.dataset.key);
    this.dispatchEvent(new CustomEvent(type, { detail: { item } }));
  }
}
