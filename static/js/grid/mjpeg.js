/**
 * Shows pictures without a WebSocket: `<img>` elements with MJPEG over plain HTTP.
 *
 * A browser opens six HTTP/1.1 connections to a server, and an MJPEG stream occupies one forever. So only the
 * first few tiles stream; the others show a snapshot every other second.
 */
import { withToken } from '../bridge/embed.js';

const MAX_STREAMS = 3;
const SNAPSHOT_PAUSE_MS = 2000;
const RETRY_MS = 3000;

export class Mjpeg {
  #images = new Map();
  #timers = new Map();

  /** @param {ReadonlyMap<string, import('./tile.js').Tile>} tiles */
  show(tiles) {
    let streams = 0;
    for (const [name, tile] of tiles) {
      if (this.#images.has(name)) continue;
      const image = document.createElement('img');
      image.className = 'plain';
      image.alt = '';
      image.hidden = true;
      image.addEventListener('load', () => {
        image.hidden = false;
      });
      this.#images.set(name, { image, tile });
      tile.setFallback(image);
      if (streams < MAX_STREAMS) this.#stream(name, image);
      else this.#poll(name, image);
      streams += 1;
    }
  }

  hide() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    for (const { image, tile } of this.#images.values()) {
      // Otherwise the browser keeps the stream open after the element is removed.
      image.removeAttribute('src');
      tile.setFallback(null);
    }
    this.#images.clear();
  }

  #stream(name, image) {
    const open = () => {
      image.src = withToken(`video_feed/${encodeURIComponent(name)}?t=${Date.now()}`);
    };
    image.addEventListener('error', () => this.#schedule(name, open, RETRY_MS));
    open();
  }

  #poll(name, image) {
    const load = () => {
      image.src = withToken(`snapshot/${encodeURIComponent(name)}.jpg?t=${Date.now()}`);
    };
    for (const event of ['load', 'error']) {
      image.addEventListener(event, () => this.#schedule(name, load, SNAPSHOT_PAUSE_MS));
    }
    load();
  }

  #schedule(name, act, delayMs) {
    if (!this.#images.has(name)) return;
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(act, delayMs));
  }
}
