/**
 * The card over the time bar: the time that is pointed at and, once the pointer rests, the picture of that moment. A
 * picture that is no longer wanted is not waited for.
 */
import { withToken } from '../bridge/embed.js';
import { formatWhen } from '../ui/format.js';
import { setText } from '../ui/dom.js';

const WIDTH = 320;
const REST_MS = 90;
// Nearer than this, a picture that was fetched already is as good.
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
  /** @type {Map<number, ImageBitmap>} By moment, the oldest first. */
  #kept = new Map();

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
    this.#canvas = element.querySelector('canvas');
    this.#time = element.querySelector('[data-card-time]');
  }

  /** @param {string} camera  Whose pictures; those of another one are forgotten. @param {number} ratio */
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
   * @param {number} x  Where, in CSS pixels from the left of the bar.
   * @param {string} what  Is written beside the time; empty for nothing.
   * @param {boolean} pictured  Whether the picture is wanted too, and not the time alone.
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
      // Another moment is pointed at by now, or there is no picture of this one.
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
