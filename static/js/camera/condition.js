/**
 * The condition of a camera: the server's state, corrected by what this page observes.
 *
 * @typedef {'connecting' | 'idle' | 'starting' | 'live' | 'past' | 'stalled' | 'retrying' | 'ended' | 'stopped'
 *   | 'gone'} Condition
 */

/** The words for each condition, shown and read aloud. */
export const WORDS = {
  connecting: 'Connecting',
  idle: 'Idle',
  starting: 'Starting',
  live: 'Live',
  // Where there is room, tile.js says when.
  past: 'In the past',
  stalled: 'Stalled',
  retrying: 'Offline, retrying',
  ended: 'Ended',
  stopped: 'Stopped',
  gone: 'Disconnected',
};

/** Conditions that are problems. */
export const TROUBLE = new Set(['stalled', 'retrying', 'gone']);

const RUNNING = new Set(['idle', 'starting', 'live', 'stalled', 'retrying']);

// A shorter gap is jitter, whatever the frame rate.
const MIN_SILENCE_S = 2;
const MAX_MISSED = 3;
// Many cameras' first pictures share the link and a page that is still starting.
const FIRST_PICTURE_S = 8;

/**
 * @param {object} facts
 * @param {string} facts.state          STATE.state as last received.
 * @param {boolean} facts.connected     Whether the server is connected.
 * @param {boolean} facts.past          Whether the picture on the canvas is of the past, by request.
 * @param {boolean} facts.watching      Whether we requested frames.
 * @param {boolean} facts.painted       Whether a picture is on the canvas.
 * @param {number} facts.silenceS       Seconds since the last paint or, if later, since `watch`.
 * @param {number} facts.intervalS      Expected seconds between frames.
 * @returns {Condition}
 */
export function conditionOf({ state, connected, past = false, watching, painted, silenceS, intervalS }) {
  if (!connected) return 'gone';
  if (past) return 'past';
  if (!(state in WORDS)) return 'connecting';
  // We are watching, though the server may not have reported it yet.
  if (state === 'idle' && watching) return 'starting';
  if (state !== 'live' || !watching) return /** @type {Condition} */ (state);
  if (silenceS > Math.max(painted ? MIN_SILENCE_S : FIRST_PICTURE_S, MAX_MISSED * intervalS)) return 'stalled';
  return painted ? 'live' : 'connecting';
}

/** Whether a camera can be stopped, rather than started. @param {string} state  From the server. */
export function isRunning(state) {
  return RUNNING.has(state);
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
