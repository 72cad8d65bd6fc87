/** Tries a source and shows its picture, or why there is none. */
import { ask } from '../bridge/api.js';

const PATH = 'api/admin/cameras/try';

/**
 * Phases of the element, in `data-phase`: `none`, `trying`, `picture` and `failed`.
 */
export class Trial {
  #element;
  #picture;
  #words;
  #abort = new AbortController();
  #url = '';

  /**
   * @param {HTMLElement} element  Gets the phase.
   * @param {HTMLImageElement} picture
   * @param {HTMLElement} words  A live region.
   */
  constructor(element, picture, words) {
    this.#element = element;
    this.#picture = picture;
    this.#words = words;
    this.clear();
  }

  /** Show nothing, and abort a running trial. */
  clear() {
    this.#abort.abort();
    this.#show('none', '');
  }

  /**
   * @param {object} what  `source`, and optionally `transport`, `verify` and the `camera` whose kept password to use.
   * @returns {Promise<import('../bridge/api.js').Answer>}
   */
  async run(what) {
    this.#abort.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#show('trying', 'Opening it. This takes a few seconds.');
    const answer = await ask('POST', PATH, { body: what, signal: abort.signal });
    if (abort.signal.aborted) return answer;
    if (answer.ok) await this.#showPicture(answer.data, answer.headers);
    // The field shows what is wrong with the address.
    else if (answer.data?.fields?.source) this.#show('none', '');
    else this.#show('failed', `No picture: ${answer.message}.`);
    return answer;
  }

  async #showPicture(blob, headers) {
    const url = URL.createObjectURL(blob);
    this.#picture.src = url;
    try {
      await this.#picture.decode();
    } catch {
      URL.revokeObjectURL(url);
      this.#show('failed', 'No picture: it arrived damaged.');
      return;
    }
    this.#show('picture', `It works: ${headers.get('X-Width')} × ${headers.get('X-Height')}.`, url);
  }

  #show(phase, words, url = '') {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = url;
    this.#element.dataset.phase = phase;
    this.#picture.hidden = phase !== 'picture';
    this.#words.textContent = words;
  }
}
