/** Remembers recent actions on this page: it shows their effect already, so they need no notice. */

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

  /**
   * Run a command. Its notice may come before its answer, or after.
   *
   * @template T
   * @param {string | undefined} camera  Missing for the whole server.
   * @param {() => Promise<T>} command
   * @returns {Promise<T>}
   */
  async run(camera, command) {
    const note = () => this.#sentMs.set(camera ?? SERVER, performance.now());
    note();
    const answer = await command();
    note();
    return answer;
  }

  /** Whether a notice is about something done here. @param {import('./notices.js').Notice} notice */
  has({ camera = SERVER, by }) {
    if (by === undefined || (this.#user !== null && by !== this.#user)) return false;
    return performance.now() - (this.#sentMs.get(camera) ?? -Infinity) < OWN_MS;
  }
}
