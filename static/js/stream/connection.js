/**
 * The one module that talks to Socket.IO. Everything else hears its CustomEvents and calls `request`. Knows
 * no document: it may run in a worker.
 */
import { io } from '../../vendor/socket.io.esm.min.js';
import { nowUnix } from './clock.js';

const REPLY_TIMEOUT_MS = 5000;
const MIN_BLOCKED = 2;
const REFUSED_RETRY_MS = 2000;

/**
 * @typedef {{ok: true, [key: string]: any} | {ok: false, error: string, message: string}} Reply
 */

/**
 * The connection to the server. It reconnects by itself, for ever.
 *
 * Events: `hello`, `frame` ({header, jpeg}), `camera`, `stats`, `notice`, as the server sends them;
 * `down` when the connection is lost; `refused` ({message, code}) when the server turns us away; `blocked`
 * when the server answers HTTP but no WebSocket gets through.
 */
export class Connection extends EventTarget {
  #base;
  #socket;
  // Attempts in a row that failed although the server answered HTTP.
  #blocked = 0;

  /** @param {string} base  Address of the page; a worker has only its own. */
  constructor(base) {
    super();
    this.#base = base;
    // WebSocket only: the polling transport would send every JPEG as base64.
    const { origin, pathname } = new URL('socket.io', base);
    const token = new URL(base).searchParams.get('token');
    this.#socket = io(origin, {
      path: pathname,
      transports: ['websocket'],
      reconnectionDelay: 250,
      reconnectionDelayMax: 4000,
      timeout: 4000,
      autoConnect: false,
      auth: token === null ? {} : { token },
    });
    this.#listen();
  }

  connect() {
    this.#socket.connect();
  }

  get connected() {
    return this.#socket.connected;
  }

  /**
   * Send an event and wait for its answer. Never rejects: no answer is an answer of our own.
   *
   * @param {string} event
   * @param {object} payload
   * @returns {Promise<Reply>}
   */
  async request(event, payload = {}) {
    if (!this.#socket.connected) return unavailable('The server cannot be reached.');
    try {
      const reply = await this.#socket.timeout(REPLY_TIMEOUT_MS).emitWithAck(event, payload);
      return reply && typeof reply === 'object' ? reply : unavailable('The server sent no proper answer.');
    } catch {
      return unavailable('The server did not answer in time.');
    }
  }

  /**
   * Tell the server that frames of a camera up to `seq` are painted.
   *
   * @param {string} camera
   * @param {number} seq
   * @param {number} holdMs  How long that frame was here before it was painted.
   */
  ack(camera, seq, holdMs) {
    // While disconnected Socket.IO would keep the event for later, when it means nothing any more.
    if (this.#socket.connected) this.#socket.emit('ack', camera, seq, Math.round(holdMs));
  }

  /**
   * Exchange times with the server once.
   *
   * @param {number} roundTrip  The shortest that was measured so far, in seconds; NaN while unknown. By it
   *   the server tells a long link from a narrow one.
   * @returns {Promise<{sent: number, received: number, server: number} | null>}
   */
  async clock(roundTrip) {
    const sent = nowUnix();
    const known = Number.isFinite(roundTrip) ? { round_trip: roundTrip } : {};
    const reply = await this.request('clock', { t: sent, ...known });
    return reply.ok ? { sent, received: nowUnix(), server: reply.server } : null;
  }

  #listen() {
    const socket = this.#socket;
    socket.on('hello', (hello) => {
      this.#blocked = 0;
      this.#tell('hello', hello);
    });
    socket.on('frame', (header, jpeg) => this.#tell('frame', { header, jpeg }));
    for (const event of ['camera', 'stats', 'notice', 'rendition']) {
      socket.on(event, (payload) => this.#tell(event, payload));
    }
    socket.on('disconnect', (reason) => {
      this.#tell('down', { reason });
      // A server that closed on purpose is not called back by Socket.IO itself; it may be restarting.
      if (!socket.active) setTimeout(() => socket.connect(), REFUSED_RETRY_MS);
    });
    socket.on('connect_error', (error) => this.#onConnectError(error));
  }

  async #onConnectError(error) {
    if (!this.#socket.active) {
      // The WebSocket works, the server said no.
      this.#tell('refused', { message: error.message, code: error.data?.code });
      setTimeout(() => this.#socket.connect(), REFUSED_RETRY_MS);
      return;
    }
    if (await isServerUp(this.#base)) {
      this.#blocked += 1;
      if (this.#blocked >= MIN_BLOCKED && !this.#socket.connected) this.#tell('blocked', {});
    } else {
      this.#blocked = 0;
      this.#tell('down', { reason: 'unreachable' });
    }
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

async function isServerUp(base) {
  try {
    const signal = AbortSignal.timeout(3000);
    const response = await fetch(new URL('healthz', base), { cache: 'no-store', signal });
    return response.ok;
  } catch {
    return false;
  }
}

/** @returns {Reply} */
function unavailable(message) {
  return { ok: false, error: 'unavailable', message };
}
