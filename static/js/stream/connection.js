/**
 * The only module that uses Socket.IO. Everything else listens to its events and calls `request`. Uses no DOM, so
 * it can run in a worker.
 */
import { io } from '../../vendor/socket.io.esm.min.js';
import { nowUnix } from './clock.js';

const REPLY_TIMEOUT_MS = 5000;
const MIN_BLOCKED = 2;
const REJECTED_RETRY_MS = 2000;

/**
 * @typedef {{ok: true, [key: string]: any} | {ok: false, error: string, message: string}} Reply
 */

/**
 * The connection to the server. It reconnects forever.
 *
 * Events: `hello`, `frame` ({header, bytes}), `camera`, `cameras`, `stats`, `notice`, `event`, `rendition` and `views`,
 * as the server sends them; `down` when the connection is lost; `refused` ({message, code}) when the server rejects us;
 * `blocked` when the server answers HTTP but no WebSocket gets through; `moved` when the server we were connected to now
 * redirects elsewhere.
 */
export class Connection extends EventTarget {
  #base;
  #socket;
  // Consecutive attempts that failed although the server answered HTTP.
  #blocked = 0;
  #wasConnected = false;

  /** @param {string} base  Address of the page, which differs from a worker's. */
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
   * Send an event and wait for its answer. Never rejects: without an answer, it resolves to an error reply.
   *
   * @param {string} event
   * @param {object} payload
   * @returns {Promise<Reply>}
   */
  async request(event, payload = {}) {
    if (!this.#socket.connected) return unavailable('The server cannot be reached.');
    try {
      const reply = await this.#socket.timeout(REPLY_TIMEOUT_MS).emitWithAck(event, payload);
      return reply && typeof reply === 'object' ? reply : unavailable('The server sent an invalid answer.');
    } catch {
      return unavailable('The server did not answer in time.');
    }
  }

  /**
   * Tell the server that frames of a camera up to `seq` are painted.
   *
   * @param {string} camera
   * @param {number} seq
   * @param {number} holdMs  How long that frame was held here before it was painted.
   */
  ack(camera, seq, holdMs) {
    // While disconnected, Socket.IO would queue the event, and send it when it no longer means anything.
    if (this.#socket.connected) this.#socket.emit('ack', camera, seq, Math.round(holdMs));
  }

  /**
   * Exchange times with the server once.
   *
   * @param {number} roundTrip  The shortest measured so far, in seconds; NaN while unknown. It lets the
   *   server tell a long link from a narrow one.
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
      this.#wasConnected = true;
      this.#emit('hello', hello);
    });
    socket.on('frame', (header, bytes) => this.#emit('frame', { header, bytes }));
    for (const event of ['camera', 'cameras', 'stats', 'notice', 'event', 'rendition', 'views']) {
      socket.on(event, (payload) => this.#emit(event, payload));
    }
    socket.on('disconnect', (reason) => {
      this.#emit('down', { reason });
      // Socket.IO does not reconnect after the server closed the connection, though it may only be restarting.
      if (!socket.active) setTimeout(() => socket.connect(), REJECTED_RETRY_MS);
    });
    socket.on('connect_error', (error) => this.#onConnectError(error));
  }

  async #onConnectError(error) {
    if (!this.#socket.active) {
      // The WebSocket works, but the server rejected us.
      this.#emit('refused', { message: error.message, code: error.data?.code });
      setTimeout(() => this.#socket.connect(), REJECTED_RETRY_MS);
      return;
    }
    const answer = await askServer(this.#base);
    if (answer === 'up') {
      this.#blocked += 1;
      if (this.#blocked >= MIN_BLOCKED && !this.#socket.connected) this.#emit('blocked', {});
      return;
    }
    this.#blocked = 0;
    // Only if we were connected: a proxy that redirects just this path must not make the page reload forever.
    if (answer === 'elsewhere' && this.#wasConnected) this.#emit('moved', {});
    else this.#emit('down', { reason: 'unreachable' });
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/**
 * Ask whether the server is there. Redirects are not followed: they lead to another origin, such as https once TLS
 * is turned on, and the page may not read that.
 *
 * @returns {Promise<'up' | 'down' | 'elsewhere'>}
 */
async function askServer(base) {
  try {
    const signal = AbortSignal.timeout(3000);
    const response = await fetch(new URL('healthz', base), { cache: 'no-store', redirect: 'manual', signal });
    if (response.type === 'opaqueredirect') return 'elsewhere';
    return response.ok ? 'up' : 'down';
  } catch {
    return 'down';
  }
}

/** @returns {Reply} */
function unavailable(message) {
  return { ok: false, error: 'unavailable', message };
}
