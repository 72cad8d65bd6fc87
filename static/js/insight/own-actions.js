/** Remembers what was just done on this page, which shows it already and needs no notice. */

// The server sends the notice a moment after the last of several changes.
const OWN_MS = 2500;
const SERVER = '';

export class OwnActions {
  #user = null;
  /** @type {Map<string, number>} Time of the last command, by camera. */
  #sentMs = new Map();

  /** @param {string | null} user  Logged in here; null without a login. */
  setUser(user) {
    this.#user = user;
  }

  /** Note that a command was sent or answered. @param {string} [camera]  Missing for the whole server. */
  note(camera = SERVER) {
    this.#sentMs.set(camera, performance.now());
  }

  /** Whether a notice is about something done here. @param {import('./notices.js').Notice} notice */
  has({ camera = SERVER, by }) {
    if (by === undefined || (this.#user !== null && by !== this.#user)) return false;
    return performance.now() - (this.#sentMs.get(camera) ?? -Infinity) < OWN_MS;
  }
}
