/**
 * The page's side of a viewer, which may run in a worker: passes on the page's requests, and turns the viewer's
 * reports into figures.
 */
import { SteppedClock, nowUnix } from '../stream/clock.js';
import { RecentMedian, Rate } from '../stream/rate.js';

// Browsers round times.
const CLOCK_GRAIN_MS = 5;

/**
 * Events: `painted` when the first picture after a `watch` is on the canvas, `past` when another moment of the past is
 * shown or requested.
 */
export class ViewerProxy extends EventTarget {
  #backend;
  #clock;
  #name;
  #canvas;
  #rate = new Rate();
  // Long enough for video, so that every window holds a similar share of key frames.
  #bytes = new Rate(4000);
  #latency = new RecentMedian();
  #stepped = new SteppedClock();
  #epoch = 0;
  // Capture time of the picture on the canvas, by our clock, which does not jump.
  #takenUnix = NaN;
  #first = true;
  #wanted = false;
  #choice;
  #width = 0;
  /** @type {import('../stream/viewer.js').Report} */
  #report = {
    camera: '',
    watching: false,
    watch: 0,
    aliveUnix: nowUnix(),
    received: 0,
    painted: 0,
    dropped: 0,
    skippedHere: 0,
    undecodable: 0,
    bytes: 0,
    frameBytes: NaN,
    decodeMs: NaN,
    inDecoder: 0,
    lastSeq: -1,
    at: null,
    live: true,
    past: { wanted: null, asked: null, speed: 0, span: null, short: false, fault: '' },
    rendition: '',
    reason: '',
    codec: null,
    videoFault: '',
    spent: { transitMs: 0, decodeMs: 0, paintMs: 0 },
  };

  /**
   * @param {import('./client.js').BackendClient} backend
   * @param {import('../stream/clock.js').ClockOffset} clock
   * @param {string} name
   * @param {HTMLCanvasElement} canvas
   * @param {string} choice  The requested rendition, or `auto` for the one that fits.
   */
  constructor(backend, clock, name, canvas, choice) {
    super();
    this.#backend = backend;
    this.#clock = clock;
    this.#name = name;
    this.#canvas = canvas;
    this.#choice = choice;
    backend.openViewer(name, canvas);
  }

  /** Whether we joined the camera's room, or are about to. */
  get watching() {
    return this.#report.watching;
  }

  /** Frames painted since the page opened. */
  get painted() {
    return this.#report.painted;
  }

  /** Frames received since the page opened. */
  get received() {
    return this.#report.received;
  }

  /** Sums of the times that all painted frames took. */
  get spent() {
    return this.#report.spent;
  }

  /** Frames skipped between painted ones. */
  get dropped() {
    return this.#report.dropped;
  }

  /** Dropped frames that reached this page and were replaced by a newer one. */
  get skippedHere() {
    return this.#report.skippedHere;
  }

  /** Dropped frames whose bytes were not a JPEG. */
  get undecodable() {
    return this.#report.undecodable;
  }

  get fps() {
    return this.watching ? this.#rate.perSecond(performance.now()) : 0;
  }

  /** Median time from capture to paint over the last second or so; NaN while unknown. */
  get latencyMs() {
    if (!this.watching || !this.#clock.known || this.#epoch !== this.#clock.epoch) return NaN;
    // Slightly below zero is within the error of the clock offset; lower values mean that the offset is wrong.
    const minMs = -500 * this.#clock.roundTrip - CLOCK_GRAIN_MS;
    return this.#latency.value < minMs ? NaN : Math.max(0, this.#latency.value);
  }

  get lastSeq() {
    return this.#report.lastSeq;
  }

  get frameBytes() {
    return this.#report.frameBytes;
  }

  get bytesPerSecond() {
    return this.watching ? this.#bytes.perSecond(performance.now()) : 0;
  }

  /** Whether a picture is on the canvas. */
  get hasPicture() {
    return this.#report.at !== null;
  }

  /** Whether the picture on the canvas is of the past. */
  get isPast() {
    return !this.#report.live;
  }

  /** Capture time of the picture on the canvas, by the server's clock; NaN without one. */
  get atUnix() {
    return this.#report.at ?? NaN;
  }

  /** The moment of the past shown or requested. */
  get past() {
    return this.#report.past;
  }

  /** Seconds since the last paint or, if later, since we began to watch. */
  get silenceS() {
    return nowUnix() - this.#report.aliveUnix;
  }

  /** Age of the picture on the canvas in seconds; NaN without one, and while the server's clock is unknown. */
  get pictureAgeS() {
    return this.#report.at === null ? NaN : nowUnix() - this.#takenUnix;
  }

  /** The rendition of the picture on the canvas; empty without one. */
  get rendition() {
    return this.#report.rendition;
  }

  /** Why the server chose it: `fixed`, `tile`, `network`, `decoding` or `server`. */
  get renditionReason() {
    return this.#report.reason;
  }

  /** RFC 6381 codec of the picture on the canvas; null for JPEG. */
  get codec() {
    return this.#report.codec;
  }

  /** Why there is no video although it was requested; see painting/unit-decoder.js. */
  get videoFault() {
    return this.#report.videoFault;
  }

  /** Average time from a frame's arrival to decoded. */
  get decodeMs() {
    return this.#report.decodeMs;
  }

  /** Units of video in the decoder. */
  get inDecoder() {
    return this.#report.inDecoder;
  }

  /** The requested rendition, or `auto` for the one that fits. */
  get choice() {
    return this.#choice;
  }

  set choice(rendition) {
    this.#choice = rendition;
    if (this.#wanted) this.want(true);
  }

  /** The last painted frame as a JPEG; null before the first. */
  lastPicture() {
    return this.#backend.lastPicture(this.#name);
  }

  /** Watch while true, leave the room while false. @param {boolean} wanted */
  want(wanted) {
    this.#wanted = wanted;
    this.#width = this.#measure();
    this.#backend.wantViewer(this.#name, wanted, this.#choice, this.#width);
  }

  /** Request another size if the canvas was resized, by a new layout, zoom or screen. */
  refresh() {
    if (this.#wanted && this.#measure() !== this.#width) this.want(true);
  }

  /** Show a moment; null returns to live. @param {number | null} at  By the server's clock. */
  seek(at) {
    this.#backend.seekViewer(this.#name, at);
  }

  /** Play the past; 0 pauses. @param {number} speed */
  play(speed) {
    this.#backend.playViewer(this.#name, speed);
  }

  /** Step within the past. @param {number} by  Frames. */
  step(by) {
    this.#backend.stepViewer(this.#name, by);
  }

  // Width on the screen, in device pixels.
  #measure() {
    return Math.round(this.#canvas.getBoundingClientRect().width * devicePixelRatio);
  }

  /** Close the viewer for good. */
  close() {
    this.#backend.closeViewer(this.#name);
  }

  /** @param {import('../stream/viewer.js').Report} report */
  take(report) {
    const before = this.#report;
    this.#report = report;
    if (report.watch !== before.watch) {
      this.#rate.clear();
      this.#bytes.clear();
      this.#latency.clear();
      this.#first = true;
    }
    // The time of painting, not of the report, which a busy page receives late.
    const aliveMs = report.aliveUnix * 1000 - performance.timeOrigin;
    if (report.received > before.received) this.#bytes.add(aliveMs, report.bytes - before.bytes);
    if (report.painted !== before.painted) this.#takePainted(report, aliveMs);
    if (!report.live) this.#takenUnix = report.at - this.#clock.offset;
    if (differsInPast(report, before)) this.dispatchEvent(new CustomEvent('past'));
  }

  #takePainted(report, aliveMs) {
    this.#rate.add(aliveMs);
    this.#updateLatency(report);
    if (this.#first) this.dispatchEvent(new CustomEvent('painted'));
    this.#first = false;
  }

  #updateLatency({ at, aliveUnix }) {
    const clock = this.#clock;
    if (this.#stepped.take(at, aliveUnix, clock)) clock.invalidate();
    if (this.#epoch !== clock.epoch) this.#latency.clear();
    this.#epoch = clock.epoch;
    // Until the clocks are compared, assume that it arrived without delay.
    this.#takenUnix = clock.known ? at - clock.offset : aliveUnix;
    if (clock.known) this.#latency.add((aliveUnix - this.#takenUnix) * 1000);
  }
}

// Live reports are frequent and need no comparison of their past.
function differsInPast(now, before) {
  if (now.live !== before.live || now.past.fault !== before.past.fault) return true;
  if (now.live && now.past.wanted === null && before.past.wanted === null) return false;
  return now.at !== before.at || JSON.stringify(now.past) !== JSON.stringify(before.past);
}
