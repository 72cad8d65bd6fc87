/**
 * What a tile says about its camera: the server's word, corrected by what this page can see for itself.
 *
 * @typedef {'connecting' | 'idle' | 'starting' | 'live' | 'stalled' | 'retrying' | 'ended' | 'stopped'
 *   | 'gone'} Condition
 */

/** The words for each condition, as shown and as read aloud. */
export const WORDS = {
  connecting: 'Connecting',
  idle: 'Idle',
  starting: 'Starting',
  live: 'Live',
  stalled: 'Stalled',
  retrying: 'Retrying',
  ended: 'Ended',
  stopped: 'Stopped',
  gone: 'Server gone',
};

/** Conditions in which a person may want to look at the camera. */
export const TROUBLE = new Set(['stalled', 'retrying', 'gone']);

// Below this a gap is jitter, whatever the frame rate.
const MIN_SILENCE_S = 2;
const MAX_MISSED = 3;

/**
 * @param {object} facts
 * @param {string} facts.state          STATE.state as the server last said.
 * @param {boolean} facts.connected     The server is there.
 * @param {boolean} facts.watching      We asked for frames.
 * @param {boolean} facts.painted       A picture is on the canvas.
 * @param {number} facts.silenceS       Seconds since the last paint or, if later, since `watch`.
 * @param {number} facts.intervalS      Expected seconds between frames.
 * @returns {Condition}
 */
export function conditionOf({ state, connected, watching, painted, silenceS, intervalS }) {
  if (!connected) return 'gone';
  if (!(state in WORDS)) return 'connecting';
  // The server has not heard of it yet, or not said so: "nobody is watching" is not for who does.
  if (state === 'idle' && watching) return 'starting';
  if (state !== 'live' || !watching) return /** @type {Condition} */ (state);
  if (silenceS > Math.max(MIN_SILENCE_S, MAX_MISSED * intervalS)) return 'stalled';
  return painted ? 'live' : 'connecting';
}

/**
 * Seconds between two frames, from the camera's settings.
 *
 * @param {{fps?: number | null, source_fps?: number | null}} state
 */
export function frameInterval({ fps, source_fps: sourceFps }) {
  const slowest = Math.min(fps > 0 ? fps : Infinity, sourceFps > 0 ? sourceFps : Infinity);
  return Number.isFinite(slowest) ? 1 / slowest : 0;
}
