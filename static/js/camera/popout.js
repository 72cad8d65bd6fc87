/**
 * One camera in a small window that stays above all others: picture in picture.
 *
 * The tile's canvas cannot go there, and what a worker paints on it stands still while the page is hidden,
 * which is just when the small window is wanted. So that window has a canvas of its own, painted with the
 * same JPEGs, one for every picture that the viewer reports. Where the browser gives small windows only to
 * videos, the canvas is filmed.
 */
import { WORDS } from './condition.js';
import { setText, setTitle } from '../ui/text.js';

const WIDTH_PX = 480;
const CAPTION_PX = 34;
const FILM_FPS = 15;

/** The browser has some way to do it. */
export const canPopOut =
  'documentPictureInPicture' in window ||
  (document.pictureInPictureEnabled === true && 'captureStream' in HTMLCanvasElement.prototype);

/** Event: `change` when a tile went into the small window or came back. */
export class Popout extends EventTarget {
  #deck;
  #link;
  #tile = null;
  #canvas = null;
  #close = () => {};
  #caption = null;
  #busy = false;
  #again = false;

  /** @param {import('../grid/grid.js').Grid} deck @param {import('../bridge/client.js').Link} link */
  constructor(deck, link) {
    super();
    this.#deck = deck;
    this.#link = link;
    link.addEventListener('viewer', ({ detail }) => {
      if (detail.camera === this.#tile?.name) this.#repaint();
    });
    deck.addEventListener('condition', ({ detail }) => {
      if (detail.tile === this.#tile) this.#describe();
    });
    deck.addEventListener('list', () => this.#follow());
  }

  /** The tile in the small window. @returns {import('../grid/tile.js').Tile | null} */
  get tile() {
    return this.#tile;
  }

  /**
   * Put a tile into the small window; the one that is there comes back.
   *
   * @param {import('../grid/tile.js').Tile} tile
   * @returns {Promise<void>} Rejects where the browser refuses.
   */
  async toggle(tile) {
    const there = this.#tile;
    this.#end();
    if (there === tile) return;
    if ('documentPictureInPicture' in window) await this.#openWindow(tile);
    else await this.#openVideo(tile);
    this.#tile = tile;
    // The page may be hidden: that is what this is for.
    this.#deck.keepWatched(tile, true);
    this.#describe();
    this.#repaint();
    this.dispatchEvent(new CustomEvent('change'));
  }

  async #openWindow(tile) {
    const small = await window.documentPictureInPicture.requestWindow({
      width: WIDTH_PX,
      height: Math.round(WIDTH_PX / tile.ratio) + CAPTION_PX,
    });
    const { document: page } = small;
    for (const name of ['tokens', 'popout']) {
      const sheet = page.createElement('link');
      sheet.rel = 'stylesheet';
      sheet.href = new URL(`static/css/${name}.css`, document.baseURI).href;
      page.head.append(sheet);
    }
    page.documentElement.lang = document.documentElement.lang;
    this.#canvas = page.createElement('canvas');
    this.#caption = page.createElement('p');
    this.#caption.append(page.createElement('strong'), page.createElement('span'));
    page.body.append(this.#canvas, this.#caption);
    const over = () => this.#canvas?.ownerDocument === page && this.#end();
    small.addEventListener('pagehide', over);
    this.#close = () => small.close();
  }

  async #openVideo(tile) {
    const canvas = document.createElement('canvas');
    canvas.width = tile.state.width || 16;
    canvas.height = tile.state.height || 9;
    // Filming a canvas that was never painted on gives no stream.
    canvas.getContext('2d').fillRect(0, 0, 1, 1);
    const video = document.createElement('video');
    video.muted = true;
    video.srcObject = canvas.captureStream(FILM_FPS);
    await video.play();
    await video.requestPictureInPicture();
    this.#canvas = canvas;
    this.#close = () => {
      for (const track of video.srcObject.getTracks()) track.stop();
      if (document.pictureInPictureElement === video) document.exitPictureInPicture();
    };
    video.addEventListener('leavepictureinpicture', () => this.#canvas === canvas && this.#end());
  }

  #end() {
    const tile = this.#tile;
    const close = this.#close;
    this.#tile = null;
    this.#canvas = null;
    this.#caption = null;
    this.#close = () => {};
    close();
    if (tile === null) return;
    this.#deck.keepWatched(tile, false);
    this.dispatchEvent(new CustomEvent('change'));
  }

  // The camera may be gone from the server: the small window says so, as the page may not be seen, and goes on
  // when it is back.
  #follow() {
    if (this.#tile === null) return;
    const now = this.#deck.tiles.get(this.#tile.name);
    if (now === this.#tile) return;
    if (now) {
      this.#tile = now;
      this.#deck.keepWatched(now, true);
      this.dispatchEvent(new CustomEvent('change'));
    } else if (this.#caption === null) {
      this.#end();
    }
    this.#describe();
  }

  #describe() {
    if (this.#caption === null) return;
    const here = this.#deck.tiles.get(this.#tile.name) === this.#tile;
    const { title, condition } = this.#tile;
    const page = this.#caption.ownerDocument;
    page.title = title;
    page.body.toggleAttribute('data-gone', !here);
    this.#caption.dataset.lamp = here ? condition : 'gone';
    setText(this.#caption.firstElementChild, title);
    setTitle(this.#caption.firstElementChild, title);
    setText(this.#caption.lastElementChild, here ? WORDS[condition] : 'No longer here');
  }

  // One at a time, and always the newest: a picture that comes meanwhile is fetched when this one is done.
  async #repaint() {
    this.#again = true;
    if (this.#busy) return;
    this.#busy = true;
    while (this.#again && this.#tile !== null) {
      this.#again = false;
      await this.#paint(this.#canvas, await this.#link.lastFrame(this.#tile.name));
    }
    this.#busy = false;
  }

  async #paint(canvas, frame) {
    if (frame === null) return;
    try {
      const bitmap = await createImageBitmap(new Blob([frame.jpeg], { type: 'image/jpeg' }));
      const { width, height } = bitmap;
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      canvas.getContext('2d', { alpha: false }).drawImage(bitmap, 0, 0);
      bitmap.close();
    } catch {
      // No JPEG; the next one will be.
    }
  }
}
