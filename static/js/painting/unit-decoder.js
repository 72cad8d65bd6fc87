/**
 * Decodes one camera's video: its units in the order they arrive, from a key frame on, a few at a time.
 *
 *     put ─► waiting ─► VideoDecoder (three at most) ─► onDecoded
 *
 * Any fault closes it. Its user then starts again with a new decoder and a key frame.
 *
 * @typedef {'unsupported' | 'no key' | 'slow' | 'stuck' | 'reclaimed' | 'broken'} VideoFault
 */
import { canDecode, configOf } from './codecs.js';

// Each unit inside may hold one of the decoder's few buffers.
const MAX_INSIDE = 3;
// A decoder may hold a picture until it gets the next units, as with B-frames.
const HELD_MS = 100;
const STUCK_MS = 600;
const MAX_WAIT_MS = 800;

export class UnitDecoder {
  #onDecoded;
  #onSkipped;
  #onHeld;
  #onFailed;
  /** @type {VideoDecoder | null} */
  #decoder = null;
  #codec = '';
  #rendition = '';
  #configuring = false;
  #closed = false;
  #waiting = [];
  // What is in the decoder, as {unit, timestamp, sinceMs}, oldest first.
  #inside = [];
  #timestamp = 0;
  #held = null;
  #timer = 0;
  #dueMs = 0;

  /**
   * @param {object} hooks
   * @param {(unit: import('./painter.js').Received, picture: VideoFrame) => void} hooks.onDecoded  Must close
   *   the picture.
   * @param {(unit: import('./painter.js').Received) => void} hooks.onSkipped  It will not be decoded.
   * @param {(unit: import('./painter.js').Received) => void} hooks.onHeld  The decoder holds it and all before it
   *   until it gets more units.
   * @param {(fault: VideoFault, unit: import('./painter.js').Received | null) => void} hooks.onFailed  Nothing more
   *   will be decoded. Without a unit, none is lost.
   */
  constructor({ onDecoded, onSkipped, onHeld, onFailed }) {
    this.#onDecoded = onDecoded;
    this.#onSkipped = onSkipped;
    this.#onHeld = onHeld;
    this.#onFailed = onFailed;
  }

  /** How many units are in the decoder. */
  get inside() {
    return this.#inside.length;
  }

  /** Whether any unit is still to be decoded. */
  get busy() {
    return this.#waiting.length + this.#inside.length > 0;
  }

