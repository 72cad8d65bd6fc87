/**
 * Tracks what one viewer shows: live frames, or a moment of the past, still or playing. Sends the requests for it,
 * one at a time and always the newest, and decides which frames belong to it.
 *
 * Uses no DOM. Moments are Unix seconds of the server's clock; null is live.
 *
 * @typedef {object} PastReport
 * @property {number | null} wanted  The moment shown, or requested and on its way.
 * @property {number | null} asked   The requested moment, if the picture at `wanted` stands for it; cameras take
 *   their pictures at slightly different times.
 * @property {number} speed          0 while paused.
 * @property {{from: number, to: number} | null} span  The range that can be sought, from the newest answer.
 * @property {boolean} short         The requested moment is not kept; this is the nearest one.
 * @property {string} fault          Why the last request failed; empty if it did not.
 */

// Longest that the next request waits for the picture of the last one. Without waiting, a drag would show no picture
// at all.
const UNSEEN_MS = 300;
// If only live frames come for this long after a seek, the server has ended it.
const LOST_MS = 1500;
// A picture up to this far away stands for the requested moment.
const SHORT_S = 1;
const NOTHING = 'No earlier pictures of this camera are available yet.';
// Limits how long a held key goes on stepping after it is released.
const MAX_STEPS = 2;

export class PastRequests {
  #ask;
  #onChange;
  #onSwitch;
  #wanted = null;
  #asked = null;
  #speed = 0;
  #span = null;
  #short = false;
  #fault = '';
  // Number of the newest seek that was answered or that a frame came for.
  #seek = 0;
  // Whether the server sends us the past, and whether a frame to show has come for the newest seek.
  #active = false;
  #arrived = false;
  #soughtMs = 0;
  // The last moment that the server found or that was painted; and, if found, its neighbours.
  #at = NaN;
  #around = null;
  // The moment being requested; null for none, or for live.
  #seeking = null;
  // The decoder has failed since the last picture; it failed again, so JPEG is requested.
  #failed = false;
  #plain = false;
  // The next request: a moment, then steps from there, then a speed.
  #next = null;
  #busy = false;
  #turn = 0;
  #seen = () => {};

  /**
   * @param {(event: 'seek' | 'play', payload: object) => Promise<import('./connection.js').Reply>} ask
   * @param {object} hooks
   * @param {() => void} hooks.onChange  The report changed.
   * @param {() => void} hooks.onSwitch  Frames of the past replace live ones, or the other way round.
   */
  constructor(ask, { onChange, onSwitch }) {
    this.#ask = ask;
    this.#onChange = onChange;
    this.#onSwitch = onSwitch;
  }

  /** Whether frames of the past are arriving. */
  get active() {
    return this.#active;
  }

  /** Whether the past is shown, or was requested and is on its way. */
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
    this.#enqueue({ at });
  }

  /** @param {number} speed  0 pauses, negative plays backwards. */
  play(speed) {
    if (this.#wanted === null) return;
    this.#speed = speed;
    this.#enqueue({ ...this.#next, speed });
  }

  /** @param {number} by  Frames. */
  step(by) {
    if (this.#wanted === null) return;
    this.#speed = 0;
    const steps = (this.#next?.steps ?? 0) + by;
    this.#enqueue({ at: this.#next?.at, steps: Math.max(-MAX_STEPS, Math.min(MAX_STEPS, steps)) });
  }

  /** The video could not be decoded: seek again, which begins at a key frame; after a second failure, as JPEG. */
  retry() {
    this.#plain = this.#failed;
    this.#failed = true;
    this.#seen(); // Stop waiting for the picture.
    if (this.#next === null && this.#wanted !== null) this.#enqueue(this.#here);
  }

  /** We rejoined the camera's room, and receive live frames: return to where we were. */
  restart() {
    this.forget();
    if (this.#wanted !== null) this.#enqueue(this.#here);
  }

  /** We left the room: drop all requests. */
  forget() {
    this.#turn += 1;
    this.#busy = false;
    this.#next = null;
    this.#seek = 0;
    this.#switch(false);
    this.#seen();
  }

  /**
   * Whether to show a frame; not if it was already on its way when we moved.
   *
   * @param {{live: boolean, seek: number, catchUp: boolean}} header
   */
  accept({ live, seek, catchUp }) {
    if (live) {
      // Playback has caught up with live, or the frame was sent before the seek.
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

  /** Record that a frame of the past is on the canvas. @param {{seek: number, at: number}} header */
  painted({ seek, at }) {
    if (seek !== this.#seek || !this.#active) return;
    if (at !== this.#at) this.#around = null;
    this.#at = at;
    this.#failed = false;
    if (this.#speed !== 0) this.#wanted = at;
    this.#seen();
  }

  get #here() {
    const at = this.#seeking ?? (Number.isFinite(this.#at) ? this.#at : this.#wanted);
    return this.#speed === 0 ? { at } : { at, speed: this.#speed };
  }

  #leave() {
    this.#switch(false);
    // Unless a newer request leads back.
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

  #enqueue(next) {
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

  /** @returns {Promise<boolean>} whether the past is shown now */
  async #goTo(at, turn) {
    const seen = this.#whenSeen();
    this.#seeking = at;
    const reply = await this.#ask('seek', this.#plain && at !== null ? { at, video: false } : { at, packed: true });
    if (turn !== this.#turn) return false;
    this.#seeking = null;
    if (reply.ok) this.#onSought(at, reply);
    else this.#fault = reply.message || reply.error;
    if (this.#fault !== '') this.#stay();
    // The picture usually comes soon. Reporting both together saves drawing the page twice.
    if (this.#active && this.#fault === '') await seen;
    if (turn !== this.#turn) return false;
    this.#onChange();
    return this.#active && this.#fault === '';
  }

  #onSought(asked, { at, from, to, seek, before = null, after = null }) {
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
    // A new seek ends the stepping.
    for (let left = Math.abs(steps); left > 0 && this.#mayGoOn(turn) && this.#next?.at === undefined; left -= 1) {
      // After playing, the neighbours are unknown: seek to learn them.
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
