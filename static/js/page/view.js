/** Puts together what shows the cameras one way or another; main.js puts this into the page. */
import { ClipboardError, copyPicture } from '../camera/clipboard.js';
import { readLink, writeLink } from './deeplink.js';
import { Departed, sayGone, sayMissing } from '../grid/departed.js';
import { Filter } from '../grid/filter.js';
import { isKiosk, setUpKiosk } from './kiosk.js';
import { ZoomGestures } from '../camera/zoom-gestures.js';
import { Pager } from '../grid/pager.js';
import { Popout, canPopOut } from '../camera/popout.js';
import { Reorder } from '../grid/reorder.js';
import { chosenSize } from '../camera/sizechoice.js';
import { History } from './history.js';
import { ViewMenu } from './viewmenu.js';

const find = (selector) => document.querySelector(selector);

export class View {
  #deck;
  #arrangement;
  #toasts;
  #announcer;
  #lens;
  #filter;
  #menu;
  #popout;
  #trail;
  #departed;
  // A camera that the address names, or that was in focus, and that the server has not told of yet.
  #awaited = null;
  // The size that the address names for it.
  #size = null;
  #large = null;

  /**
   * @param {object} page
   * @param {import('../grid/grid.js').Grid} page.deck
   * @param {import('../grid/arrangement.js').Arrangement} page.arrangement
   * @param {import('../bridge/client.js').Link} page.link
   * @param {import('../ui/toasts.js').Toasts} page.toasts
   * @param {import('../ui/announcer.js').Announcer} page.announcer
   */
  constructor({ deck, arrangement, link, toasts, announcer }) {
    this.#deck = deck;
    this.#arrangement = arrangement;
    this.#toasts = toasts;
    this.#announcer = announcer;
    const list = find('[data-tiles]');
    this.#lens = new ZoomGestures(list, (by) => deck.step(by));
    const menu = { menu: find('[data-view-menu]'), bar: find('[data-layouts]'), link: () => this.#link() };
    this.#menu = new ViewMenu(menu, deck, arrangement, toasts, announcer);
    this.#filter = new Filter(find('[data-filter]'), find('[data-nothing]'), deck, arrangement, announcer);
    this.#popout = new Popout(deck, link);
    this.#departed = new Departed(deck);
    this.#trail = new History({ read: () => this.#read(), apply: (shown) => this.#apply(shown) });
    new Pager(find('[data-pager]'), deck, find('[data-deck]'));
    if (isKiosk) setUpKiosk(find('[data-kiosk-note]'), deck, arrangement, this.#departed);
    else new Reorder(list, deck, (tile) => this.#tellPlace(tile));
    this.#listen();
    this.#apply(readLink(location.search));
  }

  /** @param {import('./keymap.js').KeyAction} act @returns {boolean} whether there was something to do */
  perform(act) {
    const tile = this.#deck.target;
    switch (act.action) {
      case 'close':
        return this.#menu.close();
      case 'layout':
        this.#menu.cycle();
        return true;
      case 'step':
        return this.#deck.step(act.by);
      case 'pan':
        return this.#lens.pan(act.by);
      case 'zoom':
        return this.#lens.zoom(act.by);
      case 'filter':
        return this.#filter.open();
      case 'shift':
        return this.#tellPlace(this.#deck.shift(act.by));
      case 'copy':
        if (tile?.hasPicture) this.#copy(tile);
        return tile?.hasPicture === true;
      case 'popout':
        if (!this.#canPopOut(tile)) return false;
        this.#popout.toggle(tile).catch((error) => this.#toasts.show(error.message, 'warning'));
        return true;
      default:
        return false;
    }
  }

  #listen() {
    const deck = this.#deck;
    deck.addEventListener('arranged', () => this.#trail.note());
    deck.addEventListener('focus', ({ detail: { tile, lost } }) => {
      this.#lens.changed(this.#large);
      this.#large = tile?.element ?? null;
      this.#awaited = lost;
      this.#showPopout();
      this.#trail.note();
    });
    deck.addEventListener('list', () => this.#meet());
    this.#departed.addEventListener('gone', ({ detail }) => this.#onGone(detail));
    this.#popout.addEventListener('change', () => this.#showPopout());
    document.addEventListener('fullscreenchange', ({ target }) => {
      // A tile that was large only for as long as it filled the screen.
      if (!document.fullscreenElement && target.matches?.('.tile') && target !== this.#large) this.#lens.changed(target);
    });
    this.#showPopout();
  }

  #read() {
    const { text, group, foreign } = this.#arrangement;
    const { kiosk, cameras, every } = readLink(location.search);
    const { focused, page } = this.#deck;
    const camera = focused?.name ?? this.#awaited;
    const choice = focused?.viewer.choice;
    const size = focused ? (choice === chosenSize(camera) ? null : choice) : this.#size;
    return { kiosk, cameras, every, camera, size, ...foreign, page, text, group };
  }

  // All of the view, also what this browser remembers: another one remembers something else.
  #link() {
    const { layout, order } = this.#arrangement;
    const size = this.#deck.focused?.viewer.choice ?? null;
    return location.origin + location.pathname + writeLink({ ...this.#read(), layout, order, size }, location.search);
  }

  #apply({ camera, size, layout, order, page, text, group }) {
    // Its page is known when it is: until then it would be taken for one past the end.
    this.#awaited = isKiosk ? null : camera;
    this.#size = size;
    this.#arrangement.show({ layout, order: isKiosk ? null : order, page, text, group });
    if (this.#deck.tiles.size === 0) return;
    if (this.#awaited === null) this.#deck.focus(null);
    else this.#meet();
  }

  #meet() {
    const name = this.#awaited;
    if (name === null) return;
    const tile = this.#deck.tiles.get(name);
    if (tile) {
      if (this.#size !== null) tile.viewer.choice = this.#size;
      this.#deck.focus(tile);
    } else this.#departed.expect(name);
  }

  // Until somebody has read it: the address, which is the only other place that named it, says so no more.
  #onGone({ were, never }) {
    if (were.length > 0) this.#toasts.show(sayGone(were), 'warning', { stays: true });
    if (never.length > 0) this.#toasts.show(sayMissing(never), 'warning', { stays: true });
    if (![...were, ...never].includes(this.#awaited)) return;
    this.#awaited = null;
    this.#trail.note();
  }

  async #copy(tile) {
    try {
      await copyPicture(tile);
      this.#toasts.show(`Copied the picture of ${tile.title}`);
    } catch (error) {
      if (!(error instanceof ClipboardError)) throw error;
      this.#toasts.show(error.message, 'warning');
    }
  }

  // What is out can always come back.
  #canPopOut(tile) {
    return canPopOut && tile !== null && (tile.viewer.hasPicture || tile === this.#popout.tile);
  }

  #showPopout() {
    for (const button of document.querySelectorAll('[data-action="popout"]')) {
      button.hidden = !canPopOut;
      const here = this.#popout.tile !== null && this.#popout.tile === this.#deck.focused;
      button.setAttribute('aria-pressed', String(here));
    }
  }

  #tellPlace(tile) {
    if (tile === null) return false;
    const place = this.#deck.shown.indexOf(tile) + 1;
    this.#announcer.say(tile.title, `place ${place} of ${this.#deck.shown.length}`);
    return true;
  }
}
