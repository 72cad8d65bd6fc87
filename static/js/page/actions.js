/** Decides what each key and button does. */
import { saveSnapshot } from '../camera/snapshot.js';
import { closeDrawer } from '../ui/drawer.js';
import { inSentence } from '../ui/format.js';
import { leaveFullPage, toggleFullscreen } from '../ui/fullscreen.js';
import { isKiosk, isKioskAction } from './kiosk.js';

export class Actions {
  #grid;
  #view;
  #panel;
  #insight;
  #library;
  #views;
  #scrubber;
  #commands;
  #toasts;
  #openHelp;

  /**
   * @param {object} page
   * @param {import('../grid/grid.js').Grid} page.grid
   * @param {import('./view.js').View} page.view
   * @param {import('../camera/panel.js').Panel} page.panel
   * @param {import('../insight/insight.js').Insight} page.insight
   * @param {import('../library/library.js').Library} page.library
   * @param {import('../views/views.js').Views} page.views
   * @param {import('../timebar/scrubber.js').Scrubber} page.scrubber
   * @param {import('./commands.js').Commands} page.commands
   * @param {import('../ui/toasts.js').Toasts} page.toasts
   * @param {() => void} page.openHelp
   */
  constructor({ grid, view, panel, insight, library, views, scrubber, commands, toasts, openHelp }) {
    this.#grid = grid;
    this.#view = view;
    this.#panel = panel;
    this.#insight = insight;
    this.#library = library;
    this.#views = views;
    this.#scrubber = scrubber;
    this.#commands = commands;
    this.#toasts = toasts;
    this.#openHelp = openHelp;
  }

  /**
   * @param {import('./keymap.js').KeyAction & {tile?: import('../grid/tile.js').Tile}} act  Without a tile, it is for
   *   the one that keys act on.
   * @returns {boolean} whether there was something to do
   */
  perform(act) {
    if (isKiosk && !isKioskAction(act.action)) return false;
    const grid = this.#grid;
    const tile = isKiosk ? { element: document.documentElement } : (act.tile ?? grid.target);
    switch (act.action) {
      case 'focus':
        return grid.focusAt(act.index);
      case 'move':
        return this.#view.perform({ action: 'pan', by: act.by }) || grid.move(act.by);
      case 'unfocus':
        // The button leads straight back to the grid; the key closes one layer at a time.
        if (act.tile) grid.focus(null);
        else this.#leave(tile);
        return true;
      case 'help':
        this.#openHelp();
        return true;
      case 'panel':
        return this.#panel.toggle();
      case 'system':
      case 'timeline':
        return this.#insight.toggle(act.action);
      case 'library':
        return this.#library.toggle();
      case 'views':
      case 'group':
      case 'patrol':
        return this.#views.perform(act);
      case 'past-step':
      case 'past-skip':
        // In a zoomed picture, arrows pan.
        return (act.pan && this.#view.perform({ action: 'pan', by: act.pan })) || this.#scrubber.perform(act);
      case 'past-toggle':
      case 'past-shuttle':
      case 'past-live':
      case 'past-oldest':
      case 'past-together':
      case 'clip':
      case 'clip-from':
      case 'clip-to':
      case 'clip-save':
        return this.#scrubber.perform(act);
      case 'toggle':
        if (grid.focused) this.#commands.toggle(grid.focused);
        return grid.focused !== null;
      case 'retry':
        if (grid.focused) this.#commands.retry(grid.focused);
        return grid.focused !== null;
      case 'snapshot':
        if (tile?.hasPicture) this.#save(tile);
        return tile?.hasPicture === true;
      case 'fullscreen':
        if (tile) toggleFullscreen(tile.element).catch((error) => this.#toasts.show(error.message, 'warning'));
        return tile !== null;
      default:
        return this.#view.perform(act);
    }
  }

  // Closes the topmost layer.
  #leave(tile) {
    if (this.#view.perform({ action: 'close' })) return;
    if (leaveFullPage(tile?.element) || closeDrawer() || this.#scrubber.perform({ action: 'past-live' })) return;
    this.#views.perform({ action: 'end-patrol' });
    this.#grid.focus(null);
  }

  async #save(tile) {
    const name = await saveSnapshot(tile);
    if (name === null) this.#toasts.show(`${inSentence(tile.title)} has no picture to save yet.`, 'warning');
    else this.#toasts.show(`Saved ${name}`);
  }
}