  /** @param {import('./painter.js').Received} frame  Its bytes may be several units. */
  put(frame) {
    for (const unit of unpack(frame)) {
      if (this.#closed) this.#onSkipped(unit);
      else this.#putUnit(unit);
    }
  }

  #putUnit(unit) {
    const { key, codec, rendition } = unit.header;
    if (key) {
      // A key frame needs none of the older units, and replaces them.
      for (const older of this.#waiting.splice(0)) this.#onSkipped(older);
    } else if (rendition !== this.#rendition || this.#newestCodec !== codec) {
      this.#waiting.push(unit);
      this.#fail('no key', unit);
      return;
    }
    this.#rendition = rendition;
    this.#waiting.push(unit);
    const nowMs = performance.now();
    // Only live: in the past, JPEG would not show anything newer.
    const isLate = unit.header.live && this.#isPunctual(nowMs) && nowMs - this.#waiting[0].receivedMs > MAX_WAIT_MS;
    if (isLate) this.#fail('slow', unit);
    else this.#feed();
  }

  /** Configure the decoder early, because a browser may take a while. @param {string} codec */
  prepare(codec) {
    if (this.#codec === '' && !this.#configuring) this.#configure(codec, null);
  }

  /** Forget everything, for good. Pictures already passed on stay open. */
  close() {
    this.#closed = true;
    this.#waiting.length = 0;
    this.#inside.length = 0;
    clearTimeout(this.#timer);
    if (this.#decoder !== null && this.#decoder.state !== 'closed') this.#decoder.close();
  }

  // The codec of the newest unit.
  get #newestCodec() {
    return this.#waiting.at(-1)?.header.codec ?? this.#codec;
  }

  #feed() {
    while (!this.#closed && !this.#configuring && this.#waiting.length > 0 && this.#inside.length < MAX_INSIDE) {
      if (this.#waiting[0].header.codec === this.#codec) this.#decode(this.#waiting.shift());
      else this.#configure(this.#waiting[0].header.codec, this.#waiting[0]);
    }
  }

  async #configure(codec, unit) {
    this.#configuring = true;
    const able = await canDecode(codec);
    this.#configuring = false;
    if (this.#closed) return;
    if (!able) {
      this.#fail('unsupported', unit);
      return;
    }
    try {
      this.#decoder ??= new VideoDecoder({
        output: (picture) => this.#onOutput(picture),
        error: (error) => this.#onError(error),
      });
      this.#decoder.configure(configOf(codec));
    } catch (error) {
      this.#onError(error);
      return;
    }
    this.#codec = codec;
    this.#feed();
  }

  #decode(unit) {
    this.#timestamp += 1;
    const chunk = { type: unit.header.key ? 'key' : 'delta', timestamp: this.#timestamp, data: unit.bytes };
    this.#inside.push({ unit, timestamp: this.#timestamp, sinceMs: performance.now() });
    try {
      this.#decoder.decode(new EncodedVideoChunk(chunk));
    } catch (error) {
      this.#onError(error);
      return;
    }
    if (this.#timer === 0) this.#watch();
  }

  #onOutput(picture) {
    if (this.#closed) {
      picture.close();
      return;
    }
    const behindMs = this.#behindMs(performance.now());
    // Once pictures from a later key frame come out, the decoder has swallowed any older units.
    const key = this.#inside.findLastIndex((one) => one.unit.header.key && one.timestamp <= picture.timestamp);
    for (const { unit } of this.#inside.splice(0, Math.max(0, key))) this.#onSkipped(unit);
    // The first picture out gets the number and time of the first unit in. With B-frames that is another picture, but
    // numbers and times keep increasing.
    const unit = this.#inside.shift()?.unit;
    if (unit === undefined) {
      picture.close();
    } else {
      unit.decodedMs = performance.now();
      unit.behindMs = behindMs;
      this.#onDecoded(unit, picture);
    }
    this.#feed();
  }

  // A picture held for B-frames is not late: it comes out soon after the unit it waits for goes in. So the newest counts.
  #behindMs(nowMs) {
    const given = nowMs - (this.#inside.at(-1)?.sinceMs ?? nowMs);
    return this.#waiting.length === 0 ? given : Math.max(given, nowMs - this.#waiting[0].receivedMs);
  }

  #watch() {
    this.#dueMs = performance.now() + HELD_MS;
    this.#timer = setTimeout(() => this.#onTimer(), HELD_MS);
  }

  #onTimer() {
    this.#timer = 0;
    if (this.#inside.length === 0) return;
    const nowMs = performance.now();
    const { unit, sinceMs } = this.#inside.at(-1);
    if (this.#isPunctual(nowMs) && this.#inside.length === MAX_INSIDE && nowMs - sinceMs > STUCK_MS) {
      this.#fail('stuck', unit);
      return;
    }
    if (this.#waiting.length === 0 && unit !== this.#held && nowMs - sinceMs >= HELD_MS) {
      this.#held = unit;
      // In the past, no more units may follow, so flush. After that, the next unit must be a key frame or a new seek.
      if (unit.header.live) this.#onHeld(unit);
      else this.#decoder.flush().catch(() => {});
    }
    this.#watch();
  }

  // If not, this thread itself was delayed, as after the computer slept, and decoded pictures are about to arrive.
  #isPunctual(nowMs) {
    return nowMs - this.#dueMs < HELD_MS;
  }

  #onError(error) {
    this.#fail(error.name === 'QuotaExceededError' ? 'reclaimed' : 'broken', this.#inside[0]?.unit ?? this.#waiting[0] ?? null);
  }

  #fail(fault, unit) {
    if (this.#closed) return;
    const lost = [...this.#inside.map((one) => one.unit), ...this.#waiting];
    this.close();
    for (const one of lost) this.#onSkipped(one);
    this.#onFailed(fault, unit);
  }
}

/** Split a frame into its units. @param {import('./painter.js').Received} frame @returns {import('./painter.js').Received[]} */
function unpack(frame) {
  const { header, bytes, shown } = frame;
  if (!header.units) return [frame];
  const last = header.units.length - 1;
  let end = 0;
  return header.units.map((size, index) => {
    end += size;
    const own = { ...header, key: header.key && index === 0 };
    return { ...frame, header: own, bytes: new Uint8Array(bytes, end - size, size), shown: shown && index === last };
  });
}
