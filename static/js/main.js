/** Wires the page together; every other module does one thing. */
// First, because it starts the worker.
import { channel } from './bridge/start.js';
import { mayControl } from './bridge/access.js';
import { BackendClient } from './bridge/client.js';
import { ClockSync } from './bridge/clock-sync.js';
import { isEmbedded } from './bridge/embed.js';
import { PlainPoller } from './bridge/plain.js';
import { VideoSwitch } from './bridge/video-switch.js';
import { WORDS } from './camera/condition.js';
import { Controls } from './camera/controls.js';
import { Panel } from './camera/panel.js';
import { Arrangement } from './grid/arrangement.js';
import { Grid } from './grid/grid.js';
import { Mjpeg } from './grid/mjpeg.js';
import { Insight } from './insight/insight.js';
import { OwnActions } from './insight/own-actions.js';
import { linkTo } from './library/data.js';
import { Library } from './library/library.js';
import { RecordPanel, showRecording } from './library/record.js';
import { ManageAccess, setUpOffer } from './manage/access.js';
import { ManageCameras } from './manage/cameras.js';
import { Manage } from './manage/manage.js';
import { setUpOwnPassword } from './manage/own-password.js';
import { ManagePeople } from './manage/people.js';
import { Actions } from './page/actions.js';
import { Commands } from './page/commands.js';
import { setUpKeyboard } from './page/keyboard.js';
import { isKiosk } from './page/kiosk.js';
import { setUpLarge } from './page/large.js';
import { setUpSkipLink } from './page/skiplink.js';
import { Summary } from './page/summary.js';
import { exposeForTests } from './page/test-hooks.js';
import { setUpTheme } from './page/theme.js';
import { View } from './page/view.js';
import { ClockOffset, SteppedClock, nowUnix } from './stream/clock.js';
import { Clips } from './timebar/clip.js';
import { MotionPanel } from './timebar/motion.js';
import { PastControl } from './timebar/past-control.js';
import { PastPill } from './timebar/past-pill.js';
import { Scrubber } from './timebar/scrubber.js';
import { Announcer } from './ui/announcer.js';
import { Banner } from './ui/banner.js';
import { focusAfterDialogs, setUpHelp, setUpQuit } from './ui/dialogs.js';
import { setText } from './ui/dom.js';
import { closeMenu } from './ui/menu.js';
import { Toasts } from './ui/toasts.js';
import { SavedViews } from './views/saved.js';
import { Views } from './views/views.js';

const REFRESH_MS = 250;

const find = (selector) => document.querySelector(selector);

const backend = new BackendClient(await channel);
const clock = new ClockOffset();
const steppedClock = new SteppedClock();
const clockSync = new ClockSync(backend, clock);
const gridElement = find('[data-grid]');
const arrangement = new Arrangement();
const grid = new Grid(gridElement, find('#tile-template'), backend, clock, arrangement, isKiosk);
const toasts = new Toasts(find('[data-toasts]'), find('#toast-template'));
const own = new OwnActions();
const commands = new Commands(backend, own, toasts, onCamera);
const setForAll = (event, camera, value) => commands.send(event, { camera, [event]: value });
const panel = new Panel(find('[data-panel]'), new VideoSwitch(find('[data-video-choice]'), backend), setForAll);
const controls = new Controls(find('[data-controls]'), (event, payload) => commands.tune(event, payload));
const insight = new Insight({ backend, clock, grid, toasts, own, isKiosk, showEvent: (event) => library.show(linkTo(event)) });
const recordPanel = new RecordPanel(find('[data-record]'), (event, payload) => commands.send(event, payload));
const past = new PastControl(grid, clock);
const pastPill = new PastPill(find('[data-past-pill]'), past);
const clips = new Clips(find('[data-clips]'), find('#clip-template'), toasts, {
  titleOf: (camera) => grid.tiles.get(camera)?.title ?? camera,
  sendsVideo: (camera) => grid.tiles.get(camera)?.state.video?.passed_through === true,
});
const scrubber = new Scrubber(find('[data-scrubber]'), past, (camera, from, to) => clips.save(camera, from, to));
const motion = new MotionPanel(find('[data-motion]'), find('#zones-template'), (payload) => commands.tune('motion', payload));
const banner = new Banner(find('[data-banner]'));
const announcer = new Announcer(find('[data-announcer]'));
const saved = new SavedViews(JSON.parse(find('[data-switcher]').dataset.views));
const start = isKiosk ? null : (saved.default?.query ?? null);
const view = new View({ grid, arrangement, backend, toasts, announcer, clock, start });
const views = new Views({ page: view, grid, arrangement, saved, toasts, announcer });
const summary = new Summary(find('[data-summary]'), grid);
const plain = new PlainPoller();
const mjpeg = new Mjpeg();
const openHelp = setUpHelp(find('[data-help]'));
const openQuit = setUpQuit(find('[data-quit]'), quitServer);
focusAfterDialogs(find('[popovertarget="page-menu"]'));
// The server sends it only to admins.
const manage = find('[data-manage]') && new Manage(find('[data-manage]'), document.querySelectorAll('[data-open-manage]'));
const manageCameras =
  manage &&
  new ManageCameras(manage, find('[data-managed]'), find('[data-manage-toasts]'), find('#toast-template'), own);
