/**
 * A frame over the picture that is dragged to crop it.
 *
 * The server does not send what is cropped away, so it cannot be shown: the picture lies at its position within the
 * whole one, and the frame can be dragged beyond it.
 */

const MIN_SIDE = 0.05;
const STEP = 0.01;
const WHOLE = [0, 0, 1, 1];

// A change by key is sent after this pause.
const PAUSE_MS = 350;

// Events that must not reach the page, which would take them for clicks or gestures on the tile.
const STOPPED = [
  'pointerdown', 'pointermove', 'pointerup', 'pointercancel', 'click', 'dblclick', 'touchstart', 'touchmove', 'touchend',
  'wheel',
];

/** @typedef {(area: number[] | null, done: boolean) => Promise<unknown> | void} OnChange */

export class Cropper {
  #template;
  #element = null;
  #stage;
  #frame;
  #tile;
  #viewport;
  /** @type {OnChange} */
  #onChange;
  #area = WHOLE;
  #drag = null;
  #busy = 0;
  #timer = 0;
  #pictureKey = '';

  /** @param {HTMLTemplateElement} template */
  constructor(template) {
    this.#template = template;
  }

  /** Put the frame over a tile, or remove it. @param {OnChange} onChange @returns {boolean} whether it is shown now */
  toggle(tile, onChange) {
    if (this.#element !== null) this.close();
    else this.#open(tile, onChange);
    return this.#element !== null;
  }

  /** Show the current STATE. @param {object} state @param {boolean} allowed  Whether it may be changed. */
  refresh(state, allowed) {
    if (this.#element === null) return;
    // After a rotation or resize the area no longer fits; without permission there is nothing to adjust.
    if (!allowed || pictureKeyOf(state) !== this.#pictureKey) this.close();
    else this.#place(cropOf(state));
  }

  close() {
    if (this.#element === null) return;
    clearTimeout(this.#timer);
    const hadFocus = this.#element.contains(document.activeElement);
    this.#element.remove();
    this.#element = null;
    this.#drag = null;
    this.#tile.element.removeAttribute('data-adjusting');
    this.#onChange(null, true);
    if (hadFocus) this.#tile.openButton.focus({ preventScroll: true });
  }

  #open(tile, onChange) {
    this.#tile = tile;
    this.#onChange = onChange;
    this.#busy = 0;
    this.#pictureKey = pictureKeyOf(tile.state);
    this.#viewport = tile.element.querySelector('.viewport');
    this.#element = document.importNode(this.#template.content.firstElementChild, true);
    this.#stage = this.#element.querySelector('.cropper-stage');
    this.#frame = this.#element.querySelector('[data-frame]');
    const { width, height } = tile.state;
    const [, , across, down] = cropOf(tile.state);
    const ratio = width && height ? (width / across) / (height / down) : 16 / 9;
    this.#viewport.style.setProperty('--whole-ratio', ratio.toFixed(4));
    this.#listen();
    this.#place(cropOf(tile.state));
    tile.element.setAttribute('data-adjusting', '');
    this.#viewport.append(this.#element);
    tile.element.scrollIntoView({ block: 'nearest' });
    this.#frame.focus({ preventScroll: true });
  }

  #listen() {
    for (const type of STOPPED) {
      this.#element.addEventListener(type, (event) => event.stopPropagation(), { passive: true });
    }
    this.#element.querySelector('[data-cropper-done]').addEventListener('click', () => this.close());
    this.#element.querySelector('[data-cropper-whole]').addEventListener('click', () => {
      this.#draw(WHOLE);
      this.#commit();
    });
    this.#element.addEventListener('keydown', (event) => this.#onKey(event));
    this.#frame.addEventListener('pointerdown', (event) => this.#onDown(event));
    this.#frame.addEventListener('pointermove', (event) => this.#onMove(event));
    for (const type of ['pointerup', 'pointercancel']) {
      this.#frame.addEventListener(type, () => this.#onUp());
    }
  }

  /** Show the picture at its position within the whole one, and the frame around it unless it is being changed. */
  #place(crop) {
    ['x', 'y', 'width', 'height'].forEach((name, index) => {
      this.#viewport.style.setProperty(`--crop-${name}`, crop[index].toFixed(4));
    });
    if (this.#drag === null && this.#busy === 0 && this.#timer === 0) this.#draw(crop);
  }

  #draw(area) {
    this.#area = area.map((share) => Math.round(share * 10000) / 10000);
    const [x, y, width, height] = this.#area.map((share) => `${share * 100}%`);
    Object.assign(this.#frame.style, { left: x, top: y, width, height });
    const words = ['left', 'top', 'width', 'height'].map((word, index) => {
      return `${word} ${Math.round(this.#area[index] * 100)} %`;
    });
    this.#frame.ariaLabel =
      `${words.join(', ')}. Arrow keys move it, with Shift they resize it, Enter finishes.`;
  }

  #onDown(event) {
    if (!event.isPrimary || event.button !== 0) return;
    const { width, height } = this.#stage.getBoundingClientRect();
    const { clientX, clientY, pointerId, target } = event;
    this.#frame.setPointerCapture(pointerId);
    this.#drag = { clientX, clientY, width, height, area: this.#area, edges: target.dataset.edges ?? '' };
  }

