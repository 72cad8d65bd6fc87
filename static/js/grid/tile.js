/** One camera on the page: its picture, its state as text, and its figures. */
import { nowUnix } from '../stream/clock.js';
import { WORDS, conditionOf, frameInterval } from '../camera/condition.js';
import {
  UNKNOWN, formatAge, formatAgo, formatBitrate, formatCount, formatFps, formatMs, formatRendition, plural,
} from '../ui/format.js';
import { ViewerProxy } from '../bridge/viewer-proxy.js';
import { chosenSize } from '../camera/sizechoice.js';
import { describeReceived } from '../camera/source.js';
import { badgeOf } from './badge.js';
import { setText, setTitle } from '../ui/dom.js';

const DETAILS = {
  connecting: '',
  starting: 'Opening the source',
  idle: 'Nobody is watching',
  stalled: 'No new picture',
  retrying: 'The source failed',
  ended: 'The source has no more pictures',
  stopped: 'Stopped by an operator',
  gone: 'Reconnecting',
};

let lastId = 0;

/**
 * @typedef {object} CameraState  STATE of the wire protocol.
 * @property {string} name
 * @property {string} title
 * @property {string | null} [group]  Missing from older nodes.
 * @property {string} state
 * @property {string | null} reason
 * @property {number} since
 * @property {number | null} fps
 * @property {number} quality
 * @property {number} width
 * @property {number} height
 * @property {number | null} source_fps
 * @property {import('../camera/source.js').Source | null} [source]  Missing from older nodes.
 * @property {{codec: string, passed_through: boolean, kbps: number | null} | null} [video]  Missing from older nodes.
 * @property {boolean} [passed_through]  Whether its JPEG is the source's own.
 * @property {number} viewers
 * @property {import('../camera/processing.js').Processing[]} [process]
 */

/** Event: `condition` when the shown state changed. */
export class Tile extends EventTarget {
  #element;
  #parts;
  #viewer;
  #clock;
  #state;
  #condition = 'connecting';
  #connected = true;
  #fallback = null;
  #discreet;
  // Whether this page stopped the camera.
  #stoppedHere = false;
  // When the state began, by our clock, which does not jump; NaN while the server's clock is unknown.
  #sinceUnix = NaN;

