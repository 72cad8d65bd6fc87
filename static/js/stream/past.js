/**
 * Where one viewer looks: at what is live, or at a moment of the past, still or played. Asks the server for it, one
 * request at a time and always for the newest wish, and tells which frames belong to it.
 *
 * Uses no document. Moments are Unix seconds of the server's clock; null is live.
 *
 * @typedef {object} PastReport
 * @property {number | null} wanted  The moment that is looked at, or was asked for and is on its way.
 * @property {number | null} asked   The moment that was asked for, if the picture of `wanted` stands for it: cameras take theirs at
 *   different times.
 * @property {number} speed          0 while it stands still.
 * @property {{from: number, to: number} | null} span  What can be sought, by the newest answer.
 * @property {boolean} short         The moment that was asked for is not remembered, and this is the nearest.
 * @property {string} fault          Why the last wish was not granted; empty if it was.
 */

// The next wish waits until the picture of the last one is seen: a drag would only move what nobody sees. It does not
// wait for ever: a picture may be long in coming.
const UNSEEN_MS = 300;
// If only live frames come for so long after a seek, the server has ended it.
const LOST_MS = 1500;
// A picture stands for the time until the next one.
const SHORT_S = 1;
const NOTHING = 'Nothing of this camera is remembered yet.';
// A held key must not go on for long after it is let go.
const MAX_STEPS = 2;

export class Past {
  #ask;
  #onChange;
  #onSwitch;
  #wanted = null;
  #asked = null;
  #speed = 0;
  #span = null;
  #short = false;
  #fault = '';
  // The newest seek that was answered, or that a frame came for.
  #seek = 0;
  // Whether the server sends us the past, and whether a frame of the newest seek has come.
  #active = false;
  #arrived = false;
  #soughtMs = 0;
  // The newest moment that the server found, or that was painted; and of a found one, those next to it.
  #at = NaN;
  #around = null;
  // The moment that is being asked for; null for none, or for what is live.
  #going = null;
  // Whether the decoder failed since a picture was seen, and whether it did so again: then JPEG is asked for.
  #failed = false;
  #plain = false;
  // What to ask for next: a moment, then steps from there, then a speed.
  #next = null;
  #busy = false;
  #turn = 0;
  #seen = () => {};

  /**
   * @param {(event: 'seek' | 'play', payload: object) => Promise<import('./connection.js').Reply>} ask
   * @param {object} hooks
   * @param {() => void} hooks.onChange  The report differs.
   * @param {() => void} hooks.onSwitch  Frames of the past come instead of live ones, or the other way round.
   */
  constructor(ask, { onChange, onSwitch }) {
    this.#ask = ask;
    this.#onChange = onChange;
    this.#onSwitch = onSwitch;
  }

  /** Whether frames of the past are what comes. */
  get active() {
    return this.#active;
  }

  /** Whether it was asked for anything but what is live, and that may be on its way. */
  get away() {
    return this.#active || this.#wanted !== null;
  }

