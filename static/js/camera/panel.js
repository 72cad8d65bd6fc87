/** The controls and details of the camera in focus. */
import { isRunning } from './condition.js';
import {
  UNKNOWN, formatAge, formatBitrate, formatBytes, formatCount, formatFps, formatMs, formatSize,
} from '../ui/format.js';
import { mayControl } from '../bridge/access.js';
import { Knob } from './knob.js';
import { ProcessingList } from './processing.js';
import { SizeChoice } from './sizechoice.js';
import { describeReceived, describeSource } from './source.js';
import { addTerm, setText, setTitle } from '../ui/dom.js';
import { recall, remember } from '../ui/preferences.js';
import { Tabs } from '../ui/tabs.js';

const SOURCE = 'source';
const NAME = 'panel';

/** For each fact, its label and a function that returns its text, given the tile and the camera's `stats`. */
const FACTS = [
  ['Picture', ({ state }) => formatSize(state.width, state.height)],
  ['Source', ({ state }) => describeSource(state.source)],
  ['Captured', (_, stats) => `${formatFps(stats.captured_fps)} fps`],
  ['Encoded', (_, stats) => describeEncoding(stats)],
  ['Painted here', ({ viewer }) => `${formatFps(viewer.fps)} fps`],
  ['Sent to all', (_, stats) => `${formatFps(stats.sent_fps)} fps`],
  ['Latency', ({ viewer }) => formatMs(viewer.latencyMs)],
  ['Encoding', (_, stats) => formatMs(stats.encode_ms)],
  ['Decoding here', ({ viewer }) => describeDecoding(viewer)],
  ['Frame', ({ viewer }) => formatBytes(viewer.frameBytes)],
  ['Receiving', ({ viewer }) => formatBitrate(viewer.bytesPerSecond)],
  ['Viewers', ({ state }) => formatCount(state.viewers)],
  ['Frame number', ({ viewer }) => (viewer.lastSeq < 0 ? UNKNOWN : String(viewer.lastSeq))],
  ['Dropped for you', ({ viewer }) => describeDrops(viewer)],
  ['Dropped by the server', (_, stats) => describeReasons(stats.drops)],
];

function describeDecoding({ decodeMs, codec, inDecoder }) {
  return codec === null ? formatMs(decodeMs) : `${formatMs(decodeMs)}, ${inDecoder} in the decoder`;
}

/** A JPEG from the source is not encoded again. */
function describeEncoding({ encoded_fps, passed_fps }) {
  return passed_fps > encoded_fps ? "the source's own" : `${formatFps(encoded_fps)} fps`;
}

/** Event: `act` with {action} when a button is pressed, and `by` if the button has it. */
export class Panel extends EventTarget {
  #element;
  #fields;
  #state;
  #operatorFields;
  #toggleButton;
  #retryButton;
  #pictureButtons;
  #popoutButton;
  #locked;
  #tabs;
  #grid;
  #open = recall(NAME, (value) => (value === false ? value : null), true);
  #facts;
  #knobs;
  #own;
  #sizeChoice;
  #videoSwitch;
  #processing;
  #set;
  #tile = null;
  #stats = {};
  #role = 'viewer';
  #connected = false;