if (manage) {
  new ManagePeople(
    manage,
    find('[data-people]'),
    find('[data-remove-dialog]'),
    find('[data-manage-toasts]'),
    find('#toast-template'),
  );
  new ManageAccess(manage, find('[data-access]'));
  if (find('[data-offer]') && !isKiosk) setUpOffer(find('[data-offer]'));
}
// Only for people who are logged in.
if (find('[data-password]')) {
  const tell = (message) => toasts.show(message);
  setUpOwnPassword(find('[data-password]'), document.querySelectorAll('[data-open-password]'), tell);
}
const library = new Library({ dialog: find('[data-library]'), backend, clock, grid, toast: find('#toast-template') });
const actions = new Actions({ grid, view, panel, insight, library, views, scrubber, commands, toasts, openHelp });

let role = 'viewer';
// Whether somebody is logged in here; the page's markup says so even without a connection.
let named = find('[data-account]') !== null;
let quitting = false;
let wasGone = false;

setUpTheme(find('[data-theme-toggle]'));
setUpSkipLink(find('.skip-link'));
setUpKeyboard((act) => actions.perform(act), () => scrubber.time);
listenToPage();
listenToServer();
backend.connect();
// After the page was busy, reports of frames painted meanwhile may still be queued. The extra timeout lets them in first;
// otherwise tiles would show as stalled.
setInterval(() => setTimeout(refresh), REFRESH_MS);
exposeForTests(grid);
if (!isKiosk) setUpLarge(grid, find('[data-scrubber]'), [find('[data-clips]'), find('[data-toasts]')]);
if (!isKiosk) manage?.openLinked();
if (!isKiosk) library.openLinked();

function listenToPage() {
  find('[data-open-help]').addEventListener('click', () => {
    closeMenu();
    openHelp();
  });
  find('[data-open-library]').addEventListener('click', () => library.toggle());
  recordPanel.addEventListener('library', ({ detail }) => library.show({ camera: detail.camera }));
  library.addEventListener('record', ({ detail }) => commands.send('record', detail));
  for (const opener of document.querySelectorAll('.menu [data-open-manage]')) opener.addEventListener('click', closeMenu);
  find('[data-open-quit]').addEventListener('click', openQuit);
  for (const source of [panel, grid, view, scrubber]) source.addEventListener('act', ({ detail }) => actions.perform(detail));
  grid.addEventListener('focus', ({ detail }) => {
    panel.show(detail.tile);
    scrubber.show(detail.tile);
    if (detail.tile !== null) backend.expectPast(detail.tile.name);
    motion.show(detail.tile);
    controls.show(detail.tile);
    recordPanel.show(detail.tile);
    showSummary();
  });
  grid.addEventListener('list', showSummary);
  grid.addEventListener('condition', ({ detail: { tile, condition } }) => {
    announcer.announce(tile.title, WORDS[condition]);
    showSummary();
    if (tile === grid.focused) panel.refresh();
  });
}

