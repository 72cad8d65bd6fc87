/** Motion detection settings of the camera in focus, for operators: the switch, the numbers and the zones. */
import { mayControl } from '../bridge/access.js';
import { Knob } from '../camera/knob.js';
import { setText } from '../ui/dom.js';
import { formatRejection, plural } from '../ui/format.js';
import { ZonesEditor } from './zones.js';

const NUMBERS = ['sensitivity', 'min_size', 'min_s'];

export class MotionPanel {
  #element;
  #send;
  #editor;
  #parts;
  #knobs;
  /** @type {import('../grid/tile.js').Tile | null} */
  #tile = null;
  #role = 'viewer';
  #connected = false;
  #fault = '';
  /** Whether it was just switched on, until the server answers. @type {boolean | null} */
  #chosen = null;

  /**
   * @param {HTMLElement} element
   * @param {HTMLTemplateElement} template  For the zones over the picture.
   * @param {(payload: object) => Promise<import('../stream/connection.js').Reply>} send  The command `motion`.
   */
  constructor(element, template, send) {
    this.#element = element;
    this.#send = send;
    this.#editor = new ZonesEditor(template);
    const find = (name) => element.querySelector(`[data-motion-${name}]`);
    this.#parts = Object.fromEntries(['on', 'why', 'fields', 'zones', 'edit', 'whole', 'now', 'note'].map((name) => [name, find(name)]));
    this.#knobs = Object.fromEntries(NUMBERS.map((name) => [name, new Knob(element.querySelector(`[data-knob="${name}"]`), ignore)]));
    this.#parts.on.addEventListener('change', () => this.#choose(this.#parts.on.checked));
    this.#parts.edit.addEventListener('click', () => this.#edit());
    this.#parts.whole.addEventListener('click', () => this.#set({ zones: [] }));
  }

  /** Show one camera's settings; null for none. @param {import('../grid/tile.js').Tile | null} tile */
  show(tile) {
    if (tile === this.#tile) return;
    this.#editor.end();
    this.#tile = tile;
    this.#fault = '';
    this.#chosen = null;
    if (tile === null) return;
    for (const [name, knob] of Object.entries(this.#knobs)) knob.retarget((value) => this.#set({ [name]: value }));
    this.refresh();
  }

  /** @param {{role: string, connected: boolean}} access */
  setAccess({ role, connected }) {
    this.#role = role;
    this.#connected = connected;
    if (!mayControl(role)) this.#editor.end();
    this.refresh();
  }

  /** Show the current STATE. */
  refresh() {
    if (this.#tile === null) return;
    const { motion = null, record } = this.#tile.state;
    const { on, why, fields, zones, whole, now, note } = this.#parts;
    const needed = record === 'motion';
    on.checked = this.#chosen ?? motion !== null;
    on.disabled = !this.#connected || needed;
    why.hidden = !needed;
    fields.hidden = motion === null;
    fields.disabled = !this.#connected;
    setText(note, this.#fault);
    note.hidden = this.#fault === '';
    if (motion === null) return;
    for (const [name, knob] of Object.entries(this.#knobs)) knob.show(motion[name] ?? null);
    const count = motion.zones?.length ?? 0;
    setText(zones, count === 0 ? 'The whole picture counts' : `Only ${plural(count, 'zone')} of the picture ${count === 1 ? 'counts' : 'count'}`);
    whole.hidden = count === 0;
    now.dataset.status = motion.moving ? 'stalled' : 'idle';
    setText(now.querySelector('[data-motion-word]'), motion.moving ? 'Motion now' : 'No motion now');
  }

  #edit() {
    if (this.#editor.open) {
      this.#editor.end();
      return;
    }
    const { edit } = this.#parts;
    edit.setAttribute('aria-pressed', 'true');
    this.#editor.begin(this.#tile, this.#tile.state.motion?.zones ?? [], (zones) => {
      edit.setAttribute('aria-pressed', 'false');
      edit.focus({ preventScroll: true });
      if (zones !== null) this.#set({ zones });
    });
  }

  // A STATE from before the change must not turn the switch back.
  async #choose(on) {
    this.#chosen = on;
    await this.#set({ on });
  }

  async #set(change) {
    const tile = this.#tile;
    const reply = await this.#send({ camera: tile.name, ...change });
    if (tile !== this.#tile) return;
    this.#chosen = null;
    this.#fault = reply.ok ? '' : formatRejection(reply);
    this.refresh();
  }
}

async function ignore() {}
