/**
 * The controls of the camera in focus, in groups, and its presets. Everything shown comes from STATE; a change is
 * shown immediately, then replaced by the server's answer.
 */
import { mayControl } from '../bridge/access.js';
import { isDefault, makeRow } from './control-row.js';
import { Cropper } from './cropper.js';
import { keepFold } from '../ui/preferences.js';
import { Presets } from './presets.js';
import { setText } from '../ui/dom.js';

/**
 * @typedef {object} ControlState  One of `controls` of STATE.
 * @property {string} name
 * @property {string} title
 * @property {'range' | 'choice' | 'switch' | 'area'} kind
 * @property {string} group
 * @property {boolean | number | string | number[]} value
 * @property {boolean | number | string | number[]} default
 * @property {number} [min]
 * @property {number} [max]
 * @property {number} [step]
 * @property {string} [unit]
 * @property {string[]} [options]
 * @property {boolean} active
 * @property {string} [note]  Why it cannot be set now, or which value the camera rejected.
 */

export class Controls {
  #element;
  #fields;
  #groups;
  #resetAll;
  #presets;
  #cropper;
  #request;
  #tile = null;
  #role = 'viewer';
  #connected = false;
  /** Key of the controls that the rows were built for; when it changes, they are rebuilt. */
  #shape = '';
  /** @type {Map<string, import('./control-row.js').ControlRow>} */
  #rows = new Map();
  /** @type {Map<string, {element: HTMLDetailsElement, changed: Element}>} */
  #shown = new Map();
  #removed = new AbortController();

  /**
   * @param {HTMLElement} element
   * @param {(event: string, payload: object) => Promise<import('../stream/connection.js').Reply>} request  Shows
   *   the STATE in the answer; we show any error.
   */
  constructor(element, request) {
    this.#element = element;
    this.#request = request;
    this.#fields = element.querySelector('[data-controls-fields]');
    this.#groups = element.querySelector('[data-control-groups]');
    this.#resetAll = element.querySelector('[data-controls-reset]');
    this.#presets = new Presets(element, (preset, todo) => this.#send('preset', { preset, do: todo }));
    this.#cropper = new Cropper(document.querySelector('#cropper-template'));
    this.#resetAll.addEventListener('click', async () => {
      const reply = await this.#send('reset', {});
      this.#presets.showRejection(reply.ok ? '' : reply.message);
    });
  }

  /** Show one tile's controls; null for none. @param {import('../grid/tile.js').Tile | null} tile */
  show(tile) {
    if (tile !== this.#tile) {
      this.#cropper.close();
      this.#presets.reset();
      this.#shape = '';
    }
    this.#tile = tile;
    this.refresh();
  }

  /** @param {{role: string, connected: boolean}} access */
  setAccess({ role, connected }) {
    this.#role = role;
    this.#connected = connected;
    this.refresh();
  }

  /** Show the current STATE. */
  refresh() {
    const state = this.#tile?.state;
    const controls = (state?.controls ?? []).filter(({ kind }) => makeRow.knows(kind));
    this.#element.hidden = controls.length === 0 || !mayControl(this.#role);
    if (this.#element.hidden) {
      this.#cropper.close();
      return;
    }
    this.#fields.disabled = !this.#allowed;
    const shape = JSON.stringify(controls.map(({ value: _value, active: _active, note: _note, ...fixed }) => fixed));
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#build(controls);
    }
    for (const control of controls) this.#rows.get(control.name).show(control);
    this.#presets.show(state.presets ?? [], state.preset ?? null);
    this.#cropper.refresh(state, this.#allowed);
    this.#showChanged(controls);
  }

  get #allowed() {
    return mayControl(this.#role) && this.#connected;
  }

  #send(event, payload) {
    return this.#request(event, { camera: this.#tile.name, ...payload });
  }

  #build(controls) {
    this.#removed.abort();
    this.#removed = new AbortController();
    this.#cropper.close();
    this.#rows.clear();
    this.#shown.clear();
    this.#groups.replaceChildren();
    for (const control of controls) {
      const row = makeRow(control, {
        set: (value) => this.#send('control', { control: control.name, value }),
        reset: () => this.#send('reset', { control: control.name }),
        adjust: (onChange) => this.#cropper.toggle(this.#tile, onChange),
        signal: this.#removed.signal,
      });
      this.#rows.set(control.name, row);
      this.#rowsOf(control.group).append(row.element);
    }
  }

  #rowsOf(title) {
    if (!this.#shown.has(title)) {
      const template = document.querySelector('#control-group-template');
      const element = document.importNode(template.content.firstElementChild, true);
      element.querySelector('[data-group-title]').textContent = title;
      // Closed, because most controls are set once; a closed group shows how many differ from the default.
      keepFold(element, `controls.${title}`, false);
      this.#groups.append(element);
      this.#shown.set(title, { element, changed: element.querySelector('[data-group-changed]') });
    }
    return this.#shown.get(title).element.querySelector('[data-group-rows]');
  }

  #showChanged(controls) {
    const changed = controls.filter((control) => control.active && !isDefault(control));
    for (const [title, { changed: element }] of this.#shown) {
      const count = changed.filter(({ group }) => group === title).length;
      setText(element, count > 0 ? `${count} changed` : '');
    }
    this.#resetAll.hidden = changed.length === 0;
    this.#resetAll.disabled = !this.#allowed;
  }
}
