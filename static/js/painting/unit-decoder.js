/**
 * Decodes one camera's video: its units in the order in which they arrive, from a key picture on, a few at a time.
 *
 *     put ─► waiting ─► VideoDecoder (three at most) ─► onDecoded
 *
 * Whatever goes wrong ends it: it is closed then, and who uses it starts again with a key picture.
 *
 * @typedef {'unsupported' | 'no key' | 'slow' | 'stuck' | 'reclaimed' | 'broken'} VideoFault
 */
import { canDecode, configOf } from './codecs.js';

// Each picture inside may hold a buffer of the decoder, of which it has few.
const MAX_INSIDE = 3;
// A decoder may keep a picture until it is given the next ones, as with B-frames.
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
  // Of what is in the decoder: {unit, timestamp, sinceMs}, oldest first.
  #inside = [];
  #timestamp = 0;
  #held = null;
  #timer = 0;
  #dueMs = 0;

  /**
   * @param {object} hooks
   * @param {(unit: import('./painter.js').Received, picture: VideoFrame) => void} hooks.onDecoded  The picture is
   *   to be closed by who gets it.
   * @param {(unit: import('./painter.js').Received) => void} hooks.onSkipped  It will not be decoded.
   * @param {(unit: import('./painter.js').Received) => void} hooks.onHeld  The decoder keeps it and all before it
   *   until there are more.
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

  /** Whether there is anything still to be decoded. */
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
      // It needs none of those before it, and is newer.
      for (const older of this.#waiting.splice(0)) this.#onSkipped(older);
    } else if (rendition !== this.#rendition || this.#newestCodec !== codec) {
      this.#waiting.push(unit);
      this.#fail('no key', unit);
      return;
    }
    this.#rendition = rendition;
    this.#waiting.push(unit);
    const nowMs = performance.now();
    // Of the past, nothing newer comes that JPEG would show sooner.
    const isLate = unit.header.live && this.#isPunctual(nowMs) && nowMs - this.#waiting[0].receivedMs > MAX_WAIT_MS;
    if (isLate) this.#fail('slow', unit);
    else this.#feed();
  }

  /** Have a decoder ready for what comes: a browser may take a while to find one. @param {string} codec */
  prepare(codec) {
    if (this.#codec === '' && !this.#configuring) this.#configure(codec, null);
  }

  /** Forget everything, for good. Its pictures are closed by who got them. */
  close() {
    this.#closed = true;
    this.#waiting.length = 0;
    this.#inside.length = 0;
    clearTimeout(this.#timer);
    if (this.#decoder !== null && this.#decoder.state !== 'closed') this.#decoder.close();
  }

  // Of the unit before the one that is put.
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
    // Whatever is still inside when pictures from a later key picture on come out was swallowed.
    const key = this.#inside.findLastIndex((one) => one.unit.header.key && one.timestamp <= picture.timestamp);
    for (const { unit } of this.#inside.splice(0, Math.max(0, key))) this.#onSkipped(unit);
    // The first out has the number and the time of the first in. With B-frames they are not the same picture, but
    // numbers and times only grow.
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

  // What a decoder keeps because of B-frames is not late: it comes out soon after the unit that it waits for goes in.
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
      // Of the past, nothing may follow. The next unit must be a key picture then, or be sought anew.
      if (unit.header.live) this.#onHeld(unit);
      else this.#decoder.flush().catch(() => {});
    }
    this.#watch();
  }

  // Otherwise we are late ourselves, as after the computer slept, and what was decoded meanwhile comes next.
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

/** Its units one by one. @param {import('./painter.js').Received} frame @returns {import('./painter.js').Received[]} */
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
