/**
 * The notices of the last day, both kept and newly sent by the server. Uses no DOM.
 *
 * @typedef {object} Notice  As the server sends it.
 * @property {'info' | 'warning' | 'error'} level
 * @property {string} message
 * @property {number} at       Unix seconds, by the server's clock.
 * @property {string} [camera] Missing if it concerns the whole server.
 * @property {string} [by]     Who did it; missing if nobody did.
 * @property {object} [event]  The event, if it was made from one.
 */
import { withoutNumbers } from '../ui/format.js';

const KEPT_S = 24 * 3600;
const MAX_NOTICES = 2000;

// As on the server: a notice replaces a recent one that differs only in its numbers.
const SAME_WITHIN_S = 5;

// Fewer toasts for repeated events: on a busy street, one for each car would always cover part of the picture.
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
   * Add notices. Some may be known: a live notice can arrive before the answer that contains it.
   *
   * @param {unknown[]} notices
   * @returns {Notice[]} the new ones
   */
  add(notices) {
    const seen = new Set(this.#known.map(identityOf));
    const fresh = notices.filter((notice) => isNotice(notice) && !seen.has(identityOf(notice)));
    if (fresh.length === 0) return [];
    // Live notices arrive in order; requested ones do not.
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
   *   selects notices about the whole server.
   * @returns {Notice[]} newest first
   */
  select({ camera = null, level = null } = {}) {
    return this.#known
      .filter((notice) => camera === null || (notice.camera ?? '') === camera)
      .filter((notice) => level === null || notice.level === level)
      .reverse();
  }
}

/** Remembers which events had a toast: the same event of the same camera gets no other for a while. */
export class RecentToasts {
  #at = new Map();

  /** Whether an event is news, and remember it if so. @param {Notice} notice  Made from the event. */
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
 * Whether the camera's tile says the same: that it went offline and why, or that it is back.
 *
 * @param {Notice} notice
 */
export function repeatsState({ camera, by, level }) {
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
