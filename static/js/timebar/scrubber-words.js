/** The time bar's texts, and whether it can be used. Uses no DOM. */
import { formatAge, formatWhen } from '../ui/format.js';

// Tolerance: the oldest picture moves on meanwhile, and times are rounded.
const NEAR_S = 0.05;
const MIN_FORGOTTEN_S = 1;

const WITHOUT = {
  retrying: 'This camera is offline', stalled: 'This camera sends no pictures', stopped: 'This camera is stopped',
  ended: 'This camera has ended',
};
const WORDS = { retrying: 'Offline', stalled: 'No picture', stopped: 'Stopped', ended: 'Ended', gone: 'Disconnected', idle: 'Idle' };
const REFUSALS = { 401: 'You have been logged out.', 403: 'You may not look back at this camera.', 404: 'You may not look back at this camera.' };

/**
 * @typedef {object} Facts
 * @property {boolean} connected    Whether the server is connected.
 * @property {string} condition     The camera's; see camera/condition.js.
 * @property {number | null} status HTTP status of the answer about what is kept; null before it.
 * @property {import('../ui/timescale.js').Span | null} kept  What the server keeps.
 * @property {boolean} goesOn       Whether `kept` reaches up to now.
 * @property {number | null} at     The shown moment; null for live.
 * @property {import('../stream/past-requests.js').PastReport} past
 * @property {boolean} video        Whether the shown picture came as video.
 * @property {boolean} off          Whether the rewind is off for this camera.
 *
 * @param {Facts} facts
 * @returns {{state: 'live' | 'now' | 'past' | 'loading' | 'empty' | 'gone', word: string, note: string}}  `now` is not the
 *   past, but not live either. In the last three states there is nothing to see.
 */
export function describeBar(facts) {
  const { connected, condition, at, kept, goesOn } = facts;
  if (!connected) return { state: 'gone', word: WORDS.gone, note: 'You can look back again once the page has reconnected.' };
  if (kept === null && at === null) return describeNothing(facts);
  if (at !== null) return { state: 'past', word: '', note: noteOfPast(facts) };
  const note = facts.past.fault || (goesOn ? '' : `Nothing since ${formatWhen(kept.to).time}.`);
  const live = condition === 'live';
  return { state: live ? 'live' : 'now', word: live ? 'Live' : (WORDS[condition] ?? 'Now'), note };
}

function describeNothing({ condition, status, past, off }) {
  const word = WORDS[condition] ?? '';
  const empty = (note) => ({ state: 'empty', word, note });
  if (past.fault) return empty(past.fault);
  if (off) return empty('Looking back is off for this camera.');
  if (status === null) return { state: 'loading', word, note: '' };
  if (status in REFUSALS) return empty(REFUSALS[status]);
  if (status !== 200) return empty('The past of this camera could not be loaded.');
  const why = WITHOUT[condition];
  return empty(why ? `${why}, and no pictures of it are kept.` : 'Nothing is kept yet.');
}

function noteOfPast({ at, kept, past, video }) {
  const { fault, short, span, speed } = past;
  if (fault) return fault;
  if (short && span !== null) return `Only the last ${formatAge(span.to - span.from)} of this camera are kept.`;
  if (speed < 0) return video ? 'Playing backwards shows key frames only.' : '';
  if (speed > 0 || kept === null) return '';
  if (at < kept.from - MIN_FORGOTTEN_S) return 'This is the only picture still kept from that time.';
  return at <= kept.from + NEAR_S ? 'This is the oldest picture.' : '';
}
