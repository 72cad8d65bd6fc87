/** What is wrong with a picture although it arrives: the badge on its tile. */
import { TROUBLE, WORDS } from '../camera/condition.js';
import { describeProcessing, failingProcessors } from '../camera/processing.js';

/** Why an automatic size is smaller than its place: the badge, and what it means. A late server is told by System. */
const SMALL = {
  network: ['Slow link', 'The link is too narrow for a larger picture'],
  decoding: ['Slow browser', 'This browser cannot paint a larger picture in time'],
};

/**
 * @param {import('../camera/condition.js').Condition} condition
 * @param {import('./tile.js').CameraState} state
 * @param {string} reason  Why the picture has its size.
 * @returns {{word: string, text: string, detail: string} | null}  `word` names no address and no code; `text` has
 *   room for a line or two, `detail` for everything; null if all is well.
 */
export function troubleOf(condition, { state, reason: why, process }, reason) {
  // What is seen is the past; what the camera does meanwhile is told here.
  if (condition === 'past' && TROUBLE.has(state)) {
    return { word: WORDS[state], text: WORDS[state], detail: `Now: ${WORDS[state]}${why ? `, ${why}` : ''}` };
  }
  const failing = failingProcessors(process);
  if (failing.length > 0) {
    const more = failing.length > 1 ? ` (and ${failing.length - 1} more)` : '';
    const detail = failing.map(describeProcessing).join('\n');
    return { word: 'Processor failing', text: describeProcessing(failing[0]) + more, detail };
  }
  if (condition !== 'live' || !Object.hasOwn(SMALL, reason)) return null;
  const [word, detail] = SMALL[reason];
  return { word, text: word, detail };
}