  /**
   * @param {HTMLElement} element
   * @param {import('../bridge/video-switch.js').VideoSwitch} videoSwitch
   * @param {(event: 'fps' | 'quality', camera: string, value: number | 'source') => Promise<unknown>} set
   */
  constructor(element, videoSwitch, set) {
    super();
    this.#element = element;
    this.#videoSwitch = videoSwitch;
    this.#set = set;
    this.#fields = Object.fromEntries(
      [...element.querySelectorAll('[data-field]')].map((field) => [field.dataset.field, field]),
    );
    this.#state = element.querySelector('.panel-state');
    this.#operatorFields = element.querySelector('[data-operator]');
    this.#toggleButton = element.querySelector('[data-action="toggle"]');
    this.#retryButton = element.querySelector('[data-action="retry"]');
    this.#pictureButtons = ['snapshot', 'copy'].map((action) => element.querySelector(`[data-action="${action}"]`));
    this.#popoutButton = element.querySelector('[data-action="popout"]');
    this.#locked = element.querySelector('[data-locked]');
    this.#tabs = new Tabs(element.querySelector('[data-tabs]'));
    this.#grid = element.parentElement;
    const facts = element.querySelector('[data-facts]');
    this.#facts = FACTS.map(([label, read]) => [addTerm(facts, label), read]);
    this.#processing = new ProcessingList(element.querySelector('[data-processing]'));
    this.#knobs = {
      fps: new Knob(element.querySelector('[data-knob="fps"]'), ignore),
      quality: new Knob(element.querySelector('[data-knob="quality"]'), ignore),
    };
    this.#own = Object.fromEntries(Object.keys(this.#knobs).map((event) => {
      const button = element.querySelector(`[data-knob="${event}"] [data-own]`);
      button.addEventListener('click', () => this.#set(event, this.#tile.name, SOURCE));
      return [event, button];
    }));
    this.#sizeChoice = new SizeChoice(element.querySelector('[data-size-choice]'));
    element.addEventListener('click', (event) => {
      const { action, by } = event.target.closest('[data-action]')?.dataset ?? {};
      if (action) this.dispatchEvent(new CustomEvent('act', { detail: { action, by: Number(by) } }));
    });
    element.querySelector('[data-knobs]').addEventListener('submit', (event) => event.preventDefault());
  }

  /** Show one tile's controls; null for none. @param {import('../grid/tile.js').Tile | null} tile */
  show(tile) {
    this.#tile = tile;
    this.#showOpen();
    if (tile === null) return;
    for (const [event, knob] of Object.entries(this.#knobs)) {
      knob.retarget((value) => this.#set(event, tile.name, value));
    }
    this.refresh();
  }

  /** Open or close it; this is remembered. @returns {boolean} whether a camera is in focus */
  toggle() {
    if (this.#tile === null) return false;
    const inside = this.#element.contains(document.activeElement);
    this.#open = !this.#open;
    remember(NAME, this.#open ? null : false);
    this.#showOpen();
    if (inside) this.#tile.openButton.focus();
    return true;
  }

  #showOpen() {
    this.#element.hidden = this.#tile === null || !this.#open;
    this.#grid.toggleAttribute('data-panel-closed', !this.#open);
  }

  /** @param {{role: string, connected: boolean}} access */
  setAccess({ role, connected }) {
    this.#role = role;
    this.#connected = connected;
    this.refresh();
  }

  /** @param {Record<string, object>} stats  Per camera. */
  setStats(stats) {
    this.#stats = stats;
  }

  refresh() {
    const tile = this.#tile;
    if (tile === null) return;
    this.#showState(tile);
    this.#showAccess();
    this.#sizeChoice.show(tile);
    this.#videoSwitch.show(tile);
    this.#showReceived(tile);
    this.#knobs.fps.show(tile.state.fps ?? tile.state.source_fps ?? null, practicalFps(tile.state));
    this.#knobs.quality.show(tile.state.quality ?? null);
    for (const [event, button] of Object.entries(this.#own)) {
      // Older nodes do not have this setting.
      button.hidden = !tile.state.set;
      button.setAttribute('aria-pressed', String(tile.state.set?.[event] === null));
    }
    this.#processing.show(tile.state.process);
    const stats = this.#stats[tile.name] ?? {};
    for (const [value, read] of this.#facts) setText(value, read(tile, stats));
  }

  #showState(tile) {
    const { condition, state } = tile;
    const { title, word, since, reason, toggle } = this.#fields;
    this.#state.dataset.status = condition;
    setText(title, tile.title);
    setTitle(title, tile.title);
    setText(word, tile.word);
    setText(since, Number.isFinite(tile.sinceS) ? `for ${formatAge(tile.sinceS)}` : '');
    // The server's last reason does not explain a lost connection.
    const why = condition === 'gone' ? tile.reason : tile.stateReason;
    setText(reason, why);
    reason.hidden = why === '';
    const running = isRunning(state.state);
    setText(toggle, running ? 'Stop' : 'Start');
    setTitle(this.#toggleButton, `${running ? 'Stop' : 'Start'} it for everybody  space`);
    // Start is the main action for a stopped camera; Stop should not stand out.
    this.#toggleButton.classList.toggle('button-accent', !running);
    const href = running ? '#i-stop' : '#i-play';
    const use = this.#toggleButton.querySelector('use');
    if (use.getAttribute('href') !== href) use.setAttribute('href', href);
  }

  #showReceived({ state, viewer }) {
    const rate = formatBitrate(viewer.bytesPerSecond);
    const live = viewer.watching && viewer.hasPicture && !viewer.isPast;
    setText(this.#fields.received, live ? `${describeReceived(viewer, state)}, ${rate}` : UNKNOWN);
  }

  #showAccess() {
    const allowed = mayControl(this.#role);
    for (const tab of ['tab-image', 'tab-motion']) this.#tabs.offer(tab, allowed);
    this.#toggleButton.hidden = !allowed;
    this.#operatorFields.disabled = !this.#connected;
    this.#toggleButton.disabled = !this.#connected;
    // The server's next attempt may be minutes away.
    this.#retryButton.hidden = !allowed || !this.#connected || this.#tile.condition !== 'retrying';
    for (const button of this.#pictureButtons) button.disabled = !this.#tile.hasPicture;
    // A popped-out camera can always be brought back.
    this.#popoutButton.disabled = !this.#tile.viewer.hasPicture && this.#popoutButton.ariaPressed !== 'true';
    this.#locked.hidden = !allowed || this.#connected;
  }
}

// A slider up to 120 is useless for a camera with 15 fps; the field beside it still accepts any value.
function practicalFps({ source_fps: sourceFps, fps }) {
  const most = sourceFps > 0 ? sourceFps : Math.max(30, fps ?? 0);
  return Math.min(120, Math.max(2, Math.ceil(most)));
}

function describeDrops({ dropped, skippedHere, undecodable }) {
  const parts = [];
  if (skippedHere > 0) parts.push(`${formatCount(skippedHere)} in this browser`);
  if (undecodable > 0) parts.push(`${formatCount(undecodable)} undecodable`);
  return parts.length > 0 ? `${formatCount(dropped)} (${parts.join(', ')})` : formatCount(dropped);
}

function describeReasons(drops) {
  const counted = Object.entries(drops ?? {}).filter(([, count]) => count > 0);
  if (counted.length === 0) return '0';
  return counted.map(([reason, count]) => `${reason} ${formatCount(count)}`).join(', ');
}

async function ignore() {}
