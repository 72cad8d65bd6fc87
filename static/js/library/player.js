/**
 * Plays recordings of one camera as if they were one file: two <video> elements take turns, so that the next file is
 * ready when one ends. Gaps are skipped, and a file that is still being written is followed.
 */
import { FILM, findRecording, isInGap, nextRecording } from './data.js';

// The next file is loaded this long before its turn.
const AHEAD_S = 12;
// How often to ask whether a file has grown.
const FOLLOW_MS = 1500;
const GROWN_S = 0.4;
const FRAME_S = 1 / 25;
// There is no picture at the very end of a file.
const EDGE_S = 0.05;

/**
 * @typedef {object} Shelf
 * @property {(camera: string) => import('./data.js').Recording[]} recordingsOf  Oldest first.
 * @property {(film: import('./data.js').Recording) => {first: import('./data.js').Recording | null, next: import('./data.js').Recording | null}} filmsAround
 *   The first file of the same film, and the file after this one.
 * @property {() => Promise<void>} refresh  Asks the server for more.
 */

/**
 * Events: `time` when another moment is shown; `open` ({recording, at}) when a file is being opened, and `shown` when its
 * picture is there; `state` when it plays, pauses or waits; `recording` when another one is played; `gap` ({seconds}) when
 * a gap was skipped; `end` when there is no more; `fault` ({message}).
 */
export class Player extends EventTarget {
  #videos;
  #shelf;
  #front;
  #standby;
  // The recording on the screen, and the requested one.
  /** @type {import('./data.js').Recording | null} */
  #recording = null;
  /** @type {import('./data.js').Recording | null} */
  #target = null;
  // What the standby element holds or loads.
  #prepared = null;
  #wanted = null;
  #opening = false;
  #playing = false;
  #atEnd = false;
  #speed = 1;
  #at = NaN;
  #frameS = FRAME_S;
  #mediaTime = NaN;
  #follow = 0;

