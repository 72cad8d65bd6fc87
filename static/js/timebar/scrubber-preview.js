/**
 * The card over the time bar: the time under the pointer and, once the pointer rests, the picture of that moment. A
 * request for a picture that is no longer wanted is aborted.
 */
import { withToken } from '../bridge/embed.js';
import { formatWhen } from '../ui/format.js';
import { setText } from '../ui/dom.js';

const WIDTH = 320;
const REST_MS = 90;
// A fetched picture this close to the moment is good enough.
const SAME_S = 0.25;
const MAX_KEPT = 60;

export class ScrubberPreview {
  #element;
  #canvas;
  #time;
  #camera = '';
  #at = NaN;
  #timer = 0;
  /** @type {AbortController | null} */
  #request = null;
  /** @type {Map<number, ImageBitmap>} Pictures by moment, the first fetched first. */
  #kept = new Map();

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
    this.#canvas = element.querySelector('canvas');
    this.#time = element.querySelector('[data-card-time]');
  }

  /** @param {string} camera  Whose pictures to show; others are dropped. @param {number} ratio */
  retarget(camera, ratio) {
    this.hide();
    for (const picture of this.#kept.values()) picture.close();
    this.#kept.clear();
    this.#camera = camera;
    this.#canvas.width = WIDTH;
    this.#canvas.height = Math.round(WIDTH / ratio);
  }

  /**
   * @param {number} at
   * @param {number} x  CSS pixels from the left of the bar.
   * @param {string} what  Text beside the time; may be empty.
   * @param {boolean} pictured  Whether to show the picture as well as the time.
   */
  show(at, x, what, pictured) {
    this.#at = at;
    this.#element.hidden = false;
    const { time } = formatWhen(at);
    setText(this.#time, what ? `${time} · ${what}` : time);
    const room = this.#element.parentElement.clientWidth;
    const half = this.#element.offsetWidth / 2;
    this.#element.style.setProperty('--x', `${Math.min(Math.max(x, half), Math.max(half, room - half)).toFixed(1)}px`);
    const near = pictured ? this.#nearest(at) : null;
    if (near !== null) this.#paint(near);
    else if (!pictured) this.#element.removeAttribute('data-picture');
    clearTimeout(this.#timer);
    this.#request?.abort();
    if (pictured && near === null) this.#timer = setTimeout(() => this.#fetch(at), REST_MS);
  }

  hide() {
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#at = NaN;
    this.#element.hidden = true;
    this.#element.removeAttribute('data-picture');
  }

  #nearest(at) {
    let best = null;
    let distance = SAME_S;
    for (const [moment, picture] of this.#kept) {
      if (Math.abs(moment - at) <= distance) {
        distance = Math.abs(moment - at);
        best = picture;
      }
    }
    return best;
  }

  async #fetch(at) {
    const request = new AbortController();
    this.#request = request;
    const camera = this.#camera;
    const address = `api/cameras/${encodeURIComponent(camera)}/picture?at=${at.toFixed(3)}&width=${WIDTH}`;
    try {
      const response = await fetch(withToken(address), { signal: request.signal, cache: 'no-store' });
      if (!response.ok) {
        this.#element.removeAttribute('data-picture');
        return;
      }
      const picture = await createImageBitmap(await response.blob());
      if (camera !== this.#camera) {
        picture.close();
        return;
      }
      this.#keep(at, picture);
      if (Math.abs(this.#at - at) < SAME_S) this.#paint(picture);
    } catch {
      // The pointer has moved on, or there is no picture of this moment.
    }
  }

  #keep(at, picture) {
    this.#kept.set(at, picture);
    if (this.#kept.size <= MAX_KEPT) return;
    const [oldest] = this.#kept.keys();
    this.#kept.get(oldest).close();
    this.#kept.delete(oldest);
  }

  #paint(picture) {
    const { width, height } = picture;
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    this.#canvas.getContext('2d').drawImage(picture, 0, 0);
    this.#element.setAttribute('data-picture', '');
  }
}
