/**
 * The kiosk: a page for an unattended screen, with only pictures; it keeps the screen awake. The address says what to
 * show, as in `?view=kiosk&cameras=door,yard`; kiosk-early.js hides everything else before the first paint.
 */
import { readLink } from './deeplink.js';
import { describeGone, describeMissing } from '../grid/departed.js';
import { setText } from '../ui/dom.js';
import { markStillness } from '../ui/fullscreen.js';
import { formatWhen } from '../ui/format.js';
import { nowUnix } from '../stream/clock.js';

// How long a removed camera is mentioned: the screen is for the remaining ones.
const GONE_MS = 10 * 60 * 1000;
const KEYS = new Set(['step', 'fullscreen']);

/** Whether the page is a kiosk. It stays one: another address is another page. */
export const isKiosk = readLink(location.search).kiosk;

/** Whether an action is available in a kiosk. @param {string} action */
export function isKioskAction(action) {
  return KEYS.has(action);
}

/**
 * @param {{note: HTMLElement, time: HTMLTimeElement}} parts  The note that names requested cameras that do
 *   not exist, and the clock.
 * @param {import('../grid/grid.js').Grid} grid
 * @param {import('../grid/arrangement.js').Arrangement} arrangement
 * @param {import('../grid/departed.js').Departed} departed
 * @param {import('../stream/clock.js').ClockOffset} clock
 */
export function setUpKiosk({ note, time }, grid, arrangement, departed, clock) {
  const { cameras, rotate, patrol, round, names, clock: hasClock } = readLink(location.search);
  let gone = [];
  arrangement.limit(cameras);
  // The automatic layout has all cameras on one page, with nothing to turn to.
  if ((rotate > 0 || patrol > 0) && round.kind !== 'views') arrangement.show({ layout: '1' });
  if (names !== null) document.documentElement.dataset.names = names ? '1' : '0';
  if (hasClock) showTime(time, clock);
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
  // Nothing opens on a click: without the bars there would be no way back.
  document.querySelector('[data-tiles]').addEventListener('click', (event) => event.stopPropagation(), { capture: true });
  markStillness();
  keepAwake();
}

// By the server's clock, like all times on the page.
function showTime(element, clock) {
  const show = () => {
    const { serverUnix } = clock;
    const { time, iso } = formatWhen(Number.isFinite(serverUnix) ? serverUnix : nowUnix());
    setText(element, time);
    element.dateTime = iso;
  };
  element.hidden = false;
  show();
  setInterval(show, 250);
}

// Browsers release the lock whenever the page is hidden.
function keepAwake() {
  if (!('wakeLock' in navigator)) return;
  const request = async () => {
    if (document.visibilityState !== 'visible') return;
    try {
      await navigator.wakeLock.request('screen');
    } catch {
      // The battery is low, or a policy forbids the lock: the screen may sleep.
    }
  };
  document.addEventListener('visibilitychange', request);
  request();
}
