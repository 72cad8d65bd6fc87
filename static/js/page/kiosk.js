/**
 * A page for a screen that nobody sits at: only pictures, and the screen stays awake. The address says what
 * is shown, `?view=kiosk&cameras=door,yard`; kiosk-early.js hides everything else before the first paint.
 */
import { readLink } from './deeplink.js';
import { describeGone, describeMissing } from '../grid/departed.js';
import { setText } from '../ui/dom.js';

const STILL_MS = 3000;
// How long a removed camera is mentioned: the screen is for the others.
const GONE_MS = 10 * 60 * 1000;
const KEYS = new Set(['step', 'fullscreen']);

/** Whether the page is a kiosk. It stays one: another address is another page. */
export const isKiosk = readLink(location.search).kiosk;

/** Whether an action is available in a kiosk. @param {string} action */
export function isKioskAction(action) {
  return KEYS.has(action);
}

/**
 * @param {HTMLElement} note  Names the requested cameras that do not exist.
 * @param {import('../grid/grid.js').Grid} grid
 * @param {import('../grid/arrangement.js').Arrangement} arrangement
 * @param {import('../grid/departed.js').Departed} departed
 */
export function setUpKiosk(note, grid, arrangement, departed) {
  const { cameras, every } = readLink(location.search);
  let gone = [];
  arrangement.limit(cameras);
  const refresh = () => {
    const known = [...grid.tiles.keys()];
    const missing = cameras.filter((name) => !grid.tiles.has(name));
    gone = gone.filter((name) => !grid.tiles.has(name));
    note.hidden = (missing.length === 0 && gone.length === 0) || known.length === 0;
    const texts = [];
    if (missing.length > 0) texts.push(describeMissing(missing));
    if (gone.length > 0) texts.push(describeGone(gone.map((name) => departed.titleOf(name))));
    setText(note.querySelector('[data-kiosk-missing]'), texts.join(' '));
    setText(note.querySelector('[data-kiosk-known]'), `Available: ${known.join(', ')}.`);
    note.toggleAttribute('data-alone', grid.shown.length === 0);
  };
  grid.addEventListener('list', refresh);
  departed.addEventListener('gone', ({ detail: { were } }) => {
    // Cameras requested by name are mentioned anyway, for as long as they are missing.
    gone.push(...were.filter((name) => !cameras.includes(name)));
    refresh();
    setTimeout(() => {
      gone = gone.filter((name) => !were.includes(name));
      refresh();
    }, GONE_MS);
  });
  // Nothing opens: without the bars there would be no way back.
  document.querySelector('[data-tiles]').addEventListener('click', (event) => event.stopPropagation(), { capture: true });
  hidePointer();
  keepAwake();
  if (every > 0) setInterval(() => grid.step(1), every * 1000);
}

function hidePointer() {
  const { documentElement: root } = document;
  let timer = 0;
  const show = () => {
    clearTimeout(timer);
    root.removeAttribute('data-still');
    timer = setTimeout(() => root.toggleAttribute('data-still', true), STILL_MS);
  };
  for (const event of ['pointermove', 'pointerdown', 'keydown']) window.addEventListener(event, show, { passive: true });
  show();
}

// Browsers release the lock whenever the page is hidden.
function keepAwake() {
  if (!('wakeLock' in navigator)) return;
  const request = async () => {
    if (document.visibilityState !== 'visible') return;
    try {
      await navigator.wakeLock.request('screen');
    } catch {
      // The battery is low, or a policy forbids it: the screen may sleep.
    }
  };
  document.addEventListener('visibilitychange', request);
  request();
}
