/** What is wrong with the connection, in one line over the tiles. */

const TEXTS = {
  gone: ['Server gone.', 'The pictures below are the last ones received. Reconnecting by itself.'],
  unreachable: ['The server cannot be reached.', 'Trying again by itself.'],
  blocked: [
    'No WebSocket gets through to the server.',
    'Pictures come as plain MJPEG instead, and the controls are off. ' +
      'A proxy on the way probably needs to allow WebSocket.',
  ],
  refused: ['The server refused the connection.', ''],
  quit: ['Porthole was shut down.', 'Once it is started again on its machine, this page resumes by itself.'],
};

export class Banner {
  #element;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /** @param {keyof TEXTS} kind @param {string} [detail] */
  show(kind, detail = '') {
    const [title, text] = TEXTS[kind];
    this.#element.dataset.kind = kind;
    this.#element.dataset.lamp = kind === 'blocked' ? 'stalled' : 'gone';
    this.#element.querySelector('[data-banner-title]').textContent = title;
    this.#element.querySelector('[data-banner-text]').textContent = detail || text;
    this.#element.hidden = false;
  }

  hide() {
    this.#element.hidden = true;
  }
}
