/**
 * The page's end of the channel to the backend, and through it to the server and the viewers.
 *
 * @typedef {{header: import('../stream/header.js').FrameHeader, jpeg: ArrayBuffer | Blob}} Shown
 *
 * Events: `hello`, `camera`, `cameras`, `stats`, `notice`, `event`, `views`, `down`, `refused`, `blocked` and `moved`,
 * as connection.js emits them; `viewer` with a report from viewer.js.
 */
export class BackendClient extends EventTarget {
  #port;
  #surfaceOf;
  #connected = false;
  #lastId = 0;
  /** @type {Map<number, (answer: any) => void>} */
  #pending = new Map();

  /** @param {import('./start.js').Channel} place */
  constructor({ port, surfaceOf }) {
    super();
    this.#port = port;
    this.#surfaceOf = surfaceOf;
    port.addEventListener('message', ({ data }) => this.#onMessage(data));
  }

  connect() {
    this.#port.postMessage({ type: 'connect', base: document.baseURI });
  }

  get connected() {
    return this.#connected;
  }

  /**
   * Send an event to the server and wait for its answer. Never rejects.
   *
   * @param {string} event
   * @param {object} payload
   * @returns {Promise<import('../stream/connection.js').Reply>}
   */
  request(event, payload = {}) {
    return this.#send({ type: 'request', event, payload });
  }

  /**
   * Exchange times with the server once.
   *
   * @returns {Promise<{sent: number, received: number, server: number} | null>}
   */
  clock() {
    return this.#send({ type: 'clock' });
  }

  /** Have the backend paint a camera onto a canvas, once it is wanted. @param {string} camera @param {HTMLCanvasElement} canvas */
  openViewer(camera, canvas) {
    const surface = this.#surfaceOf(canvas);
    this.#port.postMessage({ type: 'open', camera, canvas: surface }, [surface]);
  }

  /**
   * @param {string} camera
   * @param {boolean} wanted
   * @param {string} rendition  A rendition's name, or `auto`.
   * @param {number} width  Device pixels of the tile.
   */
  wantViewer(camera, wanted, rendition, width) {
    this.#port.postMessage({ type: 'want', camera, wanted, rendition, width });
  }

  /** Show a moment of a camera's past; null returns to live. @param {string} camera @param {number | null} at */
  seekViewer(camera, at) {
    this.#port.postMessage({ type: 'seek', camera, at });
  }

  /** Play the past; 0 pauses. @param {string} camera @param {number} speed */
  playViewer(camera, speed) {
    this.#port.postMessage({ type: 'play', camera, speed });
  }

  /** Step within the past. @param {string} camera @param {number} by  Frames. */
  stepViewer(camera, by) {
    this.#port.postMessage({ type: 'step', camera, by });
  }

  /** Prepare for somebody looking back at a camera. @param {string} camera */
  expectPast(camera) {
    this.#port.postMessage({ type: 'past', camera });
  }

  /** @param {string} camera */
  closeViewer(camera) {
    this.#port.postMessage({ type: 'close', camera });
  }

  /** Ask for video where the browser can decode it, or for JPEG only. @param {boolean} wanted */
  useVideo(wanted) {
    this.#port.postMessage({ type: 'video', wanted });
  }

  /** The last painted frame as a JPEG; null before the first. @param {string} camera @returns {Promise<Shown | null>} */
  lastPicture(camera) {
    return this.#send({ type: 'picture', camera });
  }

  /** A copy of what is on a canvas; null before the first frame. @param {string} camera @returns {Promise<ImageBitmap | null>} */
  grab(camera) {
    return this.#send({ type: 'grab', camera });
  }

  #send(message) {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve) => {
      this.#pending.set(id, resolve);
      this.#port.postMessage({ ...message, id });
    });
  }

  #onMessage({ type, id, answer, name, detail, report }) {
    if (type === 'viewer') {
      this.#emit('viewer', report);
    } else if (type === 'answer') {
      this.#pending.get(id)?.(answer);
      this.#pending.delete(id);
    } else if (type === 'event') {
      if (name === 'hello') this.#connected = true;
      if (name === 'down') this.#connected = false;
      this.#emit(name, detail);
    }
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
