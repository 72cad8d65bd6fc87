/** What the library says and offers while it has nothing to show. Uses no DOM. */

const LIST = new Intl.ListFormat('en');
const MAX_NAMED = 4;

/**
 * @typedef {{title: string, text: string, acts: {act: string, word: string, accent?: boolean}[]}} Empty
 *
 * @param {object} now
 * @param {string} now.state        The store's.
 * @param {string} now.message
 * @param {number} now.cards
 * @param {boolean} now.filtered    Whether a filter is set.
 * @param {boolean} now.recorded    Whether anything is recorded on this day.
 * @param {boolean} now.missing     Whether a node did not answer.
 * @param {boolean} now.anything    Whether anything is kept at all, as far as is known.
 * @param {boolean} now.records     Whether any camera is set to be recorded.
 * @param {number} now.cameras      Their number.
 * @param {boolean} now.mayChange
 * @param {string} now.dayName
 * @param {boolean} now.isToday
 * @returns {Empty | null} null if there is something to show, or it is not known yet
 */
export function describeEmpty({ state, message, cards, filtered, recorded, missing, anything, records, cameras, mayChange, dayName, isToday }) {
  if (state === 'loading' || cards > 0) return null;
  if (state === 'forbidden') return say('No access', message || 'You may not see recordings.');
  if (state === 'failed') return say('The library could not be loaded', message, [{ act: 'retry', word: 'Try again' }]);
  if (filtered) return say('No matching events', `No event on ${dayName} matches the filters.`, [{ act: 'all', word: 'Show everything' }]);
  if (missing) return say('Nothing to show yet', 'A node does not answer. Its recordings and events appear here when it does.');
  if (!anything && !records) return sayHow(cameras, mayChange);
  if (recorded) return say('No events', `Nothing happened on ${dayName}. Pick a moment in the timeline to see what was recorded.`);
  if (isToday && records) return say('Nothing yet today', 'Events and recordings appear here automatically.');
  return say('Nothing on this day', `Nothing was recorded on ${dayName}, and nothing happened.`);
}

function sayHow(cameras, mayChange) {
  const title = 'Nothing is recorded yet';
  if (cameras === 0) return say(title, 'There is no camera to record.');
  if (!mayChange) return say(title, 'Recording is off. An operator can switch it on in a camera’s panel.');
  const acts = [
    { act: 'record-motion', word: cameras === 1 ? 'Record motion' : 'Record motion on all cameras', accent: true },
    { act: 'record-always', word: 'Always record' },
  ];
  return say(title, 'Recordings appear here, and old ones are deleted automatically. Each camera has this switch in its panel, too.', acts);
}

function say(title, text, acts = []) {
  return { title, text, acts };
}

/**
 * The line above everything that says what is wrong; empty if all is well.
 *
 * @param {string} paused  Why nothing can be recorded; empty if it can.
 * @param {boolean} connected
 * @param {import('./data.js').Missing[]} missing
 * @param {(camera: string) => string} titleOf
 */
export function noteOf(paused, connected, missing, titleOf) {
  if (!connected) return 'Disconnected. This list was loaded earlier; recordings play again once the server is back.';
  const notes = missing.map(({ node, cameras }) => `The node ${node} does not answer: its recordings of ${listOf(cameras.map(titleOf))} are not shown.`);
  if (paused) notes.push(`Recording is paused: ${paused}. It resumes automatically; unlock or delete what is no longer needed.`);
  return notes.join(' ');
}

function listOf(titles) {
  return titles.length > MAX_NAMED ? `${titles.length} cameras` : LIST.format(titles);
}
