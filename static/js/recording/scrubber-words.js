/** What the time bar says of itself, and whether it can be used. Uses no document. */
import { formatAge, formatWhen } from '../ui/format.js';

// What is kept moves on meanwhile, and times are rounded.
const NEAR_S = 0.05;
const LEAST_FORGOTTEN_S = 1;

const WITHOUT = {
  retrying: 'This camera is offline', stalled: 'This camera sends no pictures', stopped: 'This camera is stopped',
  ended: 'This camera has ended',
};
const WORDS = { retrying: 'Offline', stalled: 'No picture', stopped: 'Stopped', ended: 'Ended', gone: 'Disconnected', idle: 'Idle' };
const REFUSALS = { 401: 'You have been logged out.', 403: 'You may not look back at this camera.', 404: 'You may not look back at this camera.' };

/**
 * @typedef {object} Facts
 * @property {boolean} connected    To the server.
 * @property {string} condition     Of the camera; see camera/condition.js.
 * @property {number | null} status What the server answered with when it was asked what is remembered; null before that.
 * @property {import('../ui/timescale.js').Span | null} kept  What is remembered.
 * @property {boolean} goesOn       It ends now.
 * @property {number | null} at     The moment that is shown; null for live.
 * @property {import('../stream/past.js').PastReport} past
 * @property {boolean} video        The picture that is shown came as video.
 * @property {boolean} off          Nothing is ever remembered.
 *
 * @param {Facts} facts
 * @returns {{state: 'live' | 'now' | 'past' | 'loading' | 'empty' | 'gone', word: string, note: string}}  `now` is without
 *   a picture of it. In the last three there is nothing to look at.
 */
export function describeBar(facts) {
  const { connected, condition, at, kept, goesOn } = facts;
  if (!connected) return { state: 'gone', word: WORDS.gone, note: 'The past can be seen again once the server is connected.' };
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
  if (off) return empty('The past of this camera is not remembered.');
  if (status === null) return { state: 'loading', word, note: '' };
  if (status in REFUSALS) return empty(REFUSALS[status]);
  if (status !== 200) return empty('What is remembered of this camera cannot be asked for now.');
  const why = WITHOUT[condition];
  return empty(why ? `${why}, and nothing of it is remembered.` : 'Nothing is remembered yet.');
}

function noteOfPast({ at, kept, past, video }) {
  const { fault, short, span, speed } = past;
  if (fault) return fault;
  if (short && span !== null) return `Only ${formatAge(span.to - span.from)} of this camera are remembered.`;
  if (speed < 0) return video ? 'Backwards, only key pictures are shown.' : '';
  if (speed > 0 || kept === null) return '';
  if (at < kept.from - LEAST_FORGOTTEN_S) return 'Only this picture is left of that time.';
  return at <= kept.from + NEAR_S ? 'This is the oldest picture.' : '';
}