  /** @returns {PastReport} */
  get report() {
    return { wanted: this.#wanted, asked: this.#speed === 0 ? this.#asked : null, speed: this.#speed, span: this.#span, short: this.#short, fault: this.#fault };
  }

  /** @param {number | null} at */
  seek(at) {
    this.#wanted = at;
    this.#asked = null;
    this.#speed = 0;
    this.#wish({ at });
  }

  /** @param {number} speed  0 pauses, negative plays backwards. */
  play(speed) {
    if (this.#wanted === null) return;
    this.#speed = speed;
    this.#wish({ ...this.#next, speed });
  }

  /** @param {number} by  Frames. */
  step(by) {
    if (this.#wanted === null) return;
    this.#speed = 0;
    const steps = (this.#next?.steps ?? 0) + by;
    this.#wish({ at: this.#next?.at, steps: Math.max(-MAX_STEPS, Math.min(MAX_STEPS, steps)) });
  }

  /** Its video could not be decoded: go there once more, from a picture that needs no other, and then as JPEG. */
  retry() {
    this.#plain = this.#failed;
    this.#failed = true;
    this.#seen(); // It will not be.
    if (this.#next === null && this.#wanted !== null) this.#wish(this.#here);
  }

  /** We joined the camera's room anew, and are sent what is live. */
  restart() {
    this.forget();
    if (this.#wanted !== null) this.#wish(this.#here);
  }

  /** We left the room. */
  forget() {
    this.#turn += 1;
    this.#busy = false;
    this.#next = null;
    this.#seek = 0;
    this.#switch(false);
    this.#seen();
  }

  /**
   * Whether a frame is to be shown; one that was on its way when we moved is not.
   *
   * @param {{live: boolean, seek: number, catchUp: boolean}} header
   */
  accept({ live, seek, catchUp }) {
    if (live) {
      // Played up to now; or sent before we moved, which does not go on for long.
      if (this.#active && (this.#arrived || performance.now() - this.#soughtMs > LOST_MS)) this.#leave();
      return !this.#active;
    }
    if (seek < this.#seek || (seek === this.#seek && !this.#active)) return false;
    if (seek > this.#seek) this.#arrived = false;
    this.#seek = seek;
    this.#soughtMs = performance.now();
    this.#switch(true);
    if (!catchUp) this.#arrived = true;
    return true;
  }

  /** A frame of the past is on the canvas. @param {{seek: number, at: number}} header */
  painted({ seek, at }) {
    if (seek !== this.#seek || !this.#active) return;
    if (at !== this.#at) this.#around = null;
    this.#at = at;
    this.#failed = false;
    if (this.#speed !== 0) this.#wanted = at;
    this.#seen();
  }

  get #here() {
    const at = this.#going ?? (Number.isFinite(this.#at) ? this.#at : this.#wanted);
    return this.#speed === 0 ? { at } : { at, speed: this.#speed };
  }

  #leave() {
    this.#switch(false);
    // Unless somebody wants to go back again.
    if (this.#next !== null || this.#busy) return;
    this.#wanted = null;
    this.#speed = 0;
    this.#onChange();
  }

  #switch(active) {
    if (active === this.#active) return;
    this.#active = active;
    if (!active) {
      this.#arrived = false;
      this.#failed = false;
      this.#plain = false;
    }
    this.#onSwitch();
  }

  #wish(next) {
    this.#next = next;
    this.#onChange();
    if (!this.#busy) this.#drain();
  }

  async #drain() {
    const turn = this.#turn;
    this.#busy = true;
    while (turn === this.#turn && this.#next !== null) {
      const { at, steps = 0, speed } = this.#next;
      this.#next = null;
      this.#fault = '';
      if (at !== undefined) await this.#goTo(at, turn);
      if (steps !== 0 && this.#mayGoOn(turn)) await this.#stepBy(steps, turn);
      if (speed !== undefined && this.#mayGoOn(turn)) await this.#setSpeed(speed, turn);
    }
    if (turn === this.#turn) this.#busy = false;
  }

  #mayGoOn(turn) {
    return turn === this.#turn && this.#fault === '';
  }

  /** @returns {Promise<boolean>} whether the picture of a moment is there */
  async #goTo(at, turn) {
    const seen = this.#whenSeen();
    this.#going = at;
    const reply = await this.#ask('seek', this.#plain && at !== null ? { at, video: false } : { at, packed: true });
    if (turn !== this.#turn) return false;
    this.#going = null;
    if (reply.ok) this.#take(at, reply);
    else this.#fault = reply.message || reply.error;
    if (this.#fault !== '') this.#stay();
    // Told with the picture, as a rule, which is there soon: to tell of both has the page be drawn twice.
    if (this.#active && this.#fault === '') await seen;
    if (turn !== this.#turn) return false;
    this.#onChange();
    return this.#active && this.#fault === '';
  }

  #take(asked, { at, from, to, seek, before = null, after = null }) {
    this.#span = Number.isFinite(from) && Number.isFinite(to) ? { from, to } : null;
    if (seek > this.#seek) {
      this.#seek = seek;
      this.#arrived = false;
    }
    this.#soughtMs = performance.now();
    this.#switch(at !== null);
    this.#at = at ?? NaN;
    this.#around = at === null ? null : { before, after };
    this.#short = at !== null && at > asked + SHORT_S;
    if (at === null && asked !== null) this.#fault = NOTHING;
    else if (this.#next === null) this.#wanted = at;
    this.#asked = at !== null && Math.abs(asked - at) < SHORT_S ? asked : null;
  }

  #stay() {
    if (this.#next !== null) return;
    this.#wanted = this.#active ? this.#at : null;
    this.#speed = 0;
  }

  async #stepBy(steps, turn) {
    // Another moment that is wanted meanwhile ends it.
    for (let left = Math.abs(steps); left > 0 && this.#mayGoOn(turn) && this.#next?.at === undefined; left -= 1) {
      // Played up to here, it is not known what is next to it.
      if (this.#around === null && !(await this.#goTo(this.#at, turn))) return;
      const to = steps < 0 ? this.#around?.before : this.#around?.after;
      if (!Number.isFinite(to) || !(await this.#goTo(to, turn))) return;
    }
  }

  async #setSpeed(speed, turn) {
    const reply = await this.#ask('play', { speed });
    if (turn !== this.#turn || reply.ok) return;
    this.#fault = reply.message || reply.error;
    if (this.#next === null) this.#speed = 0;
    this.#onChange();
  }

  #whenSeen() {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#seen(), UNSEEN_MS);
      this.#seen = () => {
        clearTimeout(timer);
        this.#seen = () => {};
        resolve();
      };
    });
  }
}
