/**
 * A viewer of a camera named `door`, in a page without a server: the test delivers frames, and reads the viewer's
 * requests and acknowledgements. The browser's own decoder is wrapped to count its inputs and outputs.
 */
const base = new URL('../../../static/js/', import.meta.url);
const { Viewer } = await import(new URL('stream/viewer.js', base));
const { ClockOffset } = await import(new URL('stream/clock.js', base));

const RealDecoder = globalThis.VideoDecoder;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Wait until a condition holds; throw if it does not within four seconds. */
export async function until(condition) {
  for (let waited = 0; !condition(); waited += 5) {
    if (waited > 4000) throw new Error(`still not: ${condition}`);
    await sleep(5);
  }
}

/** Count what the page's decoders do, each unit `delayMs` late; `stop` restores the browser's decoder. */
export function countDecoders() {
  const counts = { made: 0, inside: 0, most: 0, open: new Set(), decoders: [], configs: [], delayMs: 0 };
  const { close } = VideoFrame.prototype;
  globalThis.VideoDecoder = class extends RealDecoder {
    constructor({ output, error }) {
      super({
        output: (picture) => {
          this.inside -= 1;
          counts.open.add(picture);
          output(picture);
        },
        error,
      });
      this.inside = 0;
      this.fail = error;
      counts.made += 1;
      counts.decoders.push(this);
    }
    configure(config) {
      counts.configs.push(config);
      super.configure(config);
    }
    decode(chunk) {
      this.inside += 1;
      counts.most = Math.max(counts.most, this.inside);
      if (counts.delayMs === 0) super.decode(chunk);
      else setTimeout(() => this.state === 'configured' && super.decode(chunk), counts.delayMs);
    }
  };
  VideoFrame.prototype.close = function () {
    counts.open.delete(this);
    close.call(this);
  };
  counts.stop = () => {
    globalThis.VideoDecoder = RealDecoder;
    VideoFrame.prototype.close = close;
  };
  return counts;
}

export class Rig {
  asked = [];
  acks = [];
  painted = [];
  report = null;
  connected = true;
  refusing = false;

  /**
   * @param {object} clip  See Clip.for_page() in video_clip.py.
   * @param {string[]} families  Codec families offered from the start.
   * @param {string | null} video  The codec in every reply to `watch`.
   */
  constructor(clip, families = ['h264'], video = null) {
    this.clip = clip;
    this.video = video;
    this.units = clip.units.map(({ data }) => Uint8Array.from(atob(data), (char) => char.charCodeAt(0)).buffer);
    this.canvas = document.createElement('canvas');
    this.viewer = new Viewer(this, new ClockOffset(), 'door', this.canvas, (report) => this.take(report));
    this.viewer.setVideo(families);
    this.viewer.want(true, 'full', 320);
  }

  async request(event, payload) {
    this.asked.push({ event, payload, atMs: performance.now() });
    if (this.refusing) return { ok: false, error: 'rate_limited', message: 'wait' };
    return { ok: true, camera: {}, rendition: 'full', reason: 'fixed', video: this.video };
  }

  ack(camera, seq, holdMs) {
    this.acks.push({ seq, holdMs });
  }

  take(report) {
    if (report.painted > (this.report?.painted ?? 0)) this.painted.push(report.lastSeq);
    this.report = report;
  }

  header(seq, more) {
    const { width, height } = this.clip;
    return { camera: 'door', seq, at: 1000 + seq / 25, width, height, rendition: 'full', ...more };
  }

  /** Deliver a unit of the clip, by default numbered as in the clip. */
  send(at, { seq = at, ...more } = {}) {
    const { key } = this.clip.units[at];
    const facts = { codec: this.clip.codec, key, catch_up: false, ...more };
    this.viewer.onFrame(this.header(seq, facts), this.units[at].slice(0));
  }

  /** Deliver units of the clip as one frame, with the number of the last. */
  sendPacked(from, to, { seq = to - 1, ...more } = {}) {
    const units = this.units.slice(from, to);
    const sizes = units.map(({ byteLength }) => byteLength);
    const facts = { codec: this.clip.codec, key: this.clip.units[from].key, units: sizes, ...more };
    const bytes = new Uint8Array(sizes.reduce((all, size) => all + size, 0));
    let end = 0;
    for (const unit of units) {
      bytes.set(new Uint8Array(unit), end);
      end += unit.byteLength;
    }
    this.viewer.onFrame(this.header(seq, facts), bytes.buffer);
  }

  /** Deliver a plain picture as JPEG. */
  async sendJpeg(seq, colour = '#f00', more = {}) {
    const canvas = new OffscreenCanvas(this.clip.width, this.clip.height);
    const context = canvas.getContext('2d');
    context.fillStyle = colour;
    context.fillRect(0, 0, canvas.width, canvas.height);
    const blob = await canvas.convertToBlob({ type: 'image/jpeg' });
    this.viewer.onFrame(this.header(seq, more), await blob.arrayBuffer());
  }

  /** Deliver units one after another, each once the one before is painted. */
  async play(from, to) {
    for (let at = from; at < to; at += 1) {
      this.send(at);
      await until(() => this.report.lastSeq >= at);
    }
  }

  /** Return the canvas's pixels, RGBA as base64. */
  pixels() {
    const { width, height } = this.canvas;
    const { data } = this.canvas.getContext('2d').getImageData(0, 0, width, height);
    let text = '';
    for (const byte of data) text += String.fromCharCode(byte);
    return btoa(text);
  }
}
