/** Shows whether cameras are recorded: the switch in the panel, and REC on the tiles. */
import { mayControl } from '../bridge/access.js';
import { setText } from '../ui/dom.js';
import { formatLength, plural } from '../ui/format.js';

const WORDS = { off: 'Off', motion: 'When something moves', always: 'Always' };

/** Event: `library` ({camera}) to show the camera's recordings. */
export class RecordPanel extends EventTarget {
  #parts;
  #send;
  #tile = null;
  #mayChange = false;
  #connected = false;
  // The mode just chosen, until the server answers.
  #chosen = null;

  /**
   * @param {HTMLElement} element
   * @param {(event: string, payload: object) => Promise<{ok: boolean}>} send  Shows any error.
   */
  constructor(element, send) {
    super();
    this.#send = send;
    const find = (selector) => element.querySelector(selector);
    this.#parts = {
      state: find('[data-record-state]'),
      modes: find('[data-record-modes]'),
      radios: [...element.querySelectorAll('[name="record-mode"]')],
      lapse: find('[data-lapse]'),
      job: find('[data-lapse-job]'),
      act: find('[data-lapse-act]'),
      note: find('[data-lapse-note]'),
    };
    this.#parts.modes.addEventListener('change', ({ target }) => this.#choose(target.value));
    this.#parts.lapse.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#lapse();
    });
    find('[data-record-library]').addEventListener('click', () => {
      this.dispatchEvent(new CustomEvent('library', { detail: { camera: this.#tile.name } }));
    });
  }

  /** @param {import('../grid/tile.js').Tile | null} tile */
  show(tile) {
    this.#tile = tile;
    this.#chosen = null;
    this.#parts.job.value = '';
    this.refresh();
  }

  /** @param {{role: string, connected: boolean}} access */
  setAccess({ role, connected }) {
    this.#mayChange = mayControl(role);
    this.#connected = connected;
    this.refresh();
  }

  refresh() {
    if (this.#tile === null) return;
    const { record, recording, timelapse } = this.#tile.state;
    const { state, modes, radios, lapse } = this.#parts;
    // Older nodes cannot record.
    modes.hidden = !this.#mayChange || record === undefined;
    const mode = this.#chosen ?? record ?? 'off';
    for (const radio of radios) {
      radio.checked = radio.value === mode;
      radio.disabled = !this.#connected;
    }
    state.toggleAttribute('data-recording', Boolean(recording));
    setText(state, recording ? 'Recording now' : modes.hidden ? WORDS[mode] : '');
    lapse.hidden = !this.#mayChange || timelapse === undefined;
    if (!lapse.hidden) this.#showLapse(timelapse);
  }

  #showLapse(film) {
    const { job: field, act, note } = this.#parts;
    const job = film?.job ?? null;
    field.hidden = job !== null;
    act.disabled = !this.#connected;
    setText(act, job === null ? 'Start' : `Stop ${job}`);
    setText(note, film === null ? '' : `${plural(film.pictures, 'picture')}, one every ${formatLength(film.every)}`);
  }

  async #choose(mode) {
    const tile = this.#tile;
    this.#chosen = mode;
    await this.#send('record', { camera: tile.name, mode });
    if (tile === this.#tile) this.#chosen = null;
    this.refresh();
  }

  async #lapse() {
    const { timelapse, name } = this.#tile.state;
    const { job: field } = this.#parts;
    const job = timelapse?.job ? null : field.value.trim();
    if (job === '') {
      field.focus();
      return;
    }
    const { ok } = await this.#send('timelapse', { camera: name, job });
    if (ok) field.value = '';
  }
}

/** Show on each tile whether its camera is being recorded. @param {Iterable<import('../grid/tile.js').Tile>} tiles */
export function showRecording(tiles) {
  for (const { element, state } of tiles) {
    const mark = element.querySelector('.tile-rec');
    if (mark.hidden === Boolean(state.recording)) mark.hidden = !state.recording;
  }
}