  /**
   * @param {HTMLTemplateElement} template
   * @param {CameraState} state
   * @param {import('../bridge/client.js').BackendClient} backend
   * @param {import('../stream/clock.js').ClockOffset} clock
   * @param {boolean} discreet  Hide the server's reasons, which may contain addresses.
   */
  constructor(template, state, backend, clock, discreet) {
    super();
    this.#discreet = discreet;
    // Imported, not cloned: a canvas that still belongs to the template's document when it is transferred to the
    // worker is painted, but never shown.
    this.#element = document.importNode(template.content.firstElementChild, true);
    const find = (selector) => this.#element.querySelector(selector);
    this.#parts = {
      buttons: [...this.#element.querySelectorAll('button')],
      canvas: find('canvas'),
      open: find('.tile-open'),
      name: find('.tile-name'),
      trouble: find('.trouble'),
      troubleText: find('.trouble-text'),
      state: find('.tile-state'),
      word: find('.tile-word'),
      overlayWord: find('.overlay-word'),
      overlayDetail: find('.overlay-detail'),
      overlayAge: find('.overlay-age'),
      readout: find('.readout'),
      fps: find('[data-readout="fps"]'),
      latency: find('[data-readout="latency"]'),
      bitrate: find('[data-readout="bitrate"]'),
      dropped: find('[data-readout="dropped"]'),
      viewers: find('[data-readout="viewers"]'),
      rendition: find('[data-readout="rendition"]'),
    };
    this.#element.dataset.camera = state.name;
    lastId += 1;
    this.#parts.overlayDetail.id = `reason-${lastId}`;
    this.#parts.open.setAttribute('aria-describedby', this.#parts.overlayDetail.id);
    this.#clock = clock;
    this.#viewer = new ViewerProxy(backend, clock, state.name, this.#parts.canvas, chosenSize(state.name));
    this.#viewer.addEventListener('painted', () => this.refresh());
    // Within the past, only the text changes, and that can wait for the next refresh: the page is drawn less often
    // while pictures of other cameras are being decoded.
    this.#viewer.addEventListener('past', () => {
      if (this.#viewer.isPast !== (this.#condition === 'past')) this.refresh();
    });
    this.update(state);
  }

  get element() {
    return this.#element;
  }

  /** The button that opens the tile; it has the keyboard focus for the whole tile. */
  get openButton() {
    return this.#parts.open;
  }

  get viewer() {
    return this.#viewer;
  }

  /** The camera's group; empty for none. */
  get group() {
    return this.#state.group ?? '';
  }

  /** Whether there is a picture to save and to copy. */
  get hasPicture() {
    return this.#viewer.hasPicture || this.#fallback?.hidden === false;
  }

  /** Width by height of the picture; a guess until the source has been opened once. */
  get ratio() {
    const { width, height } = this.#state;
    return width > 0 && height > 0 ? width / height : 16 / 9;
  }

  get name() {
    return this.#state.name;
  }

  get title() {
    return this.#state.title || this.#state.name;
  }

  /** The newest STATE from the server. */
  get state() {
    return this.#state;
  }

  /** Seconds since the server's state began; NaN if the page itself found the condition. */
  get sinceS() {
    if (Number.isNaN(this.#sinceUnix) && this.#clock.known) this.#sinceUnix = this.#state.since - this.#clock.offset;
    return this.#condition === this.#state.state ? nowUnix() - this.#sinceUnix : NaN;
  }

  /** @returns {import('../camera/condition.js').Condition} */
  get condition() {
    return this.#condition;
  }

  /** The server's reason for the camera's state; empty for none. */
  get stateReason() {
    return this.#stoppedHere ? 'stopped by you' : (this.#state.reason ?? '');
  }

  /** Its condition in a word or two; in the past, how long ago or when. */
  get word() {
    return this.#wordOf(this.#condition);
  }

  /** The reason for its condition. */
  get reason() {
    return this.#reasonOf(this.#condition);
  }

  /** @param {CameraState} state */
  update(state) {
    if (state.since !== this.#state?.since) this.#sinceUnix = NaN;
    if (state.state !== 'stopped') this.#stoppedHere = false;
    this.#state = state;
    this.#element.style.setProperty('--ratio', this.ratio.toFixed(4));
    this.refresh();
  }

  /** Set whether the server is connected. @param {boolean} connected */
  setConnected(connected) {
    this.#connected = connected;
    this.refresh();
  }

  /** Say that this page stopped it, until it runs again. */
  setStoppedHere() {
    this.#stoppedHere = this.#state.state === 'stopped';
    this.refresh();
  }

  /** Show a picture element in place of the canvas; null shows the canvas again. @param {HTMLElement | null} image */
  setFallback(image) {
    this.#fallback?.remove();
    this.#fallback = image;
    if (image !== null) this.#parts.canvas.after(image);
    this.refresh();
  }

  /** Set the digit key that focuses this tile; 0 for none. @param {number} digit */
  setKey(digit) {
    if (digit > 0) this.#parts.open.setAttribute('aria-keyshortcuts', String(digit));
    else this.#parts.open.removeAttribute('aria-keyshortcuts');
  }

  /** Set whether the Tab key reaches the tile and its buttons. @param {boolean} reached */
  setTabStop(reached) {
    for (const button of this.#parts.buttons) button.tabIndex = reached ? 0 : -1;
  }

  /** Show the current condition and numbers. Called several times a second. */
  refresh() {
    const { state } = this;
    const viewer = this.#viewer;
    const hasPicture = viewer.hasPicture;
    const condition = conditionOf({
      state: state.state,
      connected: this.#connected || this.#fallback !== null,
      past: viewer.isPast && this.#fallback === null,
      watching: viewer.watching,
      painted: hasPicture,
      silenceS: viewer.silenceS,
      intervalS: frameInterval(state),
    });
    this.#element.dataset.state = condition;
    this.#element.toggleAttribute('data-picture', hasPicture);
    this.#showWords(condition, hasPicture);
    this.#showNumbers(condition);
    if (condition !== this.#condition) {
      this.#condition = condition;
      this.dispatchEvent(new CustomEvent('condition', { detail: condition }));
    }
  }

  #showWords(condition, hasPicture) {
    const parts = this.#parts;
    const word = this.#wordOf(condition);
    setText(parts.name, this.title);
    parts.state.dataset.status = condition;
    setText(parts.word, word);
    setText(parts.overlayWord, word);
    const detail = this.#reasonOf(condition);
    setText(parts.overlayDetail, detail);
    const trouble = badgeOf(condition, this.state, this.#viewer.renditionReason);
    parts.trouble.hidden = trouble === null;
    setText(parts.troubleText, (this.#discreet ? trouble?.word : trouble?.text) ?? '');
    // The full text for the tooltip and screen readers, because the tile may have no room for it.
    const told = [this.title];
    if (detail && condition !== 'live') told.push(`${word}: ${detail}`);
    if (trouble && !this.#discreet) told.push(trouble.detail);
    setTitle(parts.open, told.join('\n'));
    const age = condition === 'live' || condition === 'past' || !hasPicture ? NaN : this.#viewer.pictureAgeS;
    setText(parts.overlayAge, age >= 1 ? `Picture is ${formatAge(age)} old` : '');
    // Not `word`, which for the past changes every second.
    const label = `${this.title}: ${WORDS[condition]}`;
    if (parts.canvas.getAttribute('aria-label') !== label) parts.canvas.setAttribute('aria-label', label);
  }

  #wordOf(condition) {
    if (condition !== 'past' || !this.#clock.known) return WORDS[condition];
    const { pictureAgeS, atUnix, past } = this.#viewer;
    // Cameras that show the same moment give the same time.
    return formatAgo(pictureAgeS - ((past.asked ?? atUnix) - atUnix), atUnix);
  }

  // The server's reason explains its own state; conditions that the page detects have other reasons.
  #reasonOf(condition) {
    const reason = condition === this.state.state && !this.#discreet ? this.stateReason : '';
    return reason || DETAILS[condition] || '';
  }

  #showNumbers(condition) {
    const parts = this.#parts;
    const viewer = this.#viewer;
    const flowing = condition === 'live' && this.#fallback === null;
    setText(parts.fps, this.#fallback ? 'MJPEG' : `${formatFps(flowing ? viewer.fps : NaN)} fps`);
    setText(parts.latency, flowing ? formatMs(viewer.latencyMs) : `${formatMs(NaN)} ms`);
    setText(parts.bitrate, formatBitrate(flowing ? viewer.bytesPerSecond : NaN));
    setText(parts.dropped, `${formatCount(viewer.dropped)} dropped`);
    setText(parts.viewers, plural(this.state.viewers ?? 0, 'viewer'));
    const received = flowing ? describeReceived(viewer, this.state) : UNKNOWN;
    const size = flowing ? formatRendition(viewer.rendition, viewer.renditionReason) : UNKNOWN;
    parts.readout.toggleAttribute('data-video', viewer.codec !== null);
    setText(parts.rendition, viewer.codec === null ? size : received);
    setTitle(parts.rendition, received);
  }
}
