/**
 * Puts the tile that fills the screen in focus: the time bar moves into it, and another chosen camera takes its place.
 */
import { leaveFullscreen, markStillness, toggleFullscreen } from '../ui/fullscreen.js';

// Events on the moved elements that must not reach the grid.
const OVER = ['pointerdown', 'pointermove', 'pointerup', 'pointercancel', 'click', 'dblclick', 'contextmenu', 'wheel', 'touchstart', 'touchmove'];

/**
 * @param {import('../grid/grid.js').Grid} grid
 * @param {HTMLElement} foot  Goes to the foot of the picture.
 * @param {HTMLElement[]} others  Elements from elsewhere that would be hidden behind it.
 */
export function setUpLarge(grid, foot, others) {
  const carried = [foot, ...others].map((element) => ({ element, place: element.parentElement, next: element.nextElementSibling }));
  let large = null;
  // Whether one camera is taking another's place; and whether the tile is in focus only while it fills the screen.
  let isTaken = false;
  let isVisit = false;
  const fit = () => large?.style.setProperty('--foot', `${foot.offsetHeight}px`);
  const follow = () => {
    const now = findLarge();
    if (now === large || isTaken) return;
    large = now;
    if (large !== null && grid.focused?.element !== large) {
      isVisit = grid.focused === null;
      grid.focus(grid.tileOf(large));
    } else if (large === null && isVisit) {
      isVisit = false;
      grid.focus(null);
    }
    for (const { element, place, next } of carried) move(element, large ?? place, large === null ? next : null);
    fit();
  };
  document.addEventListener('fullscreenchange', follow);
  addEventListener('resize', follow);
  for (const type of OVER) {
    for (const { element } of carried) element.addEventListener(type, (event) => large !== null && event.stopPropagation(), { passive: true });
  }
  new ResizeObserver(fit).observe(foot);
  grid.addEventListener('focus', async ({ detail: { tile } }) => {
    if (large === null || isTaken || large === tile?.element) return;
    isTaken = true;
    for (let one = large; one !== null && one !== grid.focused?.element; one = findLarge()) await replace(one, grid.focused);
    isTaken = false;
    follow();
  });
  markStillness();
}

// Move an element without losing the keyboard focus.
function move(element, into, before) {
  const active = document.activeElement;
  into.insertBefore(element, before);
  if (element.contains(active)) active.focus({ preventScroll: true });
}

function findLarge() {
  const full = document.fullscreenElement;
  return full?.matches('.tile') ? full : document.querySelector('.tile[data-full-page]');
}

async function replace(large, tile) {
  await leaveFullscreen(large);
  // A browser may allow this only after a click or key.
  if (tile !== null) await toggleFullscreen(tile.element).catch(() => {});
}
