/**
 * Wires the page together; every other module minds one thing.
 */
import { Announcer } from './ui/announcer.js';
import { Arrangement } from './grid/arrangement.js';
import { Banner } from './ui/banner.js';
import { ClockOffset, SteppedClock, nowUnix } from './stream/clock.js';
import { TROUBLE, WORDS } from './camera/condition.js';
import { Controls } from './camera/controls.js';
import { Grid } from './grid/grid.js';
import { setUpHelp, setUpQuit } from './ui/dialogs.js';
import { closeDrawer } from './ui/drawer.js';
import { isEmbedded, withToken } from './ui/embed.js';
import { plural } from './ui/format.js';
import { leaveFullPage, toggleFullscreen } from './ui/fullscreen.js';
import { Insight } from './insight/insight.js';
import { setUpKeyboard } from './page/keyboard.js';
import { isKiosk, isKioskAction } from './page/kiosk.js';
import { Link } from './bridge/client.js';
import { Mjpeg } from './grid/mjpeg.js';
import { OwnActions } from './insight/own-actions.js';
import { Panel, isRunning } from './camera/panel.js';
import { place } from './bridge/start.js';
import { setUpSkipLink } from './ui/skiplink.js';
import { saveSnapshot } from './camera/snapshot.js';
import { Statusbar } from './page/statusbar.js';
import { setText } from './ui/text.js';
import { setUpTheme } from './page/theme.js';
import { Toasts } from './ui/toasts.js';
import { View } from './page/view.js';
import { exposeForTests } from './page/test-hooks.js';

const REFRESH_MS = 250;
const CLOCK_EVERY_MS = 20000;
const CLOCK_EXCHANGES = 6;
const CLOCK_PAUSE_MS = 60;
const PLAIN_POLL_MS = 2000;

const find = (selector) => document.querySelector(selector);

const link = new Link(await place);
const clock = new ClockOffset();
const stepped = new SteppedClock();
const deckElement = find('[data-deck]');
const arrangement = new Arrangement();
const deck = new Grid(deckElement, find('#tile-template'), link, clock, arrangement);
const panel = new Panel(find('[data-panel]'), setOnCamera);
const controls = new Controls(find('[data-controls]'), tune);
const toasts = new Toasts(find('[data-toasts]'), find('#toast-template'));
const own = new OwnActions();
const insight = new Insight(link, clock, deck, toasts, own);
const banner = new Banner(find('[data-banner]'));
const announcer = new Announcer(find('[data-announcer]'));
const view = new View({ deck, arrangement, link, toasts, announcer });
const statusbar = new Statusbar(find('[data-statusbar]'));
const mjpeg = new Mjpeg();
const openHelp = setUpHelp(find('[data-help]'));
const openQuit = setUpQuit(find('[data-quit]'), quitServer);

let role = 'viewer';
// Whether this page is somebody's; false also where it has never been connected.
let named = find('[data-account]') !== null;
let quitting = false;
let plainTimer = 0;
let exchanges = 0;

setUpTheme(find('[data-theme-toggle]'));
setUpSkipLink(find('.skip-link'));
setUpKeyboard(perform);
find('[data-open-help]').addEventListener('click', openHelp);
find('[data-open-quit]').addEventListener('click', openQuit);
panel.addEventListener('act', ({ detail }) => perform(detail));
deck.addEventListener('focus', ({ detail }) => {
  panel.show(detail.tile);
  controls.show(detail.tile);
  showSummary();
});
deck.addEventListener('list', showSummary);
deck.addEventListener('condition', ({ detail: { tile, condition } }) => {
  announcer.say(tile.title, WORDS[condition]);
  showSummary();
  if (tile === deck.focused) panel.refresh();
});
listen();
link.connect();
// After the page was kept busy, the reports of what was painted meanwhile are in line before this; without
// the detour the tiles would be called stalled until they are heard.
setInterval(() => setTimeout(refresh), REFRESH_MS);
setInterval(measureClock, CLOCK_EVERY_MS);
exposeForTests(deck);

