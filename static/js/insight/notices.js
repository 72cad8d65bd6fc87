/**
 * The notices of the last day: those the server kept, and those it sends. Uses no document.
 *
 * @typedef {object} Notice  As the server sends it.
 * @property {'info' | 'warning' | 'error'} level
 * @property {string} message
 * @property {number} at       Unix seconds, by the server's clock.
 * @property {string} [camera] None if it concerns the whole server.
 * @property {string} [by]     Who did it; none if it happened by itself.
 * @property {object} [event]  The event that it is about, if it is none of the server's notices.
 */
import { withoutNumbers } from '../ui/format.js';

const KEPT_S = 24 * 3600;
const MAX_NOTICES = 2000;

// As on the server: a notice that soon follows an equal one, except for its numbers, replaces it.
const SAME_WITHIN_S = 5;

// A street is busy all day: a toast for each car would always cover a part of the picture.
const QUIET_S = 300;

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
   * Add notices, some of which may be known: an answer can cross with a live notice.
   *
   * @param {unknown[]} notices
   * @returns {Notice[]} the new ones
   */
  add(notices) {
    const seen = new Set(this.#known.map(identityOf));
    const fresh = notices.filter((notice) => isNotice(notice) && !seen.has(identityOf(notice)));
    if (fresh.length === 0) return [];
    // Live ones arrive in order; those that were requested do not.
    const sorted = [...this.#known, ...fresh].sort((one, other) => one.at - other.at);
    this.#known = withoutRepeats(sorted).slice(-MAX_NOTICES);
    return fresh;
  }

  /** Remove notices older than a day. @param {number} nowUnix  By the server's clock. */
  expire(nowUnix) {
    if (this.#known.length > 0 && this.#known[0].at < nowUnix - KEPT_S) {
      this.#known = this.#known.filter(({ at }) => at >= nowUnix - KEPT_S);
    }
  }

  /**
   * @param {{camera?: string | null, level?: string | null}} which  Null selects all; the camera ''
   *   selects what concerns the whole server.
   * @returns {Notice[]} newest first
   */
  select({ camera = null, level = null } = {}) {
    return this.#known
      .filter((notice) => camera === null || (notice.camera ?? '') === camera)
      .filter((notice) => level === null || notice.level === level)
      .reverse();
  }
}

/** What toasts have told of events: the same of the same camera is no news for a while. */
export class Told {
  #at = new Map();

  /** Whether an event is news; then it is told now. @param {Notice} notice  Of the event. */
  isNews({ message, at }) {
    const isNews = !(Math.abs(at - this.#at.get(message)) < QUIET_S);
    if (isNews) this.#at.set(message, at);
    return isNews;
  }
}

/**
 * Whether a notice is about something on the screen.
 *
 * @param {Notice} notice
 * @param {{focused: string | null, inView: (camera: string) => boolean}} screen
 */
export function concerns({ camera }, { focused, inView }) {
  if (camera === undefined) return true;
  return focused === null ? inView(camera) : camera === focused;
}

/**
 * Whether the camera's tile says the same: that it went offline, and why, or is back online.
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
  return `${level} ${withoutNumbers(message)}`;
}

function identityOf({ at, camera, message }) {
  return `${at} ${camera ?? ''} ${message}`;
}

function isNotice(value) {
  return typeof value?.message === 'string' && Number.isFinite(value.at);
}
