/** Chooses the resolution of the camera in focus: automatic or fixed. */
import { recall, remember } from '../ui/preferences.js';

export const AUTO = 'auto';

const NAME = 'sizes';

/** The rendition chosen for a camera in this browser, or `auto`. @param {string} camera */
export function chosenSize(camera) {
  const sizes = recallSizes();
  // A camera may be named `constructor`, a property of every object.
  return Object.hasOwn(sizes, camera) ? sizes[camera] : AUTO;
}

export class SizeChoice {
  #select;
  #tile = null;
  #offered = '';

  /** @param {HTMLSelectElement} select */
  constructor(select) {
    this.#select = select;
    select.addEventListener('change', () => this.#choose(select.value));
  }

  /** @param {import('../grid/tile.js').Tile} tile */
  show(tile) {
    this.#tile = tile;
    const { renditions = ['full'], width, height, video } = tile.state;
    const offered = JSON.stringify([renditions, width, height, video?.passed_through]);
    if (offered !== this.#offered) {
      this.#offered = offered;
      this.#select.replaceChildren(...[AUTO, ...renditions].map((name) => optionOf(name, tile.state)));
    }
    // A chosen rendition that no longer exists becomes automatic.
    const choice = renditions.includes(tile.viewer.choice) ? tile.viewer.choice : AUTO;
    if (this.#select.value !== choice) this.#select.value = choice;
  }

  #choose(rendition) {
    this.#tile.viewer.choice = rendition;
    const { [this.#tile.name]: _, ...others } = recallSizes();
    const sizes = rendition === AUTO ? others : { ...others, [this.#tile.name]: rendition };
    remember(NAME, Object.keys(sizes).length > 0 ? sizes : null);
  }
}

function recallSizes() {
  const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
  return recall(NAME, (value) => (isObject(value) ? value : null), {});
}

function optionOf(name, { width, height, video }) {
  const size = width && height ? `Full, ${width} × ${height}` : 'Full';
  const whole = video?.passed_through ? `${size}, as sent` : size;
  const text = name === AUTO ? 'Auto' : name === 'full' ? whole : `${name} px wide`;
  return new Option(text, name);
}