  /** @param {[HTMLVideoElement, HTMLVideoElement]} videos @param {Shelf} shelf */
  constructor(videos, shelf) {
    super();
    this.#videos = videos;
    [this.#front, this.#standby] = videos;
    this.#shelf = shelf;
    for (const video of videos) this.#listen(video);
  }

  /** The recording being played or opened. */
  get recording() {
    return this.#target;
  }

  get camera() {
    return this.#target?.camera ?? '';
  }

  /** The shown moment, in Unix seconds; NaN for none. */
  get at() {
    return this.#at;
  }

  get playing() {
    return this.#playing;
  }

  /** Whether it waits for a picture. */
  get waiting() {
    return this.#opening || (this.#playing && this.#front.readyState < HTMLMediaElement.HAVE_FUTURE_DATA && !this.#front.ended);
  }

  /** Whether it follows a recording in progress, at its end. */
  get follows() {
    return this.#follow !== 0;
  }

  get speed() {
    return this.#speed;
  }

  set speed(speed) {
    this.#speed = speed;
    for (const video of this.#videos) {
      video.defaultPlaybackRate = speed;
      video.playbackRate = speed;
    }
    this.#emit('state');
  }

  /** Length and position of a film, in seconds; NaN for a recording. */
  get film() {
    const isFilm = this.#recording?.reason === FILM && this.#recording === this.#target;
    return { length: isFilm ? this.#front.duration : NaN, at: isFilm ? this.#front.currentTime : NaN };
  }

  /**
   * Show a moment of a camera; in a gap, the next recording.
   *
   * @param {string} camera
   * @param {number} at
   * @param {boolean} [plays]
   * @returns {boolean} whether anything is recorded there or later
   */
  seek(camera, at, plays = this.#playing) {
    const recording = findRecording(this.#shelf.recordingsOf(camera), at);
    if (recording === null) return false;
    this.open(recording, Math.max(at, recording.from), plays);
    return true;
  }

  /** Show a moment of a recording. @param {import('./data.js').Recording} recording @param {number} at @param {boolean} plays */
  open(recording, at, plays) {
    this.#stopFollowing();
    this.#playing = plays;
    this.#atEnd = false;
    this.#at = at;
    this.#wanted = { recording, at };
    const isOther = this.#target?.id !== recording.id;
    this.#target = recording;
    if (isOther) this.#emit('recording');
    this.#emit('time');
    if (!this.#opening) this.#openWanted();
    this.#emit('state');
  }

  /** Show a moment of a film. @param {number} share  0 to 1. */
  seekFilm(share) {
    if (Number.isFinite(this.#front.duration)) this.#front.currentTime = share * this.#front.duration;
  }

  toggle() {
    if (this.#target === null) return;
    if (this.#playing) this.pause();
    else this.play();
  }

  play() {
    this.#playing = true;
    if (this.#atEnd) this.#onEnded();
    else this.#start(this.#front);
    this.#emit('state');
  }

  pause() {
    this.#playing = false;
    this.#stopFollowing();
    this.#front.pause();
    this.#emit('state');
  }

  /** @param {number} by  Frames. */
  step(by) {
    if (this.#recording === null) return;
    this.pause();
    const { currentTime } = this.#front;
    const into = currentTime - this.#mediaTime;
    // The browser reports late which frame it shows, and a step from the previous one would lead nowhere. Seek into the
    // frame, not to its edge, because frames differ in length.
    const isTold = into >= 0 && into < this.#frameS;
    const to = isTold ? this.#mediaTime + (by + 0.3) * this.#frameS : currentTime + by * this.#frameS;
    if (to < 0 || to >= this.#front.duration) {
      const recordings = this.#shelf.recordingsOf(this.camera);
      const other = by > 0 ? nextRecording(recordings, this.#recording) : recordings[recordings.findIndex(({ id }) => id === this.#recording.id) - 1];
      if (other && this.#recording.reason !== FILM) this.open(other, by > 0 ? other.from : other.to - this.#frameS, false);
      return;
    }
    this.#front.currentTime = to;
  }

  /** Release everything. */
  stop() {
    this.#stopFollowing();
    this.#playing = false;
    this.#wanted = null;
    this.#prepared = null;
    this.#recording = null;
    this.#target = null;
    this.#at = NaN;
    for (const video of this.#videos) unload(video);
    this.#emit('state');
  }

  // Opening.

  async #openWanted() {
    this.#opening = true;
    while (this.#wanted !== null) {
      const { recording, at } = this.#wanted;
      this.#wanted = null;
      if (this.#isLoaded(recording, at)) await this.#seekHere(at);
      else await this.#change(recording, at);
    }
    this.#opening = false;
    if (this.#recording === null) return;
    if (this.#playing) this.#start(this.#front);
    else this.#front.pause();
    this.#emit('state');
  }

  #isLoaded(recording, at) {
    const isSame = this.#recording?.id === recording.id && this.#front.readyState >= HTMLMediaElement.HAVE_METADATA;
    // An open file is loaded only as far as it had been written.
    return isSame && (!recording.open || at - recording.from < this.#front.duration - EDGE_S);
  }

  async #seekHere(at) {
    const time = this.#timeOf(this.#recording, at, this.#front);
    if (Math.abs(this.#front.currentTime - time) < 0.001) return;
    this.#mediaTime = NaN;
    this.#front.currentTime = time;
    await settled(this.#front, 'seeked');
  }

  async #change(recording, at) {
    const video = this.#standby;
    this.#emit('open', { recording, at });
    this.#load(video, recording);
    if (!(await settled(video, 'loadedmetadata', HTMLMediaElement.HAVE_METADATA))) {
      if (this.#isAwaited) await this.#fail(recording);
      return;
    }
    const time = this.#timeOf(recording, at, video);
    if (time > 0) {
      video.currentTime = time;
      await settled(video, 'seeked');
    } else {
      await settled(video, 'loadeddata', HTMLMediaElement.HAVE_CURRENT_DATA);
    }
    if (this.#isAwaited) this.#swap(recording);
  }

  // False if something else, or nothing, is wanted by now.
  get #isAwaited() {
    return this.#wanted === null && this.#target !== null;
  }

  #load(video, recording) {
    const address = `recording/${encodeURIComponent(recording.id)}.mp4${recording.open ? `?to=${recording.to}` : ''}`;
    if (video.dataset.address === address && video.error === null) return;
    video.dataset.address = address;
    video.src = address;
    video.defaultPlaybackRate = this.#speed;
  }

  #swap(recording) {
    const before = this.#front;
    [this.#front, this.#standby] = [this.#standby, this.#front];
    this.#front.hidden = false;
    this.#front.playbackRate = this.#speed;
    this.#prepared = null;
    this.#mediaTime = NaN;
    before.pause();
    before.hidden = true;
    this.#recording = recording;
    this.#target = recording;
    this.#emit('shown');
    this.#watchFrames(this.#front);
  }

  async #start(video) {
    try {
      await video.play();
    } catch (error) {
      // It was paused or replaced before it began.
      if (error.name === 'NotAllowedError') this.pause();
    }
  }

  // A file starts at its first picture; a film's time runs faster than the day's.
  #timeOf(recording, at, video) {
    const factor = recording.reason === FILM ? video.duration / (recording.to - recording.from) : 1;
    const time = (at - recording.from) * factor;
    return Math.max(0, Number.isFinite(video.duration) ? Math.min(time, video.duration - EDGE_S) : time);
  }

  #momentOf(video) {
    const { reason, from, to } = this.#recording;
    return from + video.currentTime * (reason === FILM ? (to - from) / video.duration : 1);
  }

  async #fail(recording) {
    this.#playing = false;
    const status = await fetch(this.#standby.dataset.address, { method: 'HEAD' }).then(({ status: one }) => one, () => 0);
    const message = {
      0: 'The server does not answer.',
      401: 'You are no longer logged in.',
      403: 'You may not see this recording.',
      404: 'This recording was deleted.',
    }[status] ?? 'This browser cannot play this recording. Download it instead.';
    delete this.#standby.dataset.address;
    this.#emit('fault', { message });
  }

  // While it plays.

  #listen(video) {
    const ifShown = (act) => () => video === this.#front && this.#recording !== null && act();
    video.addEventListener('timeupdate', ifShown(() => this.#onTime()));
    video.addEventListener('seeked', ifShown(() => this.#onTime()));
    video.addEventListener('ended', ifShown(() => this.#onEnded()));
    for (const type of ['waiting', 'playing', 'canplay', 'pause', 'durationchange']) video.addEventListener(type, ifShown(() => this.#emit('state')));
    video.addEventListener('error', ifShown(() => this.#opening || this.#fail(this.#recording)));
  }

  #watchFrames(video) {
    if (!('requestVideoFrameCallback' in video)) return;
    const take = (_, { mediaTime }) => {
      if (video !== this.#front || this.#recording === null) return;
      const passed = mediaTime - this.#mediaTime;
      // At higher speeds, browsers skip frames.
      if (this.#playing && this.#speed <= 1 && passed > 0.004 && passed < 1.1) this.#frameS += (passed - this.#frameS) / 4;
      this.#mediaTime = mediaTime;
      this.#onTime();
      video.requestVideoFrameCallback(take);
    };
    video.requestVideoFrameCallback(take);
  }

  #onTime() {
    // Until the requested picture is there, its moment counts.
    if (this.#opening || this.#wanted !== null) return;
    this.#at = this.#momentOf(this.#front);
    this.#emit('time');
    const left = (this.#front.duration - this.#front.currentTime) / this.#speed;
    if (this.#playing && left < AHEAD_S) this.#prepareNext();
  }

  #prepareNext() {
    const next = this.#next();
    if (next === null || this.#prepared === next.id || next.open) return;
    this.#prepared = next.id;
    this.#load(this.#standby, next);
  }

  #next() {
    if (this.#recording === null || this.#recording.open) return null;
    if (this.#recording.reason === FILM) return this.#shelf.filmsAround(this.#recording).next;
    return nextRecording(this.#shelf.recordingsOf(this.camera), this.#recording);
  }

  #onEnded() {
    const current = this.#newest();
    const next = this.#next();
    if (!this.#playing) return;
    if (current.open || (next === null && this.#recording.open)) {
      this.#followOn();
    } else if (next !== null) {
      const gap = next.from - this.#recording.to;
      if (next.reason !== FILM && isInGap(next, this.#recording.to)) this.#emit('gap', { seconds: gap });
      this.open(next, next.from, true);
    } else if (this.#atEnd && this.#recording.reason === FILM) {
      const film = this.#shelf.filmsAround(this.#recording).first ?? this.#recording;
      this.open(film, film.from, true);
    } else {
      this.#atEnd = true;
      this.#playing = false;
      this.#emit('end');
      this.#emit('state');
    }
  }

  // The newest version of the recording being played.
  #newest() {
    const known = this.#shelf.recordingsOf(this.camera).find(({ id }) => id === this.#recording.id);
    return known ?? this.#recording;
  }

  // At the end of a recording in progress: go on when there is more.
  #followOn() {
    this.#stopFollowing();
    this.#follow = setTimeout(async () => {
      const turn = this.#follow;
      await this.#shelf.refresh();
      if (this.#follow !== turn) return;
      const newest = this.#newest();
      if (newest.to > this.#at + GROWN_S) {
        this.open(newest, this.#at, true);
      } else if (newest.open) {
        this.#followOn();
      } else {
        this.#recording = newest;
        this.#target = newest;
        this.#follow = 0;
        this.#onEnded();
      }
    }, FOLLOW_MS);
    this.#emit('state');
  }

  #stopFollowing() {
    clearTimeout(this.#follow);
    this.#follow = 0;
  }

  #emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function unload(video) {
  video.pause();
  video.hidden = true;
  delete video.dataset.address;
  video.removeAttribute('src');
  video.load();
}

/** Wait for a video's event, or for its ready state. @returns {Promise<boolean>} false if it failed */
function settled(video, type, state = Infinity) {
  if (video.readyState >= state) return Promise.resolve(true);
  if (video.error) return Promise.resolve(false);
  return new Promise((resolve) => {
    const done = (good) => {
      clearTimeout(timer);
      video.removeEventListener(type, yes);
      video.removeEventListener('error', no);
      resolve(good);
    };
    const yes = () => done(true);
    const no = () => done(false);
    // A file that ends before the moment fires no event.
    const timer = setTimeout(() => done(type === 'seeked'), 10000);
    video.addEventListener(type, yes);
    video.addEventListener('error', no);
  });
}
