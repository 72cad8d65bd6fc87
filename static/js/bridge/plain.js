/** Polls the cameras' states over plain HTTP while no WebSocket gets through. */
import { withToken } from './embed.js';

const POLL_MS = 2000;

/** Events: `cameras` ({states}) after each successful request, `unauthorized` when a login is needed. */
export class PlainPoller extends EventTarget {
  #running = false;
  #timer = 0;

  start() {
    if (this.#running) return;
    this.#running = true;
    this.#poll();
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
  }

  async #poll() {
    const states = await this.#fetchStates();
    if (!this.#running) return;
    if (states !== null) this.dispatchEvent(new CustomEvent('cameras', { detail: { states } }));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#poll(), POLL_MS);
  }

  async #fetchStates() {
    try {
      const response = await fetch(withToken('api/cameras'), { cache: 'no-store' });
      if (response.status === 401) this.dispatchEvent(new CustomEvent('unauthorized'));
      const body = await response.json();
      return Array.isArray(body) ? body : (body.cameras ?? null);
    } catch {
      return null;
    }
  }
}
