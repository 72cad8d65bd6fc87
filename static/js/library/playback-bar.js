/** The player's picture and buttons. */
import { setText, setTitle } from '../ui/dom.js';
import { formatLabel, formatLength, formatWhen } from '../ui/format.js';
import { FILM, formatClock, pictureOf } from './data.js';

const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];
const NOTE_MS = 3500;
const SKIP_S = 5;
const PREVIEW_AFTER_MS = 150;
const PREVIEW_PX = 1280;
// Longest clip that the server makes.
const MAX_CLIP_S = 3600;

/** Event: `act` ({action, by}) for a button or a key that is not the player's own. */
export class PlaybackBar extends EventTarget {
  #element;
  #player;
  #parts;
  #noteTimer = 0;
  #previewTimer = 0;
  #clip = { from: NaN, to: NaN };

  /** @param {HTMLElement} element @param {import('./player.js').Player} player */
  constructor(element, player) {
    super();
    this.#element = element;
    this.#player = player;
    const find = (selector) => element.querySelector(selector);
    this.#parts = {
      toggle: find('[data-play="toggle"]'),
      speed: find('[data-speed]'),
      camera: find('[data-playing-camera]'),
      what: find('[data-playing-what]'),
      time: find('[data-playing-time]'),
      note: find('[data-screen-note]'),
      busy: find('[data-screen-busy]'),
      still: find('[data-still]'),
      preview: find('[data-preview]'),
      film: find('[data-film]'),
      clip: find('[data-clip]'),
      clipFrom: find('[data-clip-from]'),
      clipTo: find('[data-clip-to]'),
      save: find('[data-clip-save]'),
      clear: find('[data-clip-clear]'),
      lock: find('[data-playing-lock]'),
      remove: find('[data-playing-delete]'),
      download: find('[data-download]'),
    };
    element.addEventListener('click', (event) => this.#onClick(event));
    this.#parts.speed.addEventListener('change', () => {
      player.speed = Number(this.#parts.speed.value);
    });
    this.#parts.film.addEventListener('input', () => player.seekFilm(Number(this.#parts.film.value) / 1000));
    player.addEventListener('time', () => this.#showTime());
    player.addEventListener('state', () => this.#showState());
    player.addEventListener('open', ({ detail }) => this.#preview(detail));
    player.addEventListener('shown', () => this.#endPreview());
    player.addEventListener('gap', ({ detail }) => this.note(`Skipped ${formatLength(detail.seconds)} without a recording`));
    player.addEventListener('end', () => this.note('Nothing was recorded after this'));
    player.addEventListener('fault', ({ detail }) => this.note(detail.message, true));
  }

  /** The marked clip, in Unix seconds; NaN for an end that is not marked. */
  get clip() {
    return this.#clip;
  }

  /**
   * Show what is being played.
   *
   * @param {object} what
   * @param {string} what.title                     The camera's title.
   * @param {import('./data.js').LibraryEvent | null} what.event
   * @param {import('./data.js').Recording | null} what.recording
   * @param {boolean} what.mayChange
   */
  show({ title, event, recording, mayChange }) {
    const parts = this.#parts;
    const isFilm = recording?.reason === FILM;
    setText(parts.camera, title);
    const film = isFilm ? recording.film || formatLabel(FILM) : '';
    setText(parts.what, film || (event ? formatLabel(event.label) : ''));
    const row = event ?? recording;
    parts.lock.hidden = !mayChange || row === null;
    parts.remove.hidden = !mayChange || row === null;
    parts.lock.setAttribute('aria-pressed', String(row?.locked ?? false));
    const word = `${row?.locked ? 'Stop keeping' : 'Keep forever'}`;
    parts.lock.setAttribute('aria-label', 'Keep forever');
    setTitle(parts.lock, `${word}: the ${event ? 'event' : 'recording'}  l`);
    parts.remove.setAttribute('aria-label', event ? 'Delete the event' : 'Delete the recording');
    parts.download.hidden = recording === null;
    if (recording !== null) {
      parts.download.setAttribute('href', `recording/${encodeURIComponent(recording.id)}.mp4`);
      parts.download.setAttribute('download', `${fileName(recording.camera, recording.from)}.mp4`);
    }
    parts.clip.hidden = recording === null || isFilm;
    parts.film.hidden = !isFilm;
    this.#showTime();
    this.#showState();
  }

  /** Show a still picture of what was not recorded. @param {string | null} address @param {string} [message] @param {number} [at] */
  showStill(address, message = '', at = NaN) {
    const { still, time } = this.#parts;
    this.#endPreview();
    still.hidden = address === null;
    if (address !== null) still.src = address;
    this.#element.toggleAttribute('data-still-shown', address !== null);
    if (message) this.note(message, true);
    else this.clearNote();
    if (!Number.isNaN(at)) setText(time, formatWhen(at).time);
  }

  // A file takes a while to open; show its picture meanwhile.
  #preview({ recording, at }) {
    clearTimeout(this.#previewTimer);
    if (recording.reason === FILM) return;
    this.#previewTimer = setTimeout(() => {
      const { preview } = this.#parts;
      preview.onload = () => {
        preview.hidden = false;
      };
      preview.src = pictureOf(recording.camera, at, PREVIEW_PX);
    }, PREVIEW_AFTER_MS);
  }

  #endPreview() {
    clearTimeout(this.#previewTimer);
    const { preview } = this.#parts;
    preview.onload = null;
    preview.hidden = true;
    preview.removeAttribute('src');
  }

  /** @param {string} message @param {boolean} [stays] */
  note(message, stays = false) {
    const { note } = this.#parts;
    clearTimeout(this.#noteTimer);
    setText(note, message);
    note.hidden = false;
    if (!stays) this.#noteTimer = setTimeout(() => this.clearNote(), NOTE_MS);
  }

  clearNote() {
    clearTimeout(this.#noteTimer);
    this.#parts.note.hidden = true;
  }

  /** @param {number} from @param {number} to  NaN if not marked. @param {string} camera */
  setClip(from, to, camera) {
    this.#clip = { from, to };
    const { clipFrom, clipTo, save, clear } = this.#parts;
    setText(clipFrom, Number.isNaN(from) ? '' : ` ${formatWhen(from).time}`);
    setText(clipTo, Number.isNaN(to) ? '' : ` ${formatWhen(to).time}`);
    const isWhole = to > from && to - from <= MAX_CLIP_S;
    save.hidden = !isWhole;
    clear.hidden = Number.isNaN(from) && Number.isNaN(to);
    if (to - from > MAX_CLIP_S) this.note('A clip can be an hour long at most');
    if (!isWhole) return;
    const query = new URLSearchParams({ from: from.toFixed(3), to: to.toFixed(3) });
    save.setAttribute('href', `clip/${encodeURIComponent(camera)}.mp4?${query}`);
    save.setAttribute('download', `${fileName(camera, from)}.mp4`);
    setTitle(save, `Save ${formatLength(to - from)} as a file`);
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key did something */
  onKey(event) {
    const player = this.#player;
    const onButton = event.target.matches('button, a, select, input');
    switch (event.key) {
      case ' ':
        if (onButton) return false;
        player.toggle();
        break;
      case 'k':
        player.toggle();
        break;
      case 'ArrowLeft':
      case 'ArrowRight':
        if (event.target.matches('select, input')) return false;
        player.seek(player.camera, player.at + (event.key === 'ArrowLeft' ? -SKIP_S : SKIP_S));
        break;
      case ',':
      case '.':
        player.step(event.key === ',' ? -1 : 1);
        break;
      case '-':
      case '+':
      case '=':
        this.#changeSpeed(event.key === '-' ? -1 : 1);
        break;
      case 'n':
      case 'PageDown':
        this.#emit('event', 1);
        break;
      case 'p':
      case 'PageUp':
        this.#emit('event', -1);
        break;
      case 'i':
        this.#emit('mark-from');
        break;
      case 'o':
        this.#emit('mark-to');
        break;
      case 's':
        if (this.#parts.save.hidden) return false;
        this.#parts.save.click();
        break;
      case 'f':
        this.#emit('fullscreen');
        break;
      case 'l':
        this.#emit('lock');
        break;
      case 'Delete':
        this.#emit('delete');
        break;
      default:
        return false;
    }
    return true;
  }

  #onClick({ target }) {
    if (target.closest('[data-screen]') && !this.#element.hasAttribute('data-still-shown')) {
      this.#player.toggle();
      return;
    }
    const { play: action, by } = target.closest('[data-play]')?.dataset ?? {};
    if (action === 'toggle') this.#player.toggle();
    else if (action === 'frame') this.#player.step(Number(by));
    else if (action !== undefined) this.#emit(action, Number(by));
  }

  #changeSpeed(by) {
    const at = SPEEDS.indexOf(this.#player.speed) + by;
    if (at in SPEEDS) this.#player.speed = SPEEDS[at];
    this.note(`Speed ${this.#parts.speed.selectedOptions[0].text}`);
  }

  #showTime() {
    const { at, film, recording } = this.#player;
    const { time, film: slider } = this.#parts;
    if (recording?.reason === FILM) {
      setText(time, `${formatClock(film.at)} / ${formatClock(film.length)}`);
      if (film.length > 0) slider.value = String((1000 * film.at) / film.length);
    } else if (!Number.isNaN(at)) {
      const when = formatWhen(at);
      setText(time, when.time);
      setTitle(time, when.whole);
    }
  }

  #showState() {
    const { playing, waiting, follows, speed } = this.#player;
    const { toggle, busy, speed: choice } = this.#parts;
    const word = playing ? 'Pause' : 'Play';
    toggle.setAttribute('aria-label', word);
    setTitle(toggle, `${word}  space`);
    const use = toggle.querySelector('use');
    const sign = playing ? '#i-pause' : '#i-play';
    if (use.getAttribute('href') !== sign) use.setAttribute('href', sign);
    busy.hidden = !waiting || follows;
    this.#element.toggleAttribute('data-follows', follows);
    choice.value = String(speed);
  }

  #emit(action, by = 0) {
    this.dispatchEvent(new CustomEvent('act', { detail: { action, by } }));
  }
}

// Named like snapshots: in UTC, without characters that file systems reject.
function fileName(camera, atUnix) {
  return `${camera}-${new Date(atUnix * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}