function listenToServer() {
  backend.addEventListener('hello', ({ detail }) => onHello(detail));
  backend.addEventListener('viewer', ({ detail }) => grid.tiles.get(detail.camera)?.viewer.take(detail));
  backend.addEventListener('camera', ({ detail }) => onCamera(detail));
  backend.addEventListener('views', () => saved.refresh());
  backend.addEventListener('cameras', ({ detail }) => onCameras(detail.cameras));
  backend.addEventListener('stats', ({ detail }) => {
    if (steppedClock.take(detail.at, nowUnix(), clock)) clock.invalidate();
    panel.setStats(detail.cameras ?? {});
  });
  backend.addEventListener('down', ({ detail }) => onDown(detail));
  backend.addEventListener('refused', ({ detail }) => onRefused(detail));
  backend.addEventListener('blocked', onBlocked);
  // The server redirects now, such as to https after TLS was turned on.
  backend.addEventListener('moved', () => location.reload());
  plain.addEventListener('cameras', ({ detail }) => onPlainCameras(detail.states));
  plain.addEventListener('unauthorized', () => {
    if (!isEmbedded) goToLogin();
  });
}

function onHello({ role: newRole, user = null, cameras }) {
  role = newRole;
  named = user !== null;
  own.setUser(user);
  quitting = false;
  leavePlain();
  banner.hide();
  grid.sync(cameras);
  grid.setConnected(true);
  showConnection('live', mayControl(role) ? 'Connected' : 'Viewing only');
  showPhase(cameras.length);
  clockSync.measure();
  // Load views changed while disconnected; at first, the page itself contains them.
  if (wasGone) saved.refresh();
  wasGone = false;
}

function onCamera(state) {
  grid.update(state);
  showPhase(grid.tiles.size);
  showSummary();
  if (grid.focused?.name !== state.name) return;
  panel.refresh();
  controls.refresh();
  motion.refresh();
  recordPanel.refresh();
}

/** A camera was added, removed or replaced, or the order has changed. */
function onCameras(cameras) {
  grid.sync(cameras);
  grid.setConnected(true);
  showPhase(cameras.length);
  showSummary();
  panel.refresh();
  manageCameras?.refresh();
}

function onRefused({ message, code }) {
  if (code === 'unauthorized' && !isEmbedded) goToLogin();
  // The server's message may contain addresses, which do not belong on a kiosk.
  else banner.show('refused', isKiosk ? '' : message);
}

/** Go to the login: the user logged out here or elsewhere, or was changed, or the server has users now. */
function goToLogin() {
  const query = new URLSearchParams(location.search);
  query.set('why', named ? 'ended' : 'users');
  location.assign(`login?${query.toString().replaceAll('%2C', ',')}`);
}

function onDown({ reason }) {
  wasGone = true;
  leavePlain();
  grid.setConnected(false);
  showConnection('gone', 'Reconnecting');
  if (quitting) banner.show('quit');
  else banner.show(reason === 'unreachable' && grid.tiles.size === 0 ? 'unreachable' : 'gone');
}

/** HTTP works but WebSocket does not: show MJPEG, and poll the states. */
function onBlocked() {
  banner.show('blocked');
  showConnection('stalled', 'Without WebSocket');
  plain.start();
}

function onPlainCameras(states) {
  grid.sync(states);
  showPhase(states.length);
  mjpeg.show(grid.tiles);
}

function leavePlain() {
  plain.stop();
  mjpeg.hide();
}

async function quitServer() {
  quitting = true;
  const reply = await commands.send('quit', {});
  if (!reply.ok) quitting = false;
}

function refresh() {
  grid.refresh();
  showRecording(grid.tiles.values());
  scrubber.refresh();
  pastPill.refresh();
  manageCameras?.setStates(new Map([...grid.tiles.values()].map((tile) => [tile.name, tile.condition])));
  panel.refresh();
}

function showPhase(cameras) {
  gridElement.dataset.phase = cameras > 0 ? 'ready' : 'empty';
  find('[data-empty]').hidden = cameras > 0;
  find('[data-skeletons]').hidden = true;
}

function showConnection(state, word) {
  const { connected } = backend;
  const element = find('[data-link-state]');
  element.dataset.status = state;
  element.toggleAttribute('data-limited', connected && !mayControl(role));
  setText(element.querySelector('[data-link-word]'), word);
  find('[data-quit-row]').hidden = !mayControl(role) || !connected;
  panel.setAccess({ role, connected });
  scrubber.setConnected(connected);
  controls.setAccess({ role, connected });
  motion.setAccess({ role, connected });
  library.setAccess({ role, connected });
  recordPanel.setAccess({ role, connected });
}

function showSummary() {
  summary.show(backend.connected);
}
