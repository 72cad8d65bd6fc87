/** The badge on a tile: what is wrong with the picture although it arrives. */
import { TROUBLE, WORDS } from '../camera/condition.js';
import { describeProcessing, failingProcessors } from '../camera/processing.js';

/** Badge and meaning for an automatic size that is smaller than the tile. System reports a late server. */
const SMALL = {
  network: ['Slow link', 'The link is too slow for a larger picture'],
  decoding: ['Slow browser', 'This browser cannot paint a larger picture in time'],
};

/**
 * @param {import('../camera/condition.js').Condition} condition
 * @param {import('./tile.js').CameraState} state
 * @param {string} reason  Why the picture has this size.
 * @returns {{word: string, text: string, detail: string} | null}  `word` contains no address or code; `text` is
 *   a line or two, `detail` everything; null if all is well.
 */
export function badgeOf(condition, { state, reason: why, process }, reason) {
  // The tile shows the past, so report here what is wrong with the camera now.
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
