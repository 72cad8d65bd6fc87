/**
 * One camera in a small window that stays above all others: picture-in-picture.
 *
 * The tile's canvas cannot be moved there, and a canvas painted by a worker stands still while the page is hidden,
 * just when the small window is needed. So the window has a canvas of its own, painted with copies. If the browser
 * allows such windows only for videos, the canvas is captured as one.
 */
import { setText, setTitle } from '../ui/dom.js';

const WIDTH_PX = 480;
const CAPTION_PX = 34;
const VIDEO_FPS = 15;

/** Whether the browser supports picture-in-picture. */
export const canPopOut =
  'documentPictureInPicture' in window ||
  (document.pictureInPictureEnabled === true && 'captureStream' in HTMLCanvasElement.prototype);

/** Event: `change` when a tile has moved into the small window or back. */
export class Popout extends EventTarget {
  #grid;
  #backend;
  #tile = null;
  #canvas = null;
  #close = () => {};
  #caption = null;
  #busy = false;
  #again = false;

  /** @param {import('../grid/grid.js').Grid} grid @param {import('../bridge/client.js').BackendClient} backend */
  constructor(grid, backend) {
    super();
    this.#grid = grid;
    this.#backend = backend;
    backend.addEventListener('viewer', ({ detail }) => {
      if (detail.camera !== this.#tile?.name) return;
      this.#repaint();
      if (!detail.live) this.#describe();
    });
    grid.addEventListener('condition', ({ detail }) => {
      if (detail.tile === this.#tile) this.#describe();
    });
    grid.addEventListener('list', () => this.#follow());
  }

  /** The tile in the small window. @returns {import('../grid/tile.js').Tile | null} */
  get tile() {
    return this.#tile;
  }

  /**
   * Move a tile into the small window, or back if it is there.
   *
   * @param {import('../grid/tile.js').Tile} tile
   * @returns {Promise<void>} Rejects if the browser does not allow it.
   */
  async toggle(tile) {
    const there = this.#tile;
    this.#end();
    if (there === tile) return;
    if ('documentPictureInPicture' in window) await this.#openWindow(tile);
    else await this.#openVideo(tile);
    this.#tile = tile;
    // The picture must keep updating while the page is hidden.
    this.#grid.keepWatched(tile, true);
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
    for (const name of ['base/tokens', 'popout']) {
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
    const onClosed = () => this.#canvas?.ownerDocument === page && this.#end();
    small.addEventListener('pagehide', onClosed);
    page.addEventListener('keydown', (event) => this.#passOn(event));
    this.#close = () => small.close();
  }

  // Keys act on the camera in focus; if that is in this window, pass them on.
  #passOn(event) {
    if (this.#tile !== this.#grid.focused) return;
    const { key, code, repeat, shiftKey, ctrlKey, altKey, metaKey } = event;
    const press = { key, code, repeat, shiftKey, ctrlKey, altKey, metaKey, cancelable: true };
    if (!document.dispatchEvent(new KeyboardEvent('keydown', press))) event.preventDefault();
  }

  async #openVideo(tile) {
    const canvas = document.createElement('canvas');
    canvas.width = tile.state.width || 16;
    canvas.height = tile.state.height || 9;
    // A canvas gives no stream until it has been painted on.
    canvas.getContext('2d').fillRect(0, 0, 1, 1);
    const video = document.createElement('video');
    video.muted = true;
    video.srcObject = canvas.captureStream(VIDEO_FPS);
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
    this.#grid.keepWatched(tile, false);
    this.dispatchEvent(new CustomEvent('change'));
  }

  // If the camera disappears from the server, say so in the small window, because the page may be hidden. Continue
  // when the camera is back.
  #follow() {
    if (this.#tile === null) return;
    const now = this.#grid.tiles.get(this.#tile.name);
    if (now === this.#tile) return;
    if (now) {
      this.#tile = now;
      this.#grid.keepWatched(now, true);
      this.dispatchEvent(new CustomEvent('change'));
    } else if (this.#caption === null) {
      this.#end();
    }
    this.#describe();
  }

  #describe() {
    if (this.#caption === null) return;
    const here = this.#grid.tiles.get(this.#tile.name) === this.#tile;
    const { title, condition } = this.#tile;
    const page = this.#caption.ownerDocument;
    page.title = title;
    page.body.toggleAttribute('data-gone', !here);
    this.#caption.dataset.status = here ? condition : 'gone';
    setText(this.#caption.firstElementChild, title);
    setTitle(this.#caption.firstElementChild, title);
    setText(this.#caption.lastElementChild, here ? this.#tile.word : 'No longer here');
  }

  // Fetch one picture at a time; if others arrive meanwhile, fetch the newest afterwards.
  async #repaint() {
    this.#again = true;
    if (this.#busy) return;
    this.#busy = true;
    while (this.#again && this.#tile !== null) {
      this.#again = false;
      const canvas = this.#canvas;
      const picture = await this.#backend.grab(this.#tile.name);
      if (picture !== null) paint(canvas, picture);
    }
    this.#busy = false;
  }
}

function paint(canvas, picture) {
  const { width, height } = picture;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext('2d', { alpha: false }).drawImage(picture, 0, 0);
  picture.close();
}
