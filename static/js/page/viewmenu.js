/** The view menu: layouts, links to this view, the order, installing the page. */
import { LAYOUTS, LAYOUT_NAMES } from '../grid/arrangement.js';
import { copyText } from '../ui/copy.js';
import { closeMenu } from '../ui/menu.js';
import { writeLink } from './deeplink.js';

export class ViewMenu {
  #menu;
  #address;
  #onAct;
  #grid;
  #arrangement;
  #toasts;
  #announcer;
  #choices;
  #bar;
  #reset;
  #grouped;
  #kiosk;
  #install;
  // The browser's offer to install the page, kept until it is accepted.
  #offer = null;

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.menu
   * @param {HTMLElement} parts.bar  The layouts in the top bar.
   * @param {() => string} parts.address  Returns the address of what is shown.
   * @param {(act: import('./keymap.js').KeyAction) => void} parts.onAct  Called for an entry that also has a key.
   * @param {import('../grid/grid.js').Grid} grid
   * @param {import('../grid/arrangement.js').Arrangement} arrangement
   * @param {import('../ui/toasts.js').Toasts} toasts
   * @param {import('../ui/announcer.js').Announcer} announcer
   */
  constructor({ menu, bar, address, onAct }, grid, arrangement, toasts, announcer) {
    this.#menu = menu;
    this.#address = address;
    this.#onAct = onAct;
    this.#bar = bar;
    this.#grid = grid;
    this.#arrangement = arrangement;
    this.#toasts = toasts;
    this.#announcer = announcer;
    this.#choices = [...bar.querySelectorAll('[data-layout]'), ...menu.querySelectorAll('[data-layout]')];
    this.#reset = menu.querySelector('[data-view-act="reset"]');
    this.#grouped = menu.querySelector('[data-view-act="grouped"]');
    this.#kiosk = menu.querySelector('[data-kiosk-link]');
    this.#install = menu.querySelector('[data-view-act="install"]');
    for (const choice of this.#choices) {
      choice.addEventListener('click', () => this.#choose(choice.dataset.layout));
    }
    menu.addEventListener('click', (event) => this.#act(event.target.closest('[data-view-act]')?.dataset.viewAct));
    // Update the kiosk link to what is shown when the menu opens.
    menu.addEventListener('toggle', () => this.refresh());
    window.addEventListener('beforeinstallprompt', (event) => {
      this.#offer = event;
      this.#install.hidden = false;
    });
    window.addEventListener('appinstalled', () => this.#forgetOffer());
    grid.addEventListener('arranged', () => this.refresh());
  }

  /** Switch to the next layout; after the last comes the first. */
  cycle() {
    const { layout } = this.#arrangement;
    const next = LAYOUTS[(LAYOUTS.indexOf(layout) + 1) % LAYOUTS.length];
    this.#choose(next);
    this.#announcer.announce('Layout', LAYOUT_NAMES[next]);
  }

  refresh() {
    const { layout, ordered, grouped } = this.#arrangement;
    const focused = this.#grid.focused !== null;
    for (const choice of this.#choices) {
      choice.setAttribute('aria-pressed', String(choice.dataset.layout === layout && !focused));
    }
    this.#bar.hidden = this.#grid.tiles.size < 2;
    this.#reset.disabled = !ordered;
    this.#grouped.hidden = [...this.#grid.tiles.values()].every((tile) => tile.group === '');
    this.#grouped.setAttribute('aria-checked', String(grouped));
    this.#kiosk.setAttribute('href', this.#kioskLink());
  }

  #choose(layout) {
    // Choosing a layout leaves the focus view.
    if (this.#grid.focused !== null) this.#grid.focus(null);
    const { active } = this.#grid;
    this.#arrangement.chooseLayout(layout);
    // The active tile may now be on another page, and the keyboard focus would be lost.
    if (active !== null) this.#grid.reveal(active);
  }

  #act(action) {
    if (action === undefined) return;
    closeMenu();
    if (action === 'statistics') this.#onAct({ action });
    if (action === 'grouped') this.#arrangement.chooseGrouped(!this.#arrangement.grouped);
    if (action === 'copy') this.#copy(this.#address(), 'Copied the link to this view');
    if (action === 'copy-kiosk') this.#copy(new URL(this.#kioskLink(), location.href).href, 'Copied the kiosk link');
    if (action === 'install') this.#promptInstall();
    if (action === 'reset') {
      this.#arrangement.resetOrder();
      this.#announcer.announce('Order reset');
    }
  }

  // A link to the shown cameras. It leaves their names out if all of them, or a whole group, are shown in the server's
  // order, so that new cameras join.
  #kioskLink() {
    const { focused, shown } = this.#grid;
    const { layout, ordered, text, state, group, grouped } = this.#arrangement;
    const isChosen = ordered || text !== '' || state !== 'all';
    const cameras = (focused ? [focused] : isChosen ? shown : []).map((tile) => tile.name);
    const ofGroup = cameras.length > 0 ? {} : { group, grouped: grouped || null };
    return location.pathname + writeLink({ kiosk: true, cameras, layout: focused || layout === 'auto' ? null : layout, ...ofGroup });
  }

  async #copy(text, done) {
    if (await copyText(text)) this.#toasts.show(done);
    else this.#toasts.show(`The browser does not let this page copy. The link is ${text}`, 'warning');
  }

  async #promptInstall() {
    const offer = this.#offer;
    this.#forgetOffer();
    await offer?.prompt();
  }

  #forgetOffer() {
    this.#offer = null;
    this.#install.hidden = true;
  }
}
