/** Events of the cameras as entries of the activity. */
import { formatLabel } from '../ui/format.js';

const DAY_S = 24 * 3600;
const LIMIT = 200;
// Notices tell these, and why.
const TOLD = new Set(['offline', 'online']);

/**
 * An event as a notice; null if a notice tells it anyway.
 *
 * @param {{id: string | number, camera: string, label: string, from: number, picture: unknown}} event
 * @param {string} title  Of its camera.
 * @returns {import('./notices.js').Notice | null}
 */
export function noticeOf(event, title) {
  if (TOLD.has(event.label)) return null;
  return { level: 'info', message: `${formatLabel(event.label)}: ${title}`, at: event.from, camera: event.camera, event };
}

/**
 * Ask for the newest events of the last day; none if there is no answer.
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
