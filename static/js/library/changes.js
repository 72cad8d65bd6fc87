/** What operators can do to events and recordings: keep them forever, or delete them. */
import { setText } from '../ui/dom.js';
import { formatLabel, formatLength, inSentence } from '../ui/format.js';
import { keyOf } from './cards.js';
import { filmsOf } from './data.js';

/** Event: `delete` ({keys}) before items are deleted, with their keys in the list. */
export class Changes extends EventTarget {
  #store;
  #dialog;
  #titleOf;
  #toasts;
  #item = null;

  /**
   * @param {import('./store.js').LibraryStore} store
   * @param {HTMLDialogElement} dialog  Confirms a deletion.
   * @param {(camera: string) => string} titleOf
   * @param {import('../ui/toasts.js').Toasts} toasts
   */
  constructor(store, dialog, titleOf, toasts) {
    super();
    this.#store = store;
    this.#dialog = dialog;
    this.#titleOf = titleOf;
    this.#toasts = toasts;
    dialog.addEventListener('close', () => {
      if (dialog.returnValue === 'delete') this.#delete(this.#item, dialog.querySelector('[data-delete-too]').checked);
    });
  }

  /** Keep an item forever, or no longer. @param {import('./cards.js').Item} item */
  async lock({ kind, row }) {
    const locked = !row.locked;
    const { ok, message } = await this.#store.lock(kind, row, locked);
    const what = kind === 'events' ? formatLabel(row.label) : 'The recording';
    if (!ok) this.#toasts.show(`Not changed: ${message}`, 'error');
    else this.#toasts.show(locked ? `${what} is kept forever.` : `${what} is no longer kept forever.`);
  }

  /** @param {import('./cards.js').Item} item */
  askToDelete(item) {
    const { kind, row } = item;
    const isEvent = kind === 'events';
    const part = (name) => this.#dialog.querySelector(`[data-delete-${name}]`);
    this.#item = item;
    const title = inSentence(this.#titleOf(row.camera));
    setText(part('title'), isEvent ? `Delete ${formatLabel(row.label)}, ${title}?` : `Delete this recording of ${title}?`);
    const text = isEvent ? 'The event and its picture will be deleted.' : `All ${formatLength(row.to - row.from)} of it will be deleted.`;
    setText(part('text'), row.locked ? `It is kept forever. ${text}` : text);
    const recordings = isEvent ? this.#recordingsOf(row) : [];
    const length = recordings.reduce((sum, { from, to }) => sum + to - from, 0);
    part('too-row').hidden = recordings.length === 0;
    part('too').checked = false;
    setText(part('too-text'), `Also delete the recording: ${formatLength(length)}`);
    // Esc leaves the last return value, which must not count as a confirmation.
    this.#dialog.returnValue = '';
    this.#dialog.showModal();
  }

  // Leave out open recordings, which cannot be deleted.
  #recordingsOf(event) {
    const { camera, from, to } = event;
    const films = filmsOf(event, this.#store.films, to ?? from);
    if (films.length > 0) return films.filter((one) => !one.open);
    return this.#store.recordingsOf(camera).filter((one) => !one.open && one.to > from && one.from <= (to ?? from));
  }

  #delete(item, too) {
    const recordings = too ? this.#recordingsOf(item.row).map((row) => ({ kind: 'recordings', row })) : [];
    const items = [item, ...recordings];
    this.dispatchEvent(new CustomEvent('delete', { detail: { keys: items.map(keyOf) } }));
    const undo = this.#store.removeSoon(items, (message) => this.#toasts.show(`Not deleted: ${message}`, 'error'));
    const what = item.kind === 'events' ? formatLabel(item.row.label) : 'The recording';
    this.#toasts.show(`${what} was deleted.`, 'info', { action: { word: 'Undo', act: undo } });
  }
}
