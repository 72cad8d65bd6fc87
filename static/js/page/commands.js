/** Sends a person's commands to the server, and shows the outcome. */
import { isRunning } from '../camera/condition.js';
import { inSentence } from '../ui/format.js';

export class Commands {
  #backend;
  #own;
  #toasts;
  #onCamera;
  /** @type {Map<string, () => void>} Functions that remove the offer to undo a stop, by camera. */
  #offers = new Map();

  /**
   * @param {import('../bridge/client.js').BackendClient} backend
   * @param {import('../insight/own-actions.js').OwnActions} own
   * @param {import('../ui/toasts.js').Toasts} toasts
   * @param {(state: import('../grid/tile.js').CameraState) => void} onCamera  Shows the STATE in an answer.
   */
  constructor(backend, own, toasts, onCamera) {
    this.#backend = backend;
    this.#own = own;
    this.#toasts = toasts;
    this.#onCamera = onCamera;
  }

  /** Send a command, and show any error. @param {string} event @param {{camera?: string}} payload */
  async send(event, payload) {
    const reply = await this.tune(event, payload);
    if (!reply.ok) this.#toasts.show(`That failed: ${reply.message || reply.error}`, 'error');
    return reply;
  }

  /** Send a command; the caller shows any error. @param {string} event @param {{camera?: string}} payload */
  async tune(event, payload) {
    const reply = await this.#own.run(payload.camera, () => this.#backend.request(event, payload));
    if (reply.ok && reply.camera) this.#onCamera(reply.camera);
    return reply;
  }

  /** Retry an offline camera now. @param {import('../grid/tile.js').Tile} tile */
  retry(tile) {
    return this.send('start', { camera: tile.name });
  }

  /** Stop a camera, or start it; a stop can be undone for a while. @param {import('../grid/tile.js').Tile} tile */
  async toggle(tile) {
    const event = isRunning(tile.state.state) ? 'stop' : 'start';
    const reply = await this.send(event, { camera: tile.name });
    this.#offers.get(tile.name)?.();
    if (!reply.ok || event === 'start') return;
    tile.setStoppedHere();
    const action = { word: 'Undo', act: () => this.send('start', { camera: tile.name }) };
    this.#offers.set(tile.name, this.#toasts.show(`${inSentence(tile.title)} is stopped for everybody.`, 'info', { action }));
  }
}
