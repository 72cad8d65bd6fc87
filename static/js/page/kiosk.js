/**
 * A page for a screen that nobody sits at: nothing but pictures, awake for as long as it is open. What is
 * shown is in the address, `?view=kiosk&cameras=door,yard`; kiosk-early.js hides the rest before the first
 * paint.
 */
import { readLink } from './deeplink.js';
import { sayGone, sayMissing } from '../grid/departed.js';
import { setText } from '../ui/text.js';

const STILL_MS = 3000;
// How long it is said of a camera that it went: the screen is there for the others.
const GONE_MS = 10 * 60 * 1000;
const KEYS = new Set(['step', 'fullscreen']);

/** The page is a kiosk, for good: another address is another page. */
export const isKiosk = readLink(location.search).kiosk;

/** Whether a key does in a kiosk what it does elsewhere. @param {string} action */
export function isKioskAction(action) {
  return KEYS.has(action);
}

/**
 * @param {HTMLElement} note  Says what is asked for and not there.
 * @param {import('../grid/grid.js').Grid} deck
 * @param {import('../grid/arrangement.js').Arrangement} arrangement
 * @param {import('../grid/departed.js').Departed} departed
 */
export function setUpKiosk(note, deck, arrangement, departed) {
  const { cameras, every } = readLink(location.search);
  let gone = [];
  arrangement.limit(cameras);
  const tell = () => {
    const known = [...deck.tiles.keys()];
    const missing = cameras.filter((name) => !deck.tiles.has(name));
    gone = gone.filter((name) => !deck.tiles.has(name));
    note.hidden = (missing.length === 0 && gone.length === 0) || known.length === 0;
    const text = [missing.length > 0 && sayMissing(missing), gone.length > 0 && sayGone(gone)].filter(Boolean).join(' ');
    setText(note.querySelector('[data-kiosk-missing]'), text);
    setText(note.querySelector('[data-kiosk-known]'), `Cameras here: ${known.join(', ')}.`);
    note.toggleAttribute('data-alone', deck.shown.length === 0);
  };
  deck.addEventListener('list', tell);
  departed.addEventListener('gone', ({ detail: { were } }) => {
    // Those that are asked for by name are told of anyhow, and for as long as they are missing.
    gone.push(...were.filter((name) => !cameras.includes(name)));
    tell();
    setTimeout(() => {
      gone = gone.filter((name) => !were.includes(name));
      tell();
    }, GONE_MS);
  });
  // Nothing opens: there would be no way back without the bars.
  document.querySelector('[data-tiles]').addEventListener('click', (event) => event.stopPropagation(), { capture: true });
  hidePointer();
  stayAwake();
  if (every > 0) setInterval(() => deck.step(1), every * 1000);
}

function hidePointer() {
  const { documentElement: root } = document;
  let timer = 0;
  const seen = () => {
    clearTimeout(timer);
    root.removeAttribute('data-still');
    timer = setTimeout(() => root.toggleAttribute('data-still', true), STILL_MS);
  };
  for (const event of ['pointermove', 'pointerdown', 'keydown']) window.addEventListener(event, seen, { passive: true });
  seen();
}

// Browsers give the lock back whenever the page is hidden.
function stayAwake() {
  if (!('wakeLock' in navigator)) return;
  const ask = async () => {
    if (document.visibilityState !== 'visible') return;
    try {
      await navigator.wakeLock.request('screen');
    } catch {
      // A low battery, or a policy: then the screen may sleep.
    }
  };
  document.addEventListener('visibilitychange', ask);
  ask();
}
