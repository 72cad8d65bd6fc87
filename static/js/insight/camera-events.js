/** Turns cameras' events into entries of the activity. */
import { formatLabel } from '../ui/format.js';

const DAY_S = 24 * 3600;
const LIMIT = 200;
// Notices report these, with the reason.
const TOLD = new Set(['offline', 'online']);

/**
 * Return an event as a notice; null if a notice reports it anyway.
 *
 * @param {{id: string | number, camera: string, label: string, from: number, picture: unknown}} event
 * @param {string} title  Its camera's title.
 * @returns {import('./notices.js').Notice | null}
 */
export function noticeOf(event, title) {
  if (TOLD.has(event.label)) return null;
  return { level: 'info', message: `${formatLabel(event.label)}: ${title}`, at: event.from, camera: event.camera, event };
}

/**
 * Load the newest events of the last day; empty if that fails.
 *
 * @param {number} nowUnix
 * @returns {Promise<object[]>}
 */
export async function loadEvents(nowUnix) {
  try {
    const response = await fetch(`api/events?since=${Math.floor(nowUnix - DAY_S)}&limit=${LIMIT}`, { cache: 'no-store' });
    return response.ok ? (await response.json()).events : [];
  } catch {
    return [];
  }
}