function listen() {
  link.addEventListener('hello', ({ detail }) => onHello(detail));
  link.addEventListener('viewer', ({ detail }) => deck.tiles.get(detail.camera)?.viewer.take(detail));
  link.addEventListener('camera', ({ detail }) => onCamera(detail));
  link.addEventListener('stats', ({ detail }) => {
    if (stepped.take(detail.at, nowUnix(), clock)) clock.doubt();
    panel.setStats(detail.cameras ?? {});
    statusbar.setProcess(detail.process);
  });
  link.addEventListener('down', ({ detail }) => onDown(detail));
  link.addEventListener('refused', ({ detail }) => onRefused(detail));
  link.addEventListener('blocked', onBlocked);
  clock.addEventListener('doubt', measureClock);
}

function onHello({ role: newRole, user = null, cameras }) {
  role = newRole;
  named = user !== null;
  own.greet(user);
  quitting = false;
  leavePlain();
  banner.hide();
  deck.sync(cameras);
  deck.setConnected(true);
  showConnection('live', role === 'operator' ? 'Connected' : 'Connected, viewing only');
  showPhase(cameras.length);
  measureClock();
}

function onCamera(state) {
  deck.update(state);
  showPhase(deck.tiles.size);
  showSummary();
  if (deck.focused?.name === state.name) panel.refresh();
  if (deck.focused?.name === state.name) controls.refresh();
}

function onRefused({ message, code }) {
  if (code === 'unauthorized' && !isEmbedded) goToLogin();
  else banner.show('refused', message);
}

/** Logged out, here or elsewhere, the user was changed, or there are users now: only logging in helps. */
function goToLogin() {
  const query = new URLSearchParams(location.search);
  query.set('why', named ? 'ended' : 'users');
  location.assign(`login?${query.toString().replaceAll('%2C', ',')}`);
}

function onDown({ reason }) {
  leavePlain();
  deck.setConnected(false);
  statusbar.setProcess(null);
  showConnection('gone', 'Server gone');
  if (quitting) banner.show('quit');
  else banner.show(reason === 'unreachable' && deck.tiles.size === 0 ? 'unreachable' : 'gone');
}

/** HTTP works, WebSocket does not: pictures by MJPEG, states by asking for them. */
async function onBlocked() {
  banner.show('blocked');
  showConnection('stalled', 'Without WebSocket');
  clearTimeout(plainTimer);
  const states = await fetchCameras();
  if (link.connected) return;
  if (states !== null) {
    deck.sync(states);
    showPhase(states.length);
    mjpeg.show(deck.tiles);
  }
  plainTimer = setTimeout(onBlocked, PLAIN_POLL_MS);
}

function leavePlain() {
  clearTimeout(plainTimer);
  mjpeg.hide();
}

async function fetchCameras() {
  try {
    const response = await fetch(withToken('api/cameras'), { cache: 'no-store' });
    if (response.status === 401 && !isEmbedded) goToLogin();
    const body = await response.json();
    return Array.isArray(body) ? body : (body.cameras ?? null);
  } catch {
    return null;
  }
}

/** @param {import('./page/keymap.js').KeyAction} act  @returns {boolean} whether there was something to do */
function perform(act) {
  if (isKiosk && !isKioskAction(act.action)) return false;
  const tile = isKiosk ? { element: document.documentElement } : deck.target;
  switch (act.action) {
    case 'focus':
      return deck.focusAt(act.index);
    case 'move':
      return view.perform({ action: 'pan', by: act.by }) || deck.move(act.by);
    case 'unfocus':
      if (view.perform({ action: 'close' })) return true;
      if (leaveFullPage(tile?.element) || closeDrawer()) return true;
      deck.focus(null);
      return true;
    case 'help':
      openHelp();
      return true;
    case 'system':
    case 'timeline':
      return insight.toggle(act.action);
    case 'toggle':
      if (deck.focused) toggleCamera(deck.focused);
      return deck.focused !== null;
    case 'snapshot':
      if (tile?.hasPicture) snapshot(tile);
      return tile?.hasPicture === true;
    case 'fullscreen':
      if (tile) toggleFullscreen(tile.element).catch((error) => toasts.show(error.message, 'warning'));
      return tile !== null;
    default:
      return view.perform(act);
  }
}

