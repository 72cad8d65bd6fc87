/** What was just done on this page: it shows that already, and needs no notice of it. */

// The server tells of a change when it has come to rest, a moment after it.
const OWN_MS = 2500;
const SERVER = '';

export class OwnActions {
  #user = null;
  /** @type {Map<string, number>} When something was last asked for, by camera. */
  #askedMs = new Map();

  /** @param {string | null} user  Who this page is for, by the server's word; null where nobody has a name. */
  greet(user) {
    this.#user = user;
  }

  /** Something was asked for, or answered. @param {string} [camera]  None for the whole server. */
  note(camera = SERVER) {
    this.#askedMs.set(camera, performance.now());
  }

  /** Whether a notice tells what was done here. @param {import('./notices.js').Notice} notice */
  has({ camera = SERVER, by }) {
    if (by === undefined || (this.#user !== null && by !== this.#user)) return false;
    return performance.now() - (this.#askedMs.get(camera) ?? -Infinity) < OWN_MS;
  }
}