  #onMove({ clientX, clientY }) {
    const drag = this.#drag;
    if (drag === null) return;
    const across = (clientX - drag.clientX) / drag.width;
    const down = (clientY - drag.clientY) / drag.height;
    this.#draw(move(drag.area, drag.edges, across, down));
    this.#onChange(this.#area, false);
  }

  #onUp() {
    if (this.#drag === null) return;
    const moved = String(this.#drag.area) !== String(this.#area);
    this.#drag = null;
    if (moved) this.#commit();
  }

  #onKey(event) {
    // Keep keys from the page: an arrow would go to another camera, Esc back to the grid.
    event.stopPropagation();
    if (event.key === 'Escape' || (event.key === 'Enter' && event.target === this.#frame)) {
      event.preventDefault();
      if (this.#timer !== 0) this.#commit();
      this.close();
      return;
    }
    const step = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (!(event.key in step) || event.target !== this.#frame) return;
    event.preventDefault();
    this.#draw(move(this.#area, event.shiftKey ? 'se' : '', ...step[event.key]));
    this.#onChange(this.#area, false);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#commit(), PAUSE_MS);
  }

  async #commit() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#busy += 1;
    await this.#onChange(this.#area, true);
    this.#busy -= 1;
    if (this.#element !== null) this.#place(cropOf(this.#tile.state));
  }
}

/** Move an area, or only some of its edges; it stays within the picture and keeps a minimum size. */
function move([x, y, width, height], edges, across, down) {
  if (edges === '') {
    return [clamp(x + across, 0, 1 - width), clamp(y + down, 0, 1 - height), width, height];
  }
  let [left, top, right, bottom] = [x, y, x + width, y + height];
  if (edges.includes('w')) left = clamp(left + across, 0, right - MIN_SIDE);
  if (edges.includes('e')) right = clamp(right + across, left + MIN_SIDE, 1);
  if (edges.includes('n')) top = clamp(top + down, 0, bottom - MIN_SIDE);
  if (edges.includes('s')) bottom = clamp(bottom + down, top + MIN_SIDE, 1);
  return [left, top, right - left, bottom - top];
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

function cropOf(state) {
  return state.controls?.find(({ name }) => name === 'crop')?.value ?? WHOLE;
}

/** Key of everything that changes the whole picture, so not of the crop. */
function pictureKeyOf(state) {
  const named = (state.controls ?? []).filter(({ name }) => ['rotate', 'mirror', 'size'].includes(name));
  return JSON.stringify(named.map(({ value }) => value));
}