async function toggleCamera(tile) {
  await command(isRunning(tile.state.state) ? 'stop' : 'start', { camera: tile.name });
}

function setOnCamera(event, camera, value) {
  return command(event, { camera, [event]: value });
}

/** Set a control; show the truth that comes back. Why not is told at the control. */
async function tune(event, payload) {
  const reply = await ask(event, payload);
  if (reply.ok) onCamera(reply.camera);
  return reply;
}

/** Send what an operator wants; show the truth that comes back, or why not. */
async function command(event, payload) {
  const reply = await ask(event, payload);
  if (!reply.ok) toasts.show(`Not done: ${reply.message || reply.error}`, 'error');
  else if (reply.camera) onCamera(reply.camera);
  return reply;
}

async function ask(event, payload) {
  own.note(payload.camera);
  const reply = await link.request(event, payload);
  own.note(payload.camera);
  return reply;
}

async function snapshot(tile) {
  const name = await saveSnapshot(tile);
  if (name === null) toasts.show(`${tile.title} has no picture to save yet.`, 'warning');
  else toasts.show(`Saved ${name}`);
}

async function quitServer() {
  quitting = true;
  const reply = await command('quit', {});
  if (!reply.ok) quitting = false;
}

async function measureClock() {
  const running = exchanges > 0;
  exchanges = CLOCK_EXCHANGES;
  if (running) return;
  for (; exchanges > 0 && link.connected; exchanges -= 1) {
    const times = await link.clock();
    if (times !== null) clock.add(times);
    await new Promise((resolve) => setTimeout(resolve, CLOCK_PAUSE_MS));
  }
  exchanges = 0;
}

function refresh() {
  deck.refresh();
  panel.refresh();
  const { connected } = link;
  const viewers = [...deck.tiles.values()].map((tile) => tile.viewer);
  statusbar.refresh({
    bytesPerSecond: connected ? viewers.reduce((sum, viewer) => sum + viewer.bytesPerSecond, 0) : NaN,
    roundTripS: connected ? clock.roundTrip : NaN,
  });
}

function showPhase(cameras) {
  deckElement.dataset.phase = cameras > 0 ? 'ready' : 'empty';
  find('[data-empty]').hidden = cameras > 0;
  find('[data-skeletons]').hidden = true;
}

function showConnection(state, word) {
  const element = find('[data-link-state]');
  element.dataset.lamp = state;
  setText(element.querySelector('[data-link-word]'), word);
  find('[data-open-quit]').hidden = role !== 'operator' || !link.connected;
  panel.setAccess({ role, connected: link.connected });
  controls.setAccess({ role, connected: link.connected });
}

function showSummary() {
  const tiles = [...deck.tiles.values()];
  const troubled = tiles.filter(({ condition }) => TROUBLE.has(condition));
  const stopped = tiles.filter(({ condition }) => condition === 'stopped' || condition === 'ended').length;
  const summary = find('[data-summary]');
  setText(summary, summarize(tiles.length, link.connected ? troubled : [], stopped));
  summary.title = summary.textContent;
  const trouble = troubled.length;
  const subject = deck.focused ? `${deck.focused.title} – Porthole` : 'Porthole';
  document.title = trouble > 0 ? `(${trouble}) ${subject}` : subject;
}

// What rests because nobody sees it here is in order, so how many are live would say little.
function summarize(count, troubled, stopped) {
  if (count === 0) return '';
  if (troubled.length > 0) {
    // Those on other pages too, so which and why stands here.
    const each = troubled.map(({ title, reason }) => `${title}, ${reason}`).join('; ');
    return `${troubled.length} of ${count} in trouble: ${each}`;
  }
  return stopped > 0 ? `${stopped} of ${count} stopped` : plural(count, 'camera');
}
