/**
 * What the page knows of the notices of the last day: what the server has kept, and what it tells. No document.
 *
 * @typedef {object} Notice  As the server sends it.
 * @property {'info' | 'warning' | 'error'} level
 * @property {string} message
 * @property {number} at       Unix seconds, by the server's clock.
 * @property {string} [camera] None if it concerns the whole server.
 * @property {string} [by]     Who did it; none for what happened by itself.
 */

export const KEPT_S = 24 * 3600;
const MOST = 2000;

// As the server does it: what says the same but for its numbers, right after, takes the other's place.
const SAME_WITHIN_S = 5;

export class Notices {
  /** @type {Notice[]} by time, oldest first */
  #known = [];

  /** @returns {readonly Notice[]} oldest first */
  get all() {
    return this.#known;
  }

  get newestAt() {
    return this.#known.at(-1)?.at ?? 0;
  }

  /**
   * Take notices that may be known already, as from an answer that crossed with a live one.
   *
   * @param {unknown[]} notices
   * @returns {Notice[]} those that were new
   */
  add(notices) {
    const seen = new Set(this.#known.map(identityOf));
    const fresh = notices.filter((notice) => isNotice(notice) && !seen.has(identityOf(notice)));
    if (fresh.length === 0) return [];
    // Live ones come in order; the sort is for what was asked for.
    const sorted = [...this.#known, ...fresh].sort((one, other) => one.at - other.at);
    this.#known = withoutRepeats(sorted).slice(-MOST);
    return fresh;
  }

  /** Forget what is older than a day. @param {number} nowUnix  By the server's clock. */
  expire(nowUnix) {
    if (this.#known.length > 0 && this.#known[0].at < nowUnix - KEPT_S) {
      this.#known = this.#known.filter(({ at }) => at >= nowUnix - KEPT_S);
    }
  }

  /**
   * @param {{camera?: string | null, level?: string | null}} which  All for null; with a camera of '' what
   *   concerns the whole server.
   * @returns {Notice[]} newest first
   */
  select({ camera = null, level = null } = {}) {
    return this.#known
      .filter((notice) => camera === null || (notice.camera ?? '') === camera)
      .filter((notice) => level === null || notice.level === level)
      .reverse();
  }
}

/**
 * Whether a notice concerns what is on screen.
 *
 * @param {Notice} notice
 * @param {{focused: string | null, inView: (camera: string) => boolean}} screen
 */
export function concerns({ camera }, { focused, inView }) {
  if (camera === undefined) return true;
  return focused === null ? inView(camera) : camera === focused;
}

/**
 * Whether the camera's state says the same, and with it the camera's tile: that it was lost, and why, or is back.
 *
 * @param {Notice} notice
 */
export function isOfState({ camera, by, level }) {
  return camera !== undefined && by === undefined && level !== 'error';
}

function withoutRepeats(notices) {
  const last = new Map();
  const kept = new Set();
  for (const notice of notices) {
    const before = last.get(notice.camera);
    if (before && notice.at - before.at < SAME_WITHIN_S && kindOf(notice) === kindOf(before)) kept.delete(before);
    kept.add(notice);
    last.set(notice.camera, notice);
  }
  return [...kept];
}

function kindOf({ level, message }) {
  return `${level} ${message.replaceAll(/\d+(\.\d+)?/g, '#')}`;
}

function identityOf({ at, camera, message }) {
  return `${at} ${camera ?? ''} ${message}`;
}

function isNotice(value) {
  return typeof value?.message === 'string' && Number.isFinite(value.at);
}
