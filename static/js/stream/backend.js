/**
 * Holds the connection to the server and one viewer per tile. Runs in a worker or on the page's thread (see
 * bridge/start.js) and touches nothing of the page but the canvases it is given. The page talks to it through
 * bridge/client.js.
 *
 * It receives messages {type, ...}: `connect` {base} and `video` {wanted}; for a `camera`, `open`, `want` {wanted,
 * rendition, width}, `seek` {at}, `play` {speed}, `step` {by}, `close`, and `past` if somebody may soon look back; and,
 * answered with the same `id`, `request` {event, payload}, `clock`, and `picture` and `grab` for a `camera`.
 * It sends `answer` {id, answer}, `viewer` {report}, and `event` {name, detail} for events of the connection.
 */
import { decodableFamilies } from '../painting/codecs.js';
import { preparePastDecoder } from '../painting/past-decoder.js';
import { ClockOffset } from './clock.js';
import { Connection } from './connection.js';
import { Viewer } from './viewer.js';

const FORWARDED = ['hello', 'camera', 'cameras', 'stats', 'notice', 'event', 'views', 'down', 'refused', 'blocked', 'moved'];

export class Backend {
  #port;
  #connection;
  #clock = new ClockOffset();
  /** @type {Map<string, Viewer>} */
  #viewers = new Map();
  // Codec families this browser decodes; empty until known.
  #decodable = [];
  #videoWanted = false;
  #pastExpected = false;

  /** @param {{postMessage: (message: object) => void} & EventTarget} port */
  constructor(port) {
    this.#port = port;
    port.addEventListener('message', ({ data }) => this.#onMessage(data));
  }

  #onMessage({ type, id, camera, ...more }) {
    switch (type) {
      case 'connect':
        this.#connect(more.base);
        break;
      case 'video':
        this.#videoWanted = more.wanted;
        this.#offerVideo();
        break;
      case 'past':
        this.#pastExpected = true;
        this.#offerVideo();
        this.#viewers.get(camera)?.expectPast();
        break;
      case 'open':
        this.#open(camera, more.canvas);
        break;
      case 'want':
        this.#viewers.get(camera)?.want(more.wanted, more.rendition, more.width);
        break;
      case 'close':
        this.#close(camera);
        break;
      case 'seek':
        this.#viewers.get(camera)?.seek(more.at);
        break;
      case 'play':
        this.#viewers.get(camera)?.play(more.speed);
        break;
      case 'step':
        this.#viewers.get(camera)?.step(more.by);
        break;
      case 'request':
        this.#answer(id, this.#connection.request(more.event, more.payload));
        break;
      case 'clock':
        this.#answer(id, this.#measureClock());
        break;
      case 'picture':
        this.#answer(id, this.#viewers.get(camera)?.lastPicture() ?? null);
        break;
      case 'grab':
        this.#answer(id, this.#viewers.get(camera)?.grab() ?? null);
        break;
    }
  }

  #connect(base) {
    const connection = new Connection(base);
    this.#connection = connection;
    // Viewers first, so that their requests are sent before the page starts to draw.
    connection.addEventListener('hello', () => this.#viewers.forEach((viewer) => viewer.onHello()));
    connection.addEventListener('down', () => this.#viewers.forEach((viewer) => viewer.onDown()));
    connection.addEventListener('frame', ({ detail: { header, bytes } }) => {
      this.#viewers.get(header?.camera)?.onFrame(header, bytes);
    });
    connection.addEventListener('rendition', ({ detail }) => {
      this.#viewers.get(detail?.camera)?.onRendition(detail);
    });
    for (const name of FORWARDED) {
      connection.addEventListener(name, ({ detail }) => this.#port.postMessage({ type: 'event', name, detail }));
    }
    connection.connect();
    // The browser's first answer takes a while; JPEG can be shown meanwhile.
    decodableFamilies().then((families) => {
      this.#decodable = families;
      this.#offerVideo();
    });
  }

  #offerVideo() {
    this.#viewers.forEach((viewer) => viewer.setVideo(this.#families));
    if (this.#pastExpected && this.#families.length > 0) preparePastDecoder();
  }

  get #families() {
    return this.#videoWanted ? this.#decodable : [];
  }

  #open(camera, canvas) {
    this.#close(camera);
    const report = (facts) => this.#port.postMessage({ type: 'viewer', report: facts });
    const viewer = new Viewer(this.#connection, this.#clock, camera, canvas, report);
    viewer.setVideo(this.#families);
    this.#viewers.set(camera, viewer);
  }

  #close(camera) {
    this.#viewers.get(camera)?.close();
    this.#viewers.delete(camera);
  }

  // The page uses the offset, the viewers the round trip.
  async #measureClock() {
    const times = await this.#connection.clock(this.#clock.roundTrip);
    if (times !== null) this.#clock.add(times);
    return times;
  }

  async #answer(id, answer) {
    const value = await Promise.resolve(answer).catch(() => null);
    const moved = typeof ImageBitmap === 'function' && value instanceof ImageBitmap ? [value] : [];
    this.#port.postMessage({ type: 'answer', id, answer: value }, moved);
  }
}
